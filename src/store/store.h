// The seam between what is decided (src/engine) and where it is kept (src/store/sqlite). A second
// store implements these two classes; the conformance suite in tests/store runs on both.
#pragma once

#include "store/rows.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::store {

inline constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

// One transaction. Never commits by itself, so that group commit and transact wrap any operation.
// Its verbs select and change, and decide nothing. Not thread-safe; lives inside Store::write or
// read. Verbs throw Error; after a throw only a rollback is allowed.
class Transaction {
  public:
    Transaction() = default;
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    virtual ~Transaction() = default;

    // --- facts ---------------------------------------------------------------------------------
    [[nodiscard]] virtual Totals totals() = 0;
    [[nodiscard]] virtual GateRow gate() = 0;
    [[nodiscard]] virtual ClockRow clock() = 0;
    // 0 where there is no item.
    [[nodiscard]] virtual Millis newest_enqueued_at() = 0;
    // The last_id of the batch with the highest first_id, 0 without batches: ready items are above.
    [[nodiscard]] virtual std::int64_t watermark() = 0;
    [[nodiscard]] virtual bool keys_indexed() = 0;
    // Bytes of the database file as this transaction sees it, without its free pages. Less than
    // `exact_from` may be told as more, or as of some commits ago: that costs nothing.
    [[nodiscard]] virtual std::int64_t file_bytes(std::int64_t exact_from) = 0;

    // --- items, in the order of their ids --------------------------------------------------------
    // nullopt: the key is resident.
    virtual std::optional<std::int64_t> insert(const NewRow& row) = 0;
    // The same of many, each with its answer.
    virtual std::vector<std::optional<std::int64_t>> insert_all(std::span<const NewRow> rows) = 0;
    [[nodiscard]] virtual std::optional<ItemRow> find(std::string_view key) = 0;
    [[nodiscard]] virtual std::vector<ItemRow> survey(std::int64_t first, std::int64_t last,
                                                      std::int64_t limit) = 0;
    [[nodiscard]] virtual std::vector<ItemRow> load(std::int64_t first, std::int64_t last,
                                                    std::int64_t limit, std::int64_t bytes_max) = 0;
    // Whether more rows than `count` are there, whatever the counters say.
    [[nodiscard]] virtual bool more_items_than(std::int64_t count) = 0;
    // Exact at any number of items. Fails where hand edits made a sum overflow.
    [[nodiscard]] virtual RangeSum sum(std::int64_t first, std::int64_t last, Millis base) = 0;
    // The same of one batch: exact, but for hand edits, which never make it fail.
    [[nodiscard]] virtual RangeSum sum_of_batch(std::int64_t first, std::int64_t last,
                                                Millis base) = 0;
    // Items whose stale_at has come, oldest first.
    [[nodiscard]] virtual std::vector<ItemRow> stale(Millis now, std::int64_t limit) = 0;
    // Answers the number of rows really deleted.
    virtual std::int64_t remove_items(std::int64_t first, std::int64_t last) = 0;

    // --- batches ---------------------------------------------------------------------------------
    // The id that add_batch will be given: the token holds it. Never issued twice.
    [[nodiscard]] virtual std::int64_t next_batch_id() = 0;
    virtual void add_batch(const BatchRow& row) = 0;
    virtual void save_batch(const BatchRow& row) = 0;
    virtual void remove_batch(std::int64_t id) = 0;
    [[nodiscard]] virtual std::optional<BatchRow> batch(std::int64_t id) = 0;
    // The batch with the highest first_id at or below the item's id, if its range holds the id.
    [[nodiscard]] virtual std::optional<BatchRow> batch_of(std::int64_t item_id) = 0;
    // The waiting batch that has been due longest.
    [[nodiscard]] virtual std::optional<BatchRow> due(Millis now) = 0;
    // When the next waiting batch is due, whether or not that has come.
    [[nodiscard]] virtual std::optional<Millis> next_due() = 0;
    // When the next lease lapses, whether or not that has come.
    [[nodiscard]] virtual std::optional<Millis> next_lapse() = 0;
    [[nodiscard]] virtual std::vector<BatchRow> lapsed(Millis now, std::int64_t limit) = 0;
    [[nodiscard]] virtual std::vector<BatchRow> held_by(std::int64_t owner, std::int64_t limit) = 0;
    // Waiting batches (or all) with first_id above `after`, in that order.
    [[nodiscard]] virtual std::vector<BatchRow> waiting(std::int64_t after, std::int64_t limit) = 0;
    [[nodiscard]] virtual std::vector<BatchRow> batches(std::int64_t after, std::int64_t limit) = 0;
    // All with an id above `after`, in the order of their ids.
    [[nodiscard]] virtual std::vector<BatchRow> batches_by_id(std::int64_t after,
                                                              std::int64_t limit) = 0;

    // --- attempts, dead letters, outcomes --------------------------------------------------------
    virtual std::int64_t add_attempt(const AttemptRow& row) = 0;
    // items < 0 leaves the number of the lease.
    virtual void finish_attempt(std::int64_t id, Millis finished_at, AttemptOutcome outcome,
                                std::string_view error, std::int64_t items) = 0;
    // Deletes the oldest attempts over `keep`, at most `limit`.
    virtual std::int64_t prune_attempts(std::int64_t keep, std::int64_t limit) = 0;

    virtual void bury(const DeadRow& row) = 0;
    [[nodiscard]] virtual std::vector<DeadRow> dead(const DeadQuery& query) = 0;
    // The number that match, wherever the query goes on from and whatever its limit.
    [[nodiscard]] virtual std::int64_t count_dead(const DeadQuery& query) = 0;
    // nullopt: no dead letter has this item id.
    [[nodiscard]] virtual std::optional<Millis> died_at(std::int64_t item_id) = 0;
    virtual std::int64_t remove_dead(std::int64_t item_id) = 0;
    // Item ids of the dead letters that died before `before`, oldest death first.
    [[nodiscard]] virtual std::vector<std::int64_t> dead_before(Millis before,
                                                                std::int64_t limit) = 0;

    virtual void add_outcomes(std::span<const NewOutcome> rows) = 0;
    // With item_id above `after`, in that order.
    [[nodiscard]] virtual std::vector<OutcomeRow> outcomes(std::int64_t after,
                                                           std::int64_t limit) = 0;
    [[nodiscard]] virtual std::vector<OutcomeRow> outcomes_of(std::string_view key) = 0;
    // Answers the number of rows really deleted.
    virtual std::int64_t remove_outcomes(std::int64_t first_item_id, std::int64_t last_item_id) = 0;
    [[nodiscard]] virtual std::int64_t count_outcomes() = 0;

    // --- the single rows, owners, settings -------------------------------------------------------
    // Adds to the counters. The only writer of them; asserts the ledger's equation first.
    virtual void apply(const Counters& delta) = 0;
    virtual void set_age_base(Millis base, std::int64_t age_sum) = 0;
    virtual void set_last_cleanup(Millis at) = 0;
    virtual void set_sample(std::int64_t db_bytes, std::int64_t wal_bytes, Millis at) = 0;
    virtual void set_gate(const GateRow& row) = 0;
    virtual void set_clock(const ClockRow& row) = 0;
    virtual std::int64_t add_owner(const OwnerRow& row) = 0;
    [[nodiscard]] virtual std::vector<OwnerRow> owners() = 0;
    virtual void remove_owner(std::int64_t id) = 0;
    [[nodiscard]] virtual std::vector<SettingRow> settings() = 0;
    // Inserts or changes one row.
    virtual void set_setting(const SettingRow& row) = 0;
    // Makes or drops the index on items.key. Throws misuse where resident keys repeat.
    virtual void index_keys(bool unique) = 0;
    // Whether insert and find, until the transaction ends, tell keys by a map in memory.
    virtual void map_keys(bool on) = 0;

    // Runs fn in a savepoint: what it throws undoes its changes alone and is rethrown. Throws
    // WholeRollback where the store has undone the whole transaction by itself.
    virtual void nested(const std::function<void()>& fn) = 0;
};

// The store rolled everything back (disk full, out of memory): no member of the transaction
// happened.
struct WholeRollback {};

// A table of text, for views.
struct TextTable {
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;
};

struct WriteOrder {
    std::string_view operation;  // for errors
    int busy_ms = 0;             // how long to wait for a foreign writer
};

// Where the queue is kept. write() by one thread at a time, the caller's affair; the rest from any.
class Store {
  public:
    Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    virtual ~Store() = default;

    // Runs fn in one transaction that holds the write lock from its first statement, and commits.
    // Whatever fn throws rolls back and is rethrown. The commit survives the death of the process;
    // a power cut, once a sync() that began after it has returned. Throws Error busy, disk_full,
    // io; outcome_unknown after a failed sync, from when on every call is refused.
    virtual void write(const WriteOrder& order, const std::function<void(Transaction&)>& fn) = 0;
    // By one thread at a time, beside the one that writes. Throws Error outcome_unknown.
    virtual void sync(std::string_view operation) = 0;
    // Runs fn on one consistent snapshot; its verbs that change throw.
    virtual void read(std::string_view operation, const std::function<void(Transaction&)>& fn) = 0;
    // Differs from what it answered before where a commit has been made in between.
    [[nodiscard]] virtual std::int64_t data_version() = 0;
    // Housekeeping of a writer that still holds its turn: keeps the log under `log_bytes_max`.
    // What fails is only late.
    virtual void relieve(std::int64_t log_bytes_max) noexcept = 0;
    // The bound above which a log left by a long reader is cut back, and what is kept of it.
    virtual void set_log_reserve(std::int64_t reserve, std::int64_t bytes_max) = 0;
    // Gives at most `pages` free pages back to the file system; answers how many.
    virtual std::int64_t shrink(std::int64_t pages) = 0;
    struct Size {
        std::int64_t db_bytes = 0, log_bytes = 0;
    };
    [[nodiscard]] virtual Size size() = 0;

    // --- for operators; from any thread ----------------------------------------------------------
    // The rows of one of our views as text; `wall` stands for now. Throws misuse for another name.
    [[nodiscard]] virtual TextTable view(std::string_view name, Millis wall) = 0;
    // The rows of the view `trail` for one key.
    [[nodiscard]] virtual TextTable trail(std::string_view key, Millis wall) = 0;
    struct Finding {
        std::string what, detail;  // one line
        bool warning = false;
    };
    // Integrity, schema, ranges, ledger: nothing found is well.
    [[nodiscard]] virtual std::vector<Finding> check() = 0;
    // A consistent copy at `target`, a path where no file is.
    virtual void backup(const std::string& target) = 0;
    struct Engine {
        std::string version;
        bool wal_reset_bug = false;
    };
    [[nodiscard]] virtual Engine engine() const = 0;

    // --- for guests ------------------------------------------------------------------------------
    // What headpond/sqlite.h hands out for a transaction of this store.
    [[nodiscard]] virtual void* guest_handle(Transaction& transaction) = 0;
    // After a guest has had the writer. Throws misuse where it left temporary objects that shadow
    // ours.
    virtual void check_guest(Transaction& transaction) = 0;
};

}  // namespace headpond::store
