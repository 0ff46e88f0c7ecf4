#include "store/sqlite/transaction.h"

#include "store/sqlite/schema.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

namespace headpond::store::sqlite {

namespace {

BatchRow batch_row(Run& run) {
    BatchRow row;
    row.id = run.integer(0);
    row.leased = run.text(1) == "leased";
    row.first_id = run.integer(2);
    row.last_id = run.integer(3);
    row.items = run.integer(4);
    row.bytes = run.integer(5);
    row.attempts = run.integer(6);
    row.releases = run.integer(7);
    row.attempts_max = run.maybe(8);
    row.parent_id = run.maybe(9);
    row.attempt_id = run.maybe(10);
    row.lease_token = run.text(11);
    row.lease_owner = run.maybe(12);
    row.leased_at = run.maybe(13);
    row.lease_expires_at = run.maybe(14);
    row.not_before = run.maybe(15);
    row.created_at = run.integer(16);
    row.last_error = run.text(17);
    return row;
}

std::optional<std::string_view> text_or_null(const std::string& text) {
    if (text.empty()) return std::nullopt;
    return text;
}

}  // namespace

// --- helpers -------------------------------------------------------------------------------------

std::int64_t SqliteTransaction::last_id() const noexcept {
    return database_.getLastInsertRowid();
}

std::optional<Millis> SqliteTransaction::first_millis(Sql sql) {
    Run run(sql_[sql]);
    if (!run.step()) return std::nullopt;
    return run.maybe(0);
}

template <class... Values>
std::vector<BatchRow> SqliteTransaction::batch_rows(Sql sql, const Values&... values) {
    std::vector<BatchRow> rows;
    Run run(sql_[sql]);
    run.bind(values...);
    while (run.step()) rows.push_back(batch_row(run));
    return rows;
}

namespace {
std::optional<BatchRow> first_of(std::vector<BatchRow>&& rows) {
    if (rows.empty()) return std::nullopt;
    return std::move(rows.front());
}
}  // namespace

// --- rows that are kept --------------------------------------------------------------------------

bool SqliteTransaction::begun() {
    lent_ = false;
    const bool unchanged = committed_ && file_version() == version_;
    if (!unchanged) {
        kept_ = {};
        pages_ = 0;
    }
    committed_ = false;
    return unchanged;
}

// SQLite's cache of pages lives by the same number: it moves with each commit, ours or another's.
unsigned SqliteTransaction::file_version() const noexcept {
    unsigned version = 0;
    sqlite3_file_control(database_.getHandle(), "main", SQLITE_FCNTL_DATA_VERSION, &version);
    return version;
}

void SqliteTransaction::lend() {
    write_totals();
    kept_ = {};
    lent_ = true;
}

// Once a transaction, however many operations it holds.
void SqliteTransaction::write_totals() {
    if (!kept_.counted) return;
    Run run(sql_[Sql::write_totals]);
    int index = 0;
    const Totals& totals = *kept_.totals;
    for (const auto& counter : counter_columns) run.bind_one(++index, totals.*counter.member);
    run.bind_next(index, totals.item_ids.last, totals.item_ids.reserved, totals.batch_ids.last,
                  totals.batch_ids.reserved);
    run.step();
    kept_.counted = false;
}

template <class Change>
void SqliteTransaction::change_totals(const Change& change) {
    Totals next = totals();
    change(next);
    kept_.totals = next;
    kept_.counted = true;
    if (keeps()) return;
    try {
        forget_totals();
    } catch (...) {
        kept_ = {};
        throw;
    }
}

// What others issued: the shell and older releases by sqlite_sequence, hand edits by any number.
void SqliteTransaction::read_issued(Totals& totals) {
    Run run(sql_[Sql::issued_ids]);
    if (!run.step()) return;
    const auto follow = [](Ids& ids, std::int64_t sequence) {
        if (sequence != ids.reserved) ids.last = std::max(ids.last, sequence);
        ids.reserved = sequence;
    };
    follow(totals.item_ids, run.integer(0));
    follow(totals.batch_ids, run.integer(1));
    totals.item_ids.last = std::max({totals.item_ids.last, run.integer(2), run.integer(3)});
    totals.batch_ids.last = std::max(totals.batch_ids.last, run.integer(4));
}

// An id above its sequence moves that by itself; it is moved on, so that the next ones need not.
void SqliteTransaction::issued(Ids Totals::*ids, const char* table, std::int64_t last) {
    constexpr std::int64_t stock = 1000;
    change_totals([&](Totals& totals) {
        (totals.*ids).last = std::max((totals.*ids).last, last);
        if (last <= (totals.*ids).reserved) return;
        (totals.*ids).reserved = last + stock;
        change(Sql::reserve_ids, last + stock, table);
    });
}

void SqliteTransaction::forget_totals() {
    write_totals();
    kept_.totals.reset();
}

// --- facts ---------------------------------------------------------------------------------------

Totals SqliteTransaction::totals() {
    if (kept_.totals) return *kept_.totals;
    Totals totals;
    Run run(sql_[Sql::totals]);
    if (!run.step()) throw Error(ErrorCode::corrupt, "totals", path_, "the row of totals is gone");
    int column = 0;
    for (const auto& counter : counter_columns) totals.*counter.member = run.integer(column++);
    totals.age_base = run.integer(column++);
    totals.last_cleanup_at = run.integer(column++);
    totals.settings_version = run.integer(column++);
    totals.db_bytes = run.integer(column++);
    totals.wal_bytes = run.integer(column++);
    totals.sampled_at = run.integer(column++);
    for (Ids* ids : {&totals.item_ids, &totals.batch_ids}) {
        ids->last = run.integer(column++);
        ids->reserved = run.integer(column++);
    }
    if (keys_ != nullptr) read_issued(totals);
    if (keeps()) kept_.totals = totals;
    return totals;
}

GateRow SqliteTransaction::gate() {
    if (kept_.gate) return *kept_.gate;
    GateRow row;
    Run run(sql_[Sql::gate]);
    if (!run.step()) throw Error(ErrorCode::corrupt, "gate", path_, "the row of gate is gone");
    const std::string state = run.text(0);
    row.state = state == "closed"      ? GateRow::State::closed
                : state == "half_open" ? GateRow::State::half_open
                                       : GateRow::State::open;
    row.until = run.maybe(1);
    row.reason = run.text(2);
    row.changed_by = run.text(3);
    row.changed_at = run.integer(4);
    row.trial_batch_id = run.maybe(5);
    row.failures = run.integer(6);
    row.closures = run.integer(7);
    if (keeps()) kept_.gate = row;
    return row;
}

ClockRow SqliteTransaction::clock() {
    if (kept_.clock) return *kept_.clock;
    ClockRow row;
    Run run(sql_[Sql::clock]);
    if (!run.step()) throw Error(ErrorCode::corrupt, "clock", path_, "the row of clock is gone");
    row.boot = run.text(0);
    row.offset = run.integer(1);
    row.anchored_at = run.integer(2);
    row.seen_at = run.integer(3);
    row.skew = run.integer(4);
    if (keeps()) kept_.clock = row;
    return row;
}

Millis SqliteTransaction::newest_enqueued_at() {
    return first_millis(Sql::newest).value_or(0);
}

std::int64_t SqliteTransaction::watermark() {
    return first_millis(Sql::watermark).value_or(0);
}

bool SqliteTransaction::keys_indexed() {
    return Run(sql_[Sql::keys_indexed]).step();
}

// SQLite prepares a pragma anew each time that it runs.
std::int64_t SqliteTransaction::count_pages() {
    return first_millis(Sql::page_count).value_or(0);
}

// What is counted in a transaction may be undone with it, and is not kept.
std::int64_t SqliteTransaction::pages() {
    if (pages_ != 0) return pages_;
    const std::int64_t counted = count_pages();
    if (sqlite3_get_autocommit(database_.getHandle()) != 0) pages_ = counted;
    return counted;
}

std::int64_t SqliteTransaction::file_bytes(std::int64_t exact_from) {
    const std::int64_t bytes = pages() * page_bytes;
    if (bytes < exact_from) return bytes;
    return (count_pages() - first_millis(Sql::free_pages).value_or(0)) * page_bytes;
}

// --- batches -------------------------------------------------------------------------------------

std::int64_t SqliteTransaction::next_batch_id() {
    return totals().batch_ids.last + 1;
}

void SqliteTransaction::add_batch(const BatchRow& row) {
    change(Sql::add_batch, row.id, row.leased ? "leased" : "waiting", row.first_id, row.last_id,
           row.items, row.bytes, row.attempts, row.releases, row.attempts_max, row.parent_id,
           row.attempt_id, text_or_null(row.lease_token), row.lease_owner, row.leased_at,
           row.lease_expires_at, row.not_before, row.created_at, text_or_null(row.last_error));
    issued(&Totals::batch_ids, "batches", row.id);
}

void SqliteTransaction::save_batch(const BatchRow& row) {
    change(Sql::save_batch, row.id, row.leased ? "leased" : "waiting", row.first_id, row.last_id,
           row.items, row.bytes, row.attempts, row.releases, row.attempts_max, row.parent_id,
           row.attempt_id, text_or_null(row.lease_token), row.lease_owner, row.leased_at,
           row.lease_expires_at, row.not_before, row.created_at, text_or_null(row.last_error));
}

void SqliteTransaction::remove_batch(std::int64_t id) {
    change(Sql::remove_batch, id);
}

std::optional<BatchRow> SqliteTransaction::batch(std::int64_t id) {
    return first_of(batch_rows(Sql::batch, id));
}

std::optional<BatchRow> SqliteTransaction::batch_of(std::int64_t item_id) {
    auto row = first_of(batch_rows(Sql::batch_at_or_below, item_id));
    if (row && row->last_id < item_id) row.reset();
    return row;
}

std::optional<BatchRow> SqliteTransaction::due(Millis now) {
    return first_of(batch_rows(Sql::due_batch, now));
}

std::optional<Millis> SqliteTransaction::next_due() {
    return first_millis(Sql::next_due);
}
std::optional<Millis> SqliteTransaction::next_lapse() {
    return first_millis(Sql::next_lapse);
}

std::vector<BatchRow> SqliteTransaction::lapsed(Millis now, std::int64_t limit) {
    return batch_rows(Sql::lapsed_batches, now, limit);
}
std::vector<BatchRow> SqliteTransaction::held_by(std::int64_t owner, std::int64_t limit) {
    return batch_rows(Sql::batches_held_by, owner, limit);
}
std::vector<BatchRow> SqliteTransaction::waiting(std::int64_t after, std::int64_t limit) {
    return batch_rows(Sql::waiting_batches, after, limit);
}
std::vector<BatchRow> SqliteTransaction::batches(std::int64_t after, std::int64_t limit) {
    return batch_rows(Sql::all_batches, after, limit);
}
std::vector<BatchRow> SqliteTransaction::batches_by_id(std::int64_t after, std::int64_t limit) {
    return batch_rows(Sql::batches_by_id, after, limit);
}

// --- attempts, dead letters ----------------------------------------------------------------------

std::int64_t SqliteTransaction::add_attempt(const AttemptRow& row) {
    change(Sql::add_attempt, row.batch_id, row.attempt, row.owner, row.started_at, row.items);
    return last_id();
}

void SqliteTransaction::finish_attempt(std::int64_t id, Millis finished_at, AttemptOutcome outcome,
                                       std::string_view error, std::int64_t items) {
    const std::string text(error);
    change(Sql::finish_attempt, id, finished_at, to_string(outcome), text_or_null(text), items);
}

std::int64_t SqliteTransaction::prune_attempts(std::int64_t keep, std::int64_t limit) {
    const std::int64_t newest = first_millis(Sql::newest_attempt).value_or(0);
    if (newest <= keep) return 0;
    return change(Sql::prune_attempts, newest - keep, limit);
}

void SqliteTransaction::bury(const DeadRow& row) {
    const ItemRow& item = row.item;
    change(Sql::bury, item.id, item.key, item.source_tag, Blob{item.payload}, item.enqueued_at,
           item.tracked, item.published_at, item.stale_at, row.reason, row.batch_id, row.attempts,
           text_or_null(row.last_error), row.died_at);
}

std::vector<DeadRow> SqliteTransaction::dead(const DeadQuery& query) {
    std::vector<DeadRow> rows;
    Run run(sql_[query.key.empty() ? Sql::dead_all : Sql::dead_of_key]);
    if (query.key.empty()) {
        run.bind(query.after.died_at, query.after.item_id, query.reason, query.limit);
    } else {
        run.bind(query.key, query.after.item_id, query.reason, query.limit);
    }
    while (run.step()) {
        DeadRow row;
        row.item.id = run.integer(0);
        row.item.key = run.text(1);
        row.item.source_tag = run.text(2);
        row.item.payload = run.text(3);
        row.item.bytes = static_cast<std::int64_t>(row.item.payload.size());
        row.item.enqueued_at = run.integer(4);
        row.item.tracked = run.integer(5) != 0;
        row.item.published_at = run.maybe(6);
        row.item.stale_at = run.maybe(7);
        row.reason = run.text(8);
        row.batch_id = run.maybe(9);
        row.attempts = run.integer(10);
        row.last_error = run.text(11);
        row.died_at = run.integer(12);
        rows.push_back(std::move(row));
    }
    return rows;
}

std::int64_t SqliteTransaction::count_dead(const DeadQuery& query) {
    Run run(sql_[Sql::count_dead]);
    run.bind(query.key, query.reason);
    run.step();
    return run.integer(0);
}

std::optional<Millis> SqliteTransaction::died_at(std::int64_t item_id) {
    Run run(sql_[Sql::died_at]);
    run.bind(item_id);
    if (!run.step()) return std::nullopt;
    return run.integer(0);
}

std::int64_t SqliteTransaction::remove_dead(std::int64_t item_id) {
    return change(Sql::remove_dead, item_id);
}

std::vector<std::int64_t> SqliteTransaction::dead_before(Millis before, std::int64_t limit) {
    std::vector<std::int64_t> ids;
    Run run(sql_[Sql::dead_before]);
    run.bind(before, limit);
    while (run.step()) ids.push_back(run.integer(0));
    return ids;
}

// --- single rows, owners, settings ---------------------------------------------------------------

void SqliteTransaction::apply(const Counters& delta) {
    if (delta.entered() - delta.left() != delta.items) {
        throw Error(ErrorCode::corrupt, "ledger", path_,
                    "a change of the counters does not balance: a defect of this library");
    }
    change_totals([&](Totals& totals) {
        for (const auto& counter : counter_columns) {
            totals.*counter.member += delta.*counter.member;
        }
    });
}

void SqliteTransaction::set_age_base(Millis base, std::int64_t age_sum) {
    forget_totals();
    change(Sql::set_age_base, base, age_sum);
}
void SqliteTransaction::set_last_cleanup(Millis at) {
    forget_totals();
    change(Sql::set_last_cleanup, at);
}
void SqliteTransaction::set_sample(std::int64_t db_bytes, std::int64_t wal_bytes, Millis at) {
    forget_totals();
    change(Sql::set_sample, db_bytes, wal_bytes, at);
}

void SqliteTransaction::set_gate(const GateRow& row) {
    change(Sql::set_gate, to_string(row.state), row.until, text_or_null(row.reason),
           text_or_null(row.changed_by), row.changed_at, row.trial_batch_id, row.failures,
           row.closures);
    if (keeps()) kept_.gate = row;
}

void SqliteTransaction::set_clock(const ClockRow& row) {
    change(Sql::set_clock, row.boot, row.offset, row.anchored_at, row.seen_at, row.skew);
    if (keeps()) kept_.clock = row;
}

std::int64_t SqliteTransaction::add_owner(const OwnerRow& row) {
    change(Sql::add_owner, row.label, row.opened_at, row.lock_inode);
    return last_id();
}

std::vector<OwnerRow> SqliteTransaction::owners() {
    std::vector<OwnerRow> rows;
    Run run(sql_[Sql::owners]);
    while (run.step()) {
        rows.push_back({.id = run.integer(0),
                        .label = run.text(1),
                        .opened_at = run.integer(2),
                        .lock_inode = run.exact(3)});
    }
    return rows;
}

void SqliteTransaction::remove_owner(std::int64_t id) {
    change(Sql::remove_owner, id);
}

std::vector<SettingRow> SqliteTransaction::settings() {
    std::vector<SettingRow> rows;
    Run run(sql_[Sql::settings]);
    while (run.step()) {
        rows.push_back({.name = run.text(0),
                        .value = run.text(1),
                        .unit = run.text(2),
                        .minimum = run.text(3),
                        .maximum = run.text(4),
                        .allowed = run.text(5),
                        .changed_at = run.integer(6),
                        .changed_by = run.text(7)});
    }
    return rows;
}

namespace {

// Numbers are stored as numbers, so that the shell compares and sums them.
void bind_number(Run& run, int index, const std::string& text) {
    if (text.empty()) {
        run.bind_one(index, std::nullopt);
    } else if (text.find_first_of(".eE") != std::string::npos) {
        run.bind_one(index, std::stod(text));
    } else {
        run.bind_one(index, static_cast<std::int64_t>(std::stoll(text)));
    }
}

}  // namespace

void SqliteTransaction::set_setting(const SettingRow& row) {
    forget_totals();  // a trigger moves their settings_version
    Run run(sql_[Sql::set_setting]);
    run.bind_one(1, row.name);
    if (row.allowed.empty()) {
        bind_number(run, 2, row.value);
    } else {
        run.bind_one(2, row.value);
    }
    run.bind_one(3, row.unit);
    bind_number(run, 4, row.minimum);
    bind_number(run, 5, row.maximum);
    run.bind_one(6, text_or_null(row.allowed));
    run.bind_one(7, row.changed_at);
    run.bind_one(8, row.changed_by);
    run.step();
}

void SqliteTransaction::map_keys(bool on) {
    if (keys_ != nullptr) keys_->use(on);
}

void SqliteTransaction::index_keys(bool unique) {
    if (unique == keys_indexed()) return;
    if (!unique) {
        database_.exec("DROP INDEX items_key");
        return;
    }
    try {
        database_.exec("CREATE UNIQUE INDEX items_key ON items (key)");
    } catch (const SQLite::Exception& failure) {
        if ((failure.getErrorCode() & 0xff) != SQLITE_CONSTRAINT) throw;
        throw Error(ErrorCode::misuse, "settings", path_,
                    "keys cannot be unique while two resident items share a key; allowed: keys = "
                    "free until they have left");
    }
}

void SqliteTransaction::nested(const std::function<void()>& fn) {
    sqlite3* handle = database_.getHandle();
    Run(sql_[Sql::savepoint]).step();
    Kept before = kept_;
    const auto undo = [&] {
        // SQLite has rolled everything back where no transaction is open any more.
        if (sqlite3_get_autocommit(handle) != 0) throw WholeRollback{};
        try {
            Run(sql_[Sql::rollback_to]).step();
            Run(sql_[Sql::release]).step();
        } catch (const SQLite::Exception&) {
            throw WholeRollback{};  // what was to be undone must not be committed with the rest
        }
        kept_ = std::move(before);
        if (keys_ != nullptr) keys_->undone();
    };
    try {
        fn();
    } catch (const SQLite::Exception& failure) {  // whoever catches it knows no SQLiteCpp
        undo();
        throw translate(failure.getExtendedErrorCode(), failure.what(), "write", path_);
    } catch (...) {
        undo();
        throw;
    }
    if (sqlite3_get_autocommit(handle) != 0) throw WholeRollback{};
    Run(sql_[Sql::release]).step();
}

}  // namespace headpond::store::sqlite
