// The store's verbs on one SQLite connection.
#pragma once

#include "store/sqlite/resident_keys.h"
#include "store/sqlite/statements.h"
#include "store/store.h"

#include <span>
#include <string>
#include <string_view>

namespace headpond::store::sqlite {

class SqliteTransaction final : public Transaction {
  public:
    // `keys`: the writer's, none for a reader.
    SqliteTransaction(SQLite::Database& database, Statements& statements, std::string_view path,
                      ResidentKeys* keys)
        : database_(database), sql_(statements), path_(path), keys_(keys) {}

    // The connection, for views and for guests.
    [[nodiscard]] SQLite::Database& database() noexcept { return database_; }

    // Around each transaction of the writer. False: somebody else wrote since the last one, or that
    // one was undone.
    bool begun();
    void committing() { write_totals(); }
    void committed() noexcept {
        version_ = file_version();
        committed_ = true;
    }
    // After a commit that changed the file: the pages of the database now, 0 where unknown.
    void wrote(std::int64_t pages) noexcept { pages_ = pages; }
    // Of the database when it was last asked for or written, while nobody else writes.
    [[nodiscard]] std::int64_t pages();
    // From here to its end a guest reads and writes the tables too.
    void lend();

    Totals totals() override;
    GateRow gate() override;
    ClockRow clock() override;
    Millis newest_enqueued_at() override;
    std::int64_t watermark() override;
    bool keys_indexed() override;
    std::int64_t file_bytes(std::int64_t exact_from) override;

    std::optional<std::int64_t> insert(const NewRow& row) override;
    std::vector<std::optional<std::int64_t>> insert_all(std::span<const NewRow> rows) override;
    std::optional<ItemRow> find(std::string_view key) override;
    std::vector<ItemRow> survey(std::int64_t first, std::int64_t last, std::int64_t limit) override;
    std::vector<ItemRow> load(std::int64_t first, std::int64_t last, std::int64_t limit,
                              std::int64_t bytes_max) override;
    bool more_items_than(std::int64_t count) override;
    RangeSum sum(std::int64_t first, std::int64_t last, Millis base) override;
    RangeSum sum_of_batch(std::int64_t first, std::int64_t last, Millis base) override;
    std::vector<ItemRow> stale(Millis now, std::int64_t limit) override;
    std::int64_t remove_items(std::int64_t first, std::int64_t last) override;

    std::int64_t next_batch_id() override;
    void add_batch(const BatchRow& row) override;
    void save_batch(const BatchRow& row) override;
    void remove_batch(std::int64_t id) override;
    std::optional<BatchRow> batch(std::int64_t id) override;
    std::optional<BatchRow> batch_of(std::int64_t item_id) override;
    std::optional<BatchRow> due(Millis now) override;
    std::optional<Millis> next_due() override;
    std::optional<Millis> next_lapse() override;
    std::vector<BatchRow> lapsed(Millis now, std::int64_t limit) override;
    std::vector<BatchRow> held_by(std::int64_t owner, std::int64_t limit) override;
    std::vector<BatchRow> waiting(std::int64_t after, std::int64_t limit) override;
    std::vector<BatchRow> batches(std::int64_t after, std::int64_t limit) override;
    std::vector<BatchRow> batches_by_id(std::int64_t after, std::int64_t limit) override;

    std::int64_t add_attempt(const AttemptRow& row) override;
    void finish_attempt(std::int64_t id, Millis finished_at, AttemptOutcome outcome,
                        std::string_view error, std::int64_t items) override;
    std::int64_t prune_attempts(std::int64_t keep, std::int64_t limit) override;
    void bury(const DeadRow& row) override;
    std::vector<DeadRow> dead(const DeadQuery& query) override;
    std::int64_t count_dead(const DeadQuery& query) override;
    std::optional<Millis> died_at(std::int64_t item_id) override;
    std::int64_t remove_dead(std::int64_t item_id) override;
    std::vector<std::int64_t> dead_before(Millis before, std::int64_t limit) override;
    void add_outcomes(std::span<const NewOutcome> rows) override;
    std::vector<OutcomeRow> outcomes(std::int64_t after, std::int64_t limit) override;
    std::vector<OutcomeRow> outcomes_of(std::string_view key) override;
    std::int64_t remove_outcomes(std::int64_t first_item_id, std::int64_t last_item_id) override;
    std::int64_t count_outcomes() override;

    void apply(const Counters& delta) override;
    void set_age_base(Millis base, std::int64_t age_sum) override;
    void set_last_cleanup(Millis at) override;
    void set_sample(std::int64_t db_bytes, std::int64_t wal_bytes, Millis at) override;
    void set_gate(const GateRow& row) override;
    void set_clock(const ClockRow& row) override;
    std::int64_t add_owner(const OwnerRow& row) override;
    std::vector<OwnerRow> owners() override;
    void remove_owner(std::int64_t id) override;
    std::vector<SettingRow> settings() override;
    void set_setting(const SettingRow& row) override;
    void index_keys(bool unique) override;
    void map_keys(bool on) override;

    void nested(const std::function<void()>& fn) override;

  private:
    [[nodiscard]] std::optional<std::int64_t> known(std::string_view key);
    // The tables of one row, as they are while no other connection changes the file.
    struct Kept {
        std::optional<Totals> totals;
        std::optional<GateRow> gate;
        std::optional<ClockRow> clock;
        bool counted = false;  // the totals hold changes that their table does not
    };
    [[nodiscard]] bool keeps() const noexcept { return keys_ != nullptr && !lent_; }
    [[nodiscard]] unsigned file_version() const noexcept;
    template <class Change>
    void change_totals(const Change& change);
    void read_issued(Totals& totals);
    void issued(Ids Totals::*ids, const char* table, std::int64_t last);
    void write_totals();
    // Before a statement that changes the totals by itself.
    void forget_totals();

    [[nodiscard]] bool mapped() const noexcept { return keys_ != nullptr && keys_->on(); }
    [[nodiscard]] std::int64_t last_id() const noexcept;
    std::optional<Millis> first_millis(Sql sql);
    [[nodiscard]] std::int64_t count_pages();
    template <class... Values>
    std::vector<BatchRow> batch_rows(Sql sql, const Values&... values);
    void insert_many(Sql sql, std::span<const NewRow> rows,
                     std::vector<std::optional<std::int64_t>>& ids);
    RangeSum sums(Sql sql, std::int64_t first, std::int64_t last, Millis base);
    // Runs a statement without rows; answers the number of rows changed.
    template <class... Values>
    std::int64_t change(Sql sql, const Values&... values) {
        Run run(sql_[sql]);
        return run.bind(values...).change();
    }

    SQLite::Database& database_;
    Statements& sql_;
    std::string path_;
    ResidentKeys* keys_;
    std::int64_t pages_ = 0;  // 0: to be counted
    bool lent_ = false;
    Kept kept_;
    bool committed_ = false;  // the last transaction
    unsigned version_ = 0;    // of the file after it
};

}  // namespace headpond::store::sqlite
