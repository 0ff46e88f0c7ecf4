// What operators need: look, explain, repair. The command line is built on this and queue.h alone.
#pragma once

#include <headpond/clock.h>
#include <headpond/export.h>
#include <headpond/health.h>
#include <headpond/item.h>
#include <headpond/options.h>
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

// A batch as it stands.
struct ListedBatch {
    std::int64_t id = 0;
    std::string state{};  // waiting or leased
    std::int64_t items = 0;
    std::int64_t bytes = 0;
    int attempts = 0;      // charged; refunded ones are in `releases`
    int attempts_max = 0;  // deliveries that it may have
    int releases = 0;
    // Who holds the lease: the label of an open queue, `detached`, or `gone` where the label is no
    // longer known. Empty: waiting.
    std::string owner{};
    std::optional<WallTime> leased_at{};         // since when, and until when, it is leased;
    std::optional<WallTime> lease_expires_at{};  // by the queue clock, as all times here
    std::optional<WallTime> not_before{};        // when a waiting batch is due
    WallTime created_at{};
    std::string last_error{};
    // due, backing off, gate closed, attempts used, lease running or lease overdue
    std::string why{};
    // When a lease can find it: now, in 8s, when reopened, after trial; `last attempt` of a leased
    // batch that only a release brings back, `never` of a waiting one that will be given up.
    std::string leasable{};
};
struct BatchPage {
    std::vector<ListedBatch> batches{};
    bool more = false;  // others follow; go on after the last one's id
    WallTime now{};     // by the queue clock
    // Items of no batch yet that the gate holds back, with `leasable` as above and the gate's
    // reason. 0: the gate lets them through, or there are none.
    std::int64_t ready_held = 0;
    std::string ready_leasable{};
    std::string gate_reason{};
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
    std::int64_t remaining = 0;   // matched, but the queue is full or the payload is too large now
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

    // The oldest items with an id above `after`, at most `limit`.
    [[nodiscard]] std::vector<PeekedItem> peek(std::size_t limit, std::int64_t after = 0) const;
    // Batches with an id above `after`, in the order of their ids, at most `limit`.
    [[nodiscard]] BatchPage batches(std::size_t limit, std::int64_t after = 0) const;
    [[nodiscard]] Why why(std::string_view key) const;
    // Whether a tracked item of this key is in the queue, so that its outcome is yet to come. An
    // earlier item of the same key may have an outcome all the same.
    [[nodiscard]] bool pending(std::string_view key) const;
    // The newest that is not forgotten.
    [[nodiscard]] std::optional<Outcome> outcome(std::string_view key) const;
    // The rows of one of our views, e.g. "leases". misuse: not a view of ours.
    [[nodiscard]] Table view(std::string_view name) const;

    // Those that follow the dead letter of item `after` in the same order; from the oldest where
    // that is 0. misuse: no dead letter has that item id.
    [[nodiscard]] std::vector<DeadLetter> dead(const DeadFilter& filter,
                                               std::int64_t after = 0) const;
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
// Creates or migrates the file of `options`, by their log; answers the versions applied.
HEADPOND_API std::vector<Migration> migrate(Options options);
// The same with default options.
HEADPOND_API std::vector<Migration> migrate(const std::filesystem::path& path);

}  // namespace headpond
