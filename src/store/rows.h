// Rows as the engine sees them. All times are milliseconds by the queue clock.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace headpond::store {

using Millis = std::int64_t;

// The one row of `totals`. `Delta` has the same counters as changes.
struct Counters {
    std::int64_t enqueued = 0, redriven = 0, edited = 0;
    std::int64_t acked = 0, rejected = 0, evicted = 0, expired = 0, abandoned = 0, cancelled = 0;
    std::int64_t refused = 0, duplicates = 0, outcomes_unclaimed = 0;
    std::int64_t attempts = 0, failed_batches = 0;
    std::int64_t items = 0, bytes = 0, waiting_items = 0, leased_items = 0, leased_bytes = 0;
    std::int64_t age_sum = 0, outcomes = 0, dead_letters = 0;

    [[nodiscard]] std::int64_t entered() const noexcept { return enqueued + redriven + edited; }
    [[nodiscard]] std::int64_t left() const noexcept {
        return acked + rejected + evicted + expired + abandoned + cancelled;
    }
    // Items of no batch; under 0 after some hand edits, until a recount.
    [[nodiscard]] std::int64_t ready() const noexcept {
        return items - waiting_items - leased_items;
    }
};

struct CounterColumn {
    std::string_view name;
    std::int64_t Counters::*member;
};
inline constexpr std::array<CounterColumn, 22> counter_columns{{
    {"enqueued", &Counters::enqueued},
    {"redriven", &Counters::redriven},
    {"edited", &Counters::edited},
    {"acked", &Counters::acked},
    {"rejected", &Counters::rejected},
    {"evicted", &Counters::evicted},
    {"expired", &Counters::expired},
    {"abandoned", &Counters::abandoned},
    {"cancelled", &Counters::cancelled},
    {"refused", &Counters::refused},
    {"duplicates", &Counters::duplicates},
    {"outcomes_unclaimed", &Counters::outcomes_unclaimed},
    {"attempts", &Counters::attempts},
    {"failed_batches", &Counters::failed_batches},
    {"items", &Counters::items},
    {"bytes", &Counters::bytes},
    {"waiting_items", &Counters::waiting_items},
    {"leased_items", &Counters::leased_items},
    {"leased_bytes", &Counters::leased_bytes},
    {"age_sum", &Counters::age_sum},
    {"outcomes", &Counters::outcomes},
    {"dead_letters", &Counters::dead_letters},
}};

// Ids of a table: the last one issued, and up to which one no other writer takes any.
struct Ids {
    std::int64_t last = 0, reserved = 0;
};

struct Totals : Counters {
    Millis age_base = 0;
    Millis last_cleanup_at = 0;
    std::int64_t settings_version = 0;
    std::int64_t db_bytes = 0, wal_bytes = 0;
    Millis sampled_at = 0;
    Ids item_ids, batch_ids;
};

// `bytes` is the payload's length; survey() leaves source_tag and payload empty, load() fills them.
struct ItemRow {
    std::int64_t id = 0;
    std::string key;
    std::int64_t bytes = 0;
    Millis enqueued_at = 0;
    bool tracked = false;
    std::optional<Millis> published_at;
    std::optional<Millis> stale_at;
    std::string source_tag;
    std::string payload;
};
// What insert() needs; borrows.
struct NewRow {
    std::string_view key, source_tag, payload;
    Millis enqueued_at = 0;
    bool tracked = false;
    std::optional<Millis> published_at;
    std::optional<Millis> stale_at;
};

// What became of an item.
struct NewOutcome {
    std::int64_t item_id = 0;
    std::string_view key;
    bool resolved = false;
    std::string_view reason;  // where it is not
    std::string_view result;  // where it is
    std::optional<Millis> published_at;
    Millis queued_at = 0;
    Millis settled_at = 0;
};

struct BatchRow {
    std::int64_t id = 0;
    bool leased = false;
    std::int64_t first_id = 0, last_id = 0;
    std::int64_t items = 0, bytes = 0;
    std::int64_t attempts = 0, releases = 0;
    std::optional<std::int64_t> attempts_max;
    std::optional<std::int64_t> parent_id;
    std::optional<std::int64_t> attempt_id;  // the row of `attempts` of the current delivery
    std::string lease_token;                 // empty: no token is honoured
    std::optional<std::int64_t> lease_owner;
    std::optional<Millis> leased_at;
    std::optional<Millis> lease_expires_at;
    std::optional<Millis> not_before;
    Millis created_at = 0;
    std::string last_error;
};

enum class AttemptOutcome {
    acked,
    partial,
    nacked,
    lapsed,
    owner_died,
    released,
    split,
    abandoned
};
[[nodiscard]] std::string_view to_string(AttemptOutcome outcome) noexcept;

struct AttemptRow {
    std::int64_t batch_id = 0;
    std::int64_t attempt = 0;
    std::string owner;
    Millis started_at = 0;
    std::int64_t items = 0;
};

struct DeadRow {
    ItemRow item;
    std::string reason;
    std::optional<std::int64_t> batch_id;
    std::int64_t attempts = 0;
    std::string last_error;
    Millis died_at = 0;
};

struct OutcomeRow {
    std::int64_t item_id = 0;
    std::string key;
    bool resolved = false;
    std::string reason;
    std::string result;
    std::optional<Millis> published_at;
    Millis queued_at = 0;
    Millis settled_at = 0;
};

struct GateRow {
    enum class State { open, closed, half_open } state = State::open;
    std::optional<Millis> until;
    std::string reason;
    std::string changed_by;
    Millis changed_at = 0;
    std::optional<std::int64_t> trial_batch_id;
    std::int64_t failures = 0;
    std::int64_t closures = 0;
};
[[nodiscard]] std::string_view to_string(GateRow::State state) noexcept;

struct ClockRow {
    std::string boot;
    Millis offset = 0;
    Millis anchored_at = 0;
    Millis seen_at = 0;
    Millis skew = 0;
};

struct OwnerRow {
    std::int64_t id = 0;
    std::string label;
    Millis opened_at = 0;
    std::int64_t lock_inode = 0;
};

struct SettingRow {
    std::string name;
    std::string value;  // as text
    std::string unit;
    std::string minimum, maximum;  // numbers; both empty for words
    std::string allowed;           // words joined by '|'; empty for numbers
    Millis changed_at = 0;
    std::string changed_by;
};

// Sums over a range of items.
struct RangeSum {
    std::int64_t items = 0;
    std::int64_t bytes = 0;
    std::int64_t enqueued_at_sum = 0;  // relative to the age base
    std::int64_t tracked = 0;
};

// A place in the order of deaths. The default precedes all.
struct DeadPosition {
    Millis died_at = std::numeric_limits<Millis>::min();
    std::int64_t item_id = 0;
};
// Which dead letters: oldest death first, or of a key in the order of its items.
struct DeadQuery {
    std::string_view key = {};     // empty: any
    std::string_view reason = {};  // empty: any
    std::int64_t limit = 0;
    DeadPosition after = {};  // those that follow it
};

}  // namespace headpond::store
