// Options of a queue: what lives in the file and what belongs to the process.
#pragma once

#include <headpond/clock.h>
#include <headpond/export.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headpond {

enum class LogLevel { debug, info, warning, error };
// Called after the commit, on the caller's thread, outside every lock. What it throws is dropped.
using Log = std::function<void(LogLevel, std::string_view)>;

enum class Overflow {
    evict_oldest,  // the oldest ready or waiting items make room
    refuse,        // newcomers are refused
    block,         // enqueue waits for room, up to `enqueue_timeout`, then the newcomer is refused
};
enum class StaleFrom { queued, published };
enum class Keys {
    unique,  // a second resident item with the same key is a duplicate, told by an index
    free,    // keys are not checked and not indexed: cheaper, no cancel or why by key
    mapped,  // unique, told by a map in the memory of each process (32 bytes an item) instead of
             // an index: far cheaper from some 100 000 items on; found by key more slowly elsewhere
};
enum class Durability {
    power_loss,     // acknowledged calls survive a power cut (synchronous=FULL)
    process_crash,  // they survive kill -9; a power cut may roll back the last ones
};
enum class Migrate {
    at_open,         // create a missing file, migrate an older one
    require_newest,  // create nothing, migrate nothing: a missing or older file is an error
    create_only,     // create a missing or zero-byte file; an older one is an error
};

// Limits live in the file, so that all processes and the shell see one truth: an empty optional
// means the file's value (in a new file the default); one that is set is written at open, and the
// change is logged. Times have millisecond resolution. Ranges are in `headpond settings` and in the
// README's table, which is made from the same rows as this struct's checks (src/option_table.cpp).
struct HEADPOND_API Options {
    std::filesystem::path path{};

    // --- in the file ---------------------------------------------------------------------------
    std::optional<std::int64_t> items_max{};          // 1000: items resident at once
    std::optional<std::int64_t> bytes_max{};          // 64 MiB: their payloads together
    std::optional<std::int64_t> payload_bytes_max{};  // 1 MiB: one payload, one result
    std::optional<Overflow> overflow{};               // evict_oldest: fresh news beats old
    std::optional<Ms> age_max{};                      // 3600 s: older items expire
    std::optional<Ms> cleanup_interval{};             // 900 s between cleanups
    std::optional<std::int64_t> cleanup_rows{};       // 500: rows a cleanup transaction deletes
    std::optional<std::int64_t> attempts_max{};       // 3: deliveries, then the batch is abandoned
    std::optional<std::int64_t> batch_items_max{};    // 25: items a batch
    std::optional<std::int64_t>
        batch_bytes_max{};  // 8 MiB: payloads a batch (one item always fits)
    std::optional<std::int64_t> batch_items_due{};  // 10: ready items that make a batch due
    std::optional<Ms> batch_linger{};               // 300 s: the oldest ready item waits this long
    std::optional<Ms> backoff_base{};               // 1 s: first retry, doubled each attempt
    std::optional<Ms> backoff_max{};                // 300 s: no retry waits longer
    std::optional<Ms> release_delay_min{};          // 1 s: a released batch rests at least this
    std::optional<bool> isolate_poison{};           // false: true splits an exhausted batch
    std::optional<Ms> pending_max{};              // 7200 s: a tracked item pending longer is stale
    std::optional<StaleFrom> stale_from{};        // queued: what pending_max counts from
    std::optional<std::int64_t> outcomes_max{};   // 10 000: outcomes kept unread
    std::optional<Ms> outcome_age_max{};          // 7200 s: unread outcomes are dropped after it
    std::optional<std::int64_t> dead_max{};       // 10 000: dead letters kept
    std::optional<Ms> dead_age_max{};             // 604 800 s (a week)
    std::optional<bool> keep_dropped{};           // false: true keeps evicted, expired ones too
    std::optional<std::int64_t> attempts_kept{};  // 10 000: rows of the table `attempts`
    std::optional<std::int64_t> breaker_failures{};  // 5: releases in a row that close the gate
    std::optional<Ms> breaker_closed{};              // 30 s closed, doubled at each failed trial
    std::optional<Ms> breaker_closed_max{};          // 900 s
    std::optional<Keys> keys{};                      // unique
    std::optional<std::int64_t> wal_bytes_max{};     // 4 MiB: over it a writer checkpoints
    std::optional<std::int64_t> file_bytes_max{};    // 4 GiB: over it enqueue answers no_room
    std::optional<std::int64_t> disk_free_min{};     // 4 MiB: under it enqueue answers no_room

    // --- of this process -----------------------------------------------------------------------
    Durability durability = Durability::power_loss;
    Ms lease_time{60'000};             // a lease ends after this, unless extended
    Ms turn_timeout{5'000};            // wait for the write lock, then Error busy
    Ms enqueue_timeout{30'000};        // overflow = block: wait for room, then refused
    std::string log_tag = "Moonshot";  // the word in brackets at the start of log lines
    Migrate migrate = Migrate::at_open;
    std::string label{};               // who we are in `owners`; empty: program[pid]@host
    Log log{};                         // empty: spdlog's default logger
    std::shared_ptr<Clock> clock{};    // empty: system_clock()
    std::shared_ptr<Random> random{};  // empty: system_random()

    // Reads the variables PREFIX + name, e.g. MOONSHOT_MAX_BUFFER_SIZE (names: option_docs()).
    // Sets only what is present; throws Error misuse that names the variable, its value and what
    // is allowed. Reads nothing else and creates nothing.
    [[nodiscard]] static Options from_env(std::string_view prefix);
    // Sets one option by its name from text, as `headpond settings set` and from_env do: counts as
    // integers, times in seconds with decimals, words as listed. Throws Error misuse.
    void set(std::string_view name, std::string_view value);
};

// A row of the option table, for --help, `settings` and documents.
struct OptionDoc {
    std::string_view name{};      // as in Options and `settings`
    std::string_view variable{};  // after the prefix
    std::string_view unit{};      // "s", "bytes", "items", ... empty for words
    std::string default_value{};  // as one would write it
    std::string allowed{};        // range or words
    std::string_view about{};
    bool in_file = false;
};
[[nodiscard]] HEADPOND_API std::vector<OptionDoc> option_docs();

}  // namespace headpond
