// What operators need: look, explain, repair. The command line is built on this and queue.h alone.
#pragma once

#include <headpond/clock.h>
#include <headpond/export.h>
#include <headpond/health.h>
#include <headpond/item.h>
#include <headpond/queue.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headpond {

// A table as the shell would print it: column names, then rows of text.
struct Table {
    std::vector<std::string> columns{};
    std::vector<std::vector<std::string>> rows{};
};

struct PeekedItem {
    std::int64_t id = 0;
    std::string key{};
    std::string source_tag{};
    std::int64_t payload_bytes = 0;
    std::string state{};  // ready, waiting or leased
    std::optional<std::int64_t> batch{};
    WallTime enqueued_at{};
};

// All that is known of a key.
struct Why {
    std::string key{};
    std::string summary{};  // one sentence: where it is and why
    bool known = false;
    Table trail{};  // the rows of the view `trail`
};

struct DeadLetter {
    std::int64_t item_id = 0;
    std::string key{};
    std::string source_tag{};
    std::string payload{};
    std::string reason{};
    std::optional<std::int64_t> batch{};
    int attempts = 0;
    std::string last_error{};
    WallTime died_at{};
};
// Which dead letters; empty members match all.
struct DeadFilter {
    std::string key{};
    std::string reason{};
    std::size_t limit = 1000;  // at most this many, oldest death first
};
struct Redriven {
    std::int64_t redriven = 0;
    std::int64_t duplicates = 0;  // their key is resident; left as dead letters
    std::int64_t remaining = 0;   // matched, but the queue is full
};

struct Setting {
    std::string name{};
    std::string value{};
    std::string unit{};
    std::string allowed{};
    WallTime changed_at{};
    std::string changed_by{};
};

struct Gate {
    std::string state{};  // open, closed, half_open
    std::optional<WallTime> until{};
    std::string reason{};
    std::string changed_by{};
};

struct CheckFinding {
    std::string what{};    // integrity, schema, ledger, ranges, ...
    std::string detail{};  // one line
    bool warning = false;  // a note; does not make the check fail
};
struct CheckReport {
    std::vector<CheckFinding> findings{};
    std::string sqlite_version{};
    bool wal_reset_bug = false;  // this SQLite has the WAL-reset bug; our checkpoints are guarded
    std::int64_t edited = 0;     // repair: booked hand edits (signed)
    [[nodiscard]] bool ok() const noexcept {
        for (const auto& finding : findings) {
            if (!finding.warning) return false;
        }
        return true;
    }
};

// Thread-safe. Throws as Queue; closed once the Queue it was made from is closed.
class HEADPOND_API Admin {
  public:
    explicit Admin(Queue& queue);

    [[nodiscard]] std::vector<PeekedItem> peek(std::size_t limit) const;
    [[nodiscard]] Why why(std::string_view key) const;
    [[nodiscard]] std::optional<Outcome> outcome(std::string_view key) const;
    // The rows of one of our views, e.g. "leases". misuse: not a view of ours.
    [[nodiscard]] Table view(std::string_view name) const;

    [[nodiscard]] std::vector<DeadLetter> dead(const DeadFilter& filter) const;
    [[nodiscard]] std::int64_t count_dead(const DeadFilter& filter) const;
    Redriven redrive(const DeadFilter& filter);
    std::int64_t purge(const DeadFilter& filter);

    [[nodiscard]] std::vector<Setting> settings() const;
    // `value` as text (see Options::set). `by` is kept in changed_by.
    void set(std::string_view name, std::string_view value, std::string_view by);

    [[nodiscard]] Gate gate() const;
    // Closes the gate for `duration`, or until resume().
    void pause(std::optional<Ms> duration, std::string_view reason, std::string_view by);
    void resume(std::string_view by);

    [[nodiscard]] CheckReport check() const;
    // Recounts and repairs whatever the size, then checks.
    CheckReport repair();
    // A consistent copy while others write. io: the target exists.
    void backup(const std::filesystem::path& target) const;

  private:
    std::shared_ptr<detail::Core> core_;
};

struct Migration {
    int version = 0;
    std::string name{};
    bool applied = false;
};
// What the file has and what this release knows; opens nothing for writing.
[[nodiscard]] HEADPOND_API std::vector<Migration> migrations(const std::filesystem::path& path);
// Creates or migrates; answers the versions applied.
HEADPOND_API std::vector<Migration> migrate(const std::filesystem::path& path);

}  // namespace headpond
