#include "store/sqlite/sqlite_store.h"

#include "store/sqlite/log_vfs.h"
#include "store/sqlite/schema.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

namespace headpond::store::sqlite {

namespace {

constexpr std::int64_t frame_bytes = page_bytes + 24;  // a WAL frame has a header of 24 bytes
// 8 MiB of pages: small beside a process, large beside a queue's working set.
constexpr const char* cache_pragma = "PRAGMA cache_size=-8192";
// Pages that a transaction changes stay in memory, over the cache's size too. One that was written
// to the log twice inside a savepoint that is rolled back leaves SQLite 3.40.1 with checksums to
// mend behind the end of the log (wal.c, iReCksum): later commits are seen until the log is
// recovered, and lost then.
constexpr const char* spill_pragma = "PRAGMA cache_spill=OFF";

// A file with less than this beyond what it needs is lengthened by a quarter, in a checkpoint: by
// small steps a file that grows would be checkpointed often.
constexpr std::int64_t least_slack = 64 * 1024;
std::int64_t growth_of(std::int64_t needed) {
    return std::clamp<std::int64_t>(needed / 4, 128 * 1024, 4 * 1024 * 1024);
}
std::int64_t rounded_up(std::int64_t bytes, std::int64_t step) {
    return bytes / step * step + step;
}
// Coarsely when it grows, finely when it is cut, so that a drained file is small again.
constexpr std::int64_t growth_step = 256 * 1024;
constexpr std::int64_t cut_step = 64 * 1024;

// Readers wait only for a recovery or a schema change.
constexpr int reader_busy_ms = 5000;

int on_wal(void* state, sqlite3* /*database*/, const char* /*schema*/, int frames) {
    *static_cast<LogState*>(state) = {.frames = frames, .written = true};
    return SQLITE_OK;
}

// Turns a COMMIT that is not ours into a rollback.
int on_commit(void* state) {
    auto& commits = *static_cast<CommitGuard*>(state);
    commits.refused |= !commits.allowed;
    return commits.allowed ? 0 : 1;
}

void on_rollback(void* state) {
    static_cast<CommitGuard*>(state)->rolled_back = true;
}

void queue_julianday(sqlite3_context* context, int /*count*/, sqlite3_value** /*values*/) {
    sqlite3_result_double(context, *static_cast<double*>(sqlite3_user_data(context)));
}

std::int64_t file_size(const std::string& path) {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    return error ? 0 : static_cast<std::int64_t>(bytes);
}

[[noreturn]] void rethrow(const SQLite::Exception& failure, std::string_view operation,
                          std::string_view path) {
    throw translate(failure.getExtendedErrorCode(), failure.what(), operation, path);
}

}  // namespace

SqliteStore::SqliteStore(const OpenOrder& order) : path_(order.path) {
    try {
        writer_ = prepare(order);
        for (const SchemaFinding& finding : compare_schema(*writer_)) {
            if (finding.warning) continue;
            throw schema_is_not_ours(path_, finding.text);
        }
        writer_->exec(cache_pragma);
        writer_->exec(spill_pragma);
        // NORMAL syncs before a checkpoint and after it; what must survive a power cut, sync()
        // does.
        writer_->exec("PRAGMA synchronous=NORMAL");
        log_ = log_of(writer_->getHandle());
        sqlite3_wal_hook(writer_->getHandle(), on_wal, &log_state_);
        sqlite3_commit_hook(writer_->getHandle(), on_commit, &commits_);
        sqlite3_rollback_hook(writer_->getHandle(), on_rollback, &commits_);
        writer_statements_ = std::make_unique<Statements>(*writer_);
        (void)(*writer_statements_)[Sql::rollback];  // rollback() may not throw, so not prepare
        keys_.emplace(*writer_statements_);
        transaction_ =
            std::make_unique<SqliteTransaction>(*writer_, *writer_statements_, path_, &*keys_);
        guard_ = open_connection(path_, Access::read_write, 0);
        guard_statements_ = std::make_unique<Statements>(*guard_);
        for (const Sql one : {Sql::begin, Sql::rollback}) (void)(*guard_statements_)[one];
    } catch (const SQLite::Exception& failure) {
        rethrow(failure, "open", path_);
    }
}

SqliteStore::~SqliteStore() = default;

void SqliteStore::refuse_if_unknown(std::string_view operation) const {
    if (!outcome_unknown_) return;
    throw Error(ErrorCode::outcome_unknown, operation, path_,
                "an earlier sync failed; reopen the queue to learn what is on the disk");
}

void SqliteStore::begin(std::string_view operation) {
    log_state_.written = false;  // also where this fails: others may have written since
    refuse_if_unknown(operation);
    // Of earlier transactions, whose own rollback ran out of memory.
    rollback();
    end_guard();
    Run((*writer_statements_)[Sql::begin]).step();
    commits_ = {};
    keys_->begun();
    if (!transaction_->begun()) pages_placed_ = 0;
}

namespace {
// Whether the last call failed in a way that makes SQLite roll the whole transaction back.
bool undone_by_failure(sqlite3* handle) {
    switch (sqlite3_errcode(handle)) {
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_NOMEM:
        case SQLITE_BUSY:
        case SQLITE_INTERRUPT:
            return true;
        default:
            return false;
    }
}
}  // namespace

void SqliteStore::commit(std::string_view operation) {
    const bool open = sqlite3_get_autocommit(writer_->getHandle()) == 0;
    // SQLite itself may have rolled back (a full disk); a guest that ended the transaction and
    // began another must not have its second half committed.
    if (!open && !commits_.refused && undone_by_failure(writer_->getHandle())) {
        throw WholeRollback{};
    }
    if (!open || commits_.refused || commits_.rolled_back) {
        throw Error(ErrorCode::misuse, operation, path_,
                    "COMMIT or ROLLBACK on the lent handle; allowed: neither. Nothing was changed");
    }
    transaction_->committing();
    commits_.allowed = true;
    try {
        Run((*writer_statements_)[Sql::commit]).step();
    } catch (const SQLite::Exception& failure) {
        commits_.allowed = false;
        const Error error =
            translate(failure.getExtendedErrorCode(), failure.what(), operation, path_, true);
        if (error.code() == ErrorCode::outcome_unknown) outcome_unknown_ = true;
        throw error;
    }
    commits_.allowed = false;
    keys_->committed();
    transaction_->committed();
    if (log_state_.written) transaction_->wrote(committed_pages(writer_->getHandle()));
}

void SqliteStore::rollback() noexcept {
    if (sqlite3_get_autocommit(writer_->getHandle()) != 0) return;
    // A rollback that fails leaves nothing to do here: the next begin() tries again.
    (void)(*writer_statements_)[Sql::rollback].try_step();
    (*writer_statements_)[Sql::rollback].reset();
}

void SqliteStore::write(const WriteOrder& order, const std::function<void(Transaction&)>& fn) {
    try {
        if (order.busy_ms != busy_ms_) {
            writer_->setBusyTimeout(order.busy_ms);
            busy_ms_ = order.busy_ms;
        }
        begin(order.operation);
        fn(*transaction_);
        commit(order.operation);
    } catch (const SQLite::Exception& failure) {
        rollback();
        if (failure.getErrorCode() == SQLITE_FULL) checkpoint();
        rethrow(failure, order.operation, path_);
    } catch (const Error& error) {
        rollback();
        if (error.code() == ErrorCode::disk_full) checkpoint();
        throw;
    } catch (const WholeRollback&) {
        rollback();
        checkpoint();
        throw;
    } catch (...) {
        rollback();
        throw;
    }
}

void SqliteStore::sync(std::string_view operation) {
    refuse_if_unknown(operation);
    const int code = sync_log(log_);
    if (code == SQLITE_OK) return;
    outcome_unknown_ = true;
    throw translate(SQLITE_IOERR_FSYNC, sqlite3_errstr(code), operation, path_, true);
}

// All of it, or nothing: the next who reads tries again.
void SqliteStore::open_reader() {
    auto reader = open_connection(path_, Access::read_only, reader_busy_ms);
    reader->exec("PRAGMA cache_size=-2048");
    // The views ask julianday('now'); here it answers by the clock that was passed in.
    sqlite3_create_function_v2(reader->getHandle(), "julianday", 1, SQLITE_UTF8 | SQLITE_INNOCUOUS,
                               &reader_now_, queue_julianday, nullptr, nullptr, nullptr);
    prefer_own_views(*reader);
    auto statements = std::make_unique<Statements>(*reader);
    reader_transaction_ = std::make_unique<SqliteTransaction>(*reader, *statements, path_, nullptr);
    reader_statements_ = std::move(statements);
    reader_ = std::move(reader);
}

void SqliteStore::read(std::string_view operation, const std::function<void(Transaction&)>& fn) {
    refuse_if_unknown(operation);
    const std::lock_guard lock(reader_mutex_);
    try {
        if (!reader_) open_reader();
        struct End {
            Statements& statements;
            ~End() {
                (void)statements[Sql::rollback].try_step();
                statements[Sql::rollback].reset();
            }
        };
        (void)(*reader_statements_)[Sql::rollback];  // prepared before it is needed in a destructor
        Run((*reader_statements_)[Sql::begin_read]).step();
        const End end{*reader_statements_};
        fn(*reader_transaction_);
    } catch (const SQLite::Exception& failure) {
        rethrow(failure, operation, path_);
    }
}

std::int64_t SqliteStore::data_version() {
    refuse_if_unknown("lease");
    const std::lock_guard lock(reader_mutex_);
    try {
        if (!reader_) open_reader();
        // The reader never writes: each commit is another connection's, and counted.
        Run run((*reader_statements_)[Sql::data_version]);
        return run.step() ? run.integer(0) : 0;
    } catch (const SQLite::Exception& failure) {
        rethrow(failure, "lease", path_);
    }
}

// The checkpoint cuts the file to a multiple of the size that is set here, and extends it where the
// pages need more, under its own lock: to the pages and some slack, or where the disk has no more,
// to what the file has. Slack alone is claimed here; behind the pages nobody else writes.
void SqliteStore::size_file() {
    sqlite3* writer = writer_->getHandle();
    // As of our last commit, after which we still hold the turn. (To ask would cost the guard a
    // reading of the schema, and give the writer a fresh view of the log, which the bug below needs
    // to be stale: the test that replays it would then show nothing.)
    const std::int64_t needed = transaction_->pages() * page_bytes;
    const std::int64_t size = file_size(path_);
    std::int64_t wanted = std::min(size, rounded_up(needed + growth_of(needed), cut_step));
    if (size < needed + least_slack) {
        std::error_code error;
        const auto disk = std::filesystem::space(path_, error);
        const std::int64_t free = error ? 0 : static_cast<std::int64_t>(disk.available);
        wanted = rounded_up(needed + growth_of(needed), growth_step);
        if (wanted - size > free / 4) wanted = rounded_up(needed + growth_of(0), growth_step);
        if (wanted - size > free) wanted = std::max(size, needed);
    }
    constexpr std::int64_t step_max = 1 << 30;  // SQLite takes an int
    std::int64_t step = wanted;
    while (step > step_max && step % 2 == 0) step /= 2;
    int multiple = static_cast<int>(std::min(step, step_max));
    sqlite3_file_control(writer, "main", SQLITE_FCNTL_CHUNK_SIZE, &multiple);
    if (needed <= size && size < wanted) {
        sqlite3_file_control(writer, "main", SQLITE_FCNTL_SIZE_HINT, &wanted);
    }
}

// PRAGMA wal_checkpoint beside another connection's write is the WAL-reset bug (SQLite 3.7.0 to
// 3.51.2): the guard holds the write lock meanwhile. Others than PASSIVE would wait for the guard.
bool SqliteStore::checkpoint() {
    Prepared& begin = (*guard_statements_)[Sql::begin];
    const bool begun = begin.try_step() == SQLITE_DONE;
    begin.reset();
    if (!begun) return false;
    try {
        size_file();
    } catch (const SQLite::Exception&) {
        // Without slack: the checkpoint below says whether it needs more than there is.
    }
    int frames = 0;
    int moved = 0;
    const int code = sqlite3_wal_checkpoint_v2(writer_->getHandle(), nullptr,
                                               SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
    end_guard();
    // The kernel tells of it once: a later sync would say that all is well.
    if (code == SQLITE_IOERR_FSYNC) outcome_unknown_ = true;
    return code == SQLITE_OK && moved == frames;
}

// Out of memory even this may fail: the next begin() tries again, or all writers would wait for the
// guard's lock.
void SqliteStore::end_guard() noexcept {
    if (sqlite3_get_autocommit(guard_->getHandle()) != 0) return;
    (void)(*guard_statements_)[Sql::rollback].try_step();
    (*guard_statements_)[Sql::rollback].reset();
}

// A full disk must not stop the checkpoint that begins the log anew: what is in the log has its
// place in the database file, made by an early checkpoint when the file has to grow. (That is where
// SQLite extends the file in steps, under the checkpoint's own lock.)
bool SqliteStore::file_lags() {
    const std::int64_t pages = transaction_->pages();
    if (pages == pages_placed_) return false;
    if (file_size(path_) < pages * page_bytes + least_slack) return true;
    pages_placed_ = pages;
    return false;
}

void SqliteStore::relieve(std::int64_t log_bytes_max) noexcept {
    try {
        relieve_log(log_bytes_max);
    } catch (const std::exception&) {
        return;  // out of memory: what was committed is, and the next commit tries again
    }
}

// Who wrote last takes care: what others wrote since is not known here.
void SqliteStore::relieve_log(std::int64_t log_bytes_max) {
    if (!log_state_.written) return;
    const std::int64_t frames_max = log_bytes_max / frame_bytes;
    if (log_state_.frames <= std::max(frames_max, log_retry_frames_) && !file_lags()) {
        if (log_state_.frames < frames_max) log_retry_frames_ = 0;
        return;
    }
    // With a reader in the way each try costs a sync and gains little: try again a quarter later.
    bool moved = checkpoint();
    if (!moved && file_lags()) moved = fold_back() && checkpoint();
    log_retry_frames_ = moved ? 0 : log_state_.frames + frames_max / 4;
}

// Pages that have no place in the file of a full disk go to free ones before them.
bool SqliteStore::fold_back() {
    try {
        const std::int64_t lacking = transaction_->pages() - file_size(path_) / page_bytes;
        return lacking > 0 && shrink(lacking) > 0;
    } catch (const Error&) {
        return false;  // what was committed is; this is tried again after the next commit
    }
}

void SqliteStore::set_log_reserve(std::int64_t reserve, std::int64_t bytes_max) {
    try {
        writer_->exec("PRAGMA journal_size_limit=" + std::to_string(std::max(reserve, bytes_max)));
        if (file_size(path_ + "-wal") >= reserve) return;
        // A transaction that spills and is rolled back: the log grows, the database does not.
        // SQLite heeds the pragmas outside a transaction alone.
        struct Narrow {
            SqliteStore& store;
            ~Narrow() {
                store.rollback();
                (void)store.writer_->tryExec(cache_pragma);  // else the cache stays small
                (void)store.writer_->tryExec(spill_pragma);
            }
        };
        const Narrow narrow{*this};
        writer_->exec("PRAGMA cache_size=16; PRAGMA cache_spill=ON");
        begin("open");
        SQLite::Statement grow(*writer_,
                               "INSERT INTO outcomes (item_id, key, state, result, queued_at, "
                               "settled_at) VALUES (-1, '', 'resolved', zeroblob(?), 0, 0)");
        // The pages that stay in the cache do not reach the log: some more than the reserve.
        constexpr std::int64_t kept_in_cache = 64 * page_bytes;
        grow.bind(1, std::min<std::int64_t>(reserve + kept_in_cache, 1'000'000'000));
        grow.exec();
    } catch (const SQLite::Exception& failure) {
        // A full disk must not keep a queue from being opened and drained.
        if (failure.getErrorCode() == SQLITE_FULL) return;
        rethrow(failure, "open", path_);
    }
}

std::int64_t SqliteStore::shrink(std::int64_t pages) {
    try {
        const std::int64_t before = query_integer(*writer_, "PRAGMA freelist_count");
        if (before == 0) return 0;
        begin("vacuum");
        {
            SQLite::Statement vacuum(*writer_,
                                     "PRAGMA incremental_vacuum(" + std::to_string(pages) + ")");
            while (vacuum.executeStep()) {  // one page a step
            }
        }
        commit("vacuum");
        return before - query_integer(*writer_, "PRAGMA freelist_count");
    } catch (const SQLite::Exception& failure) {
        rollback();
        if ((failure.getErrorCode() & 0xff) == SQLITE_FULL) return 0;
        rethrow(failure, "vacuum", path_);
    } catch (const Error& error) {  // of its commit
        rollback();
        if (error.code() == ErrorCode::disk_full) return 0;
        throw;
    } catch (const WholeRollback&) {
        return 0;
    } catch (...) {
        rollback();
        throw;
    }
}

Store::Size SqliteStore::size() {
    Size size;
    size.log_bytes = file_size(path_ + "-wal");
    size.db_bytes = file_size(path_);
    return size;
}

void* SqliteStore::guest_handle(Transaction& transaction) {
    keys_->lent();
    auto& lent = dynamic_cast<SqliteTransaction&>(transaction);
    lent.lend();
    return lent.database().getHandle();
}

void SqliteStore::check_guest(Transaction& transaction) {
    SQLite::Database& database = dynamic_cast<SqliteTransaction&>(transaction).database();
    SQLite::Statement shadow(
        database,
        "SELECT t.name FROM sqlite_temp_schema t JOIN main.sqlite_schema m "
        "ON lower(m.name) = lower(t.name) OR lower(m.name) = lower(t.tbl_name)");
    if (shadow.executeStep()) {
        throw Error(ErrorCode::misuse, "transact", "",
                    "the temporary object " + shadow.getColumn(0).getString() +
                        " shadows a table of the file; allowed: other names");
    }
}

TextTable SqliteStore::select(const std::string& sql, std::string_view parameter, Millis wall) {
    TextTable table;
    const std::lock_guard lock(reader_mutex_);
    try {
        if (!reader_) open_reader();
        constexpr double unix_epoch_julian = 2440587.5;
        reader_now_ = unix_epoch_julian + static_cast<double>(wall) / 86'400'000.0;
        SQLite::Statement rows(*reader_, sql);
        if (!parameter.empty()) rows.bind(1, std::string(parameter));
        for (int i = 0; i < rows.getColumnCount(); ++i)
            table.columns.emplace_back(rows.getColumnName(i));
        while (rows.executeStep()) {
            auto& row = table.rows.emplace_back();
            for (int i = 0; i < rows.getColumnCount(); ++i)
                row.push_back(rows.getColumn(i).getString());
        }
    } catch (const SQLite::Exception& failure) {
        rethrow(failure, "view", path_);
    }
    return table;
}

TextTable SqliteStore::view(std::string_view name, Millis wall) {
    const auto& names = view_names();
    if (std::find(names.begin(), names.end(), name) == names.end()) {
        std::string all;
        for (const auto& one : names) all += (all.empty() ? "" : ", ") + one;
        throw Error(ErrorCode::misuse, "view", path_,
                    "no view named '" + std::string(name) + "'; allowed: " + all);
    }
    return select("SELECT * FROM \"" + std::string(name) + "\"", {}, wall);
}

TextTable SqliteStore::trail(std::string_view key, Millis wall) {
    return select("SELECT * FROM trail WHERE key = ?", key, wall);
}

std::vector<Store::Finding> SqliteStore::check() {
    std::vector<Finding> findings;
    for (const auto& row : select("PRAGMA integrity_check", {}, 0).rows) {
        if (row.front() != "ok") findings.push_back({"integrity", row.front()});
    }
    for (const auto& row :
         select("SELECT fault, batch, detail FROM range_faults LIMIT 100", {}, 0).rows) {
        findings.push_back({row[0], (row[1].empty() ? "" : "batch " + row[1] + ": ") + row[2]});
    }
    for (const auto& row : select("SELECT difference FROM ledger", {}, 0).rows) {
        if (row.front() != "0") findings.push_back({"ledger", "difference " + row.front()});
    }
    const std::lock_guard lock(reader_mutex_);
    try {
        for (const SchemaFinding& finding : compare_schema(*reader_)) {
            findings.push_back({"schema", finding.text, finding.warning});
        }
    } catch (const SQLite::Exception& failure) {
        rethrow(failure, "check", path_);
    }
    return findings;
}

void SqliteStore::backup(const std::string& target) {
    const std::lock_guard lock(reader_mutex_);
    try {
        if (!reader_) open_reader();
        SQLite::Database copy(target, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        SQLite::Backup run(copy, *reader_);
        while (run.executeStep(256) != SQLITE_DONE) {
        }
        // Pages are copied unread: a damaged queue gives a damaged copy, which nobody may trust.
        const std::string said = query_text(copy, "PRAGMA quick_check(1)");
        if (said != "ok") {
            throw Error(ErrorCode::corrupt, "backup", target,
                        "the queue is damaged, and so is the copy that was made (" + said +
                            "); allowed: to keep it beside an older backup");
        }
    } catch (const SQLite::Exception& failure) {
        rethrow(failure, "backup", target);
    }
}

Store::Engine SqliteStore::engine() const {
    // Fixed in 3.51.3, and in the branches 3.50.7 and 3.44.6 (sqlite.org/wal.html).
    const int version = sqlite3_libversion_number();
    const bool fixed = version >= 3051003 || (version >= 3050007 && version < 3051000) ||
                       (version >= 3044006 && version < 3045000);
    return {.version = sqlite3_libversion(), .wal_reset_bug = !fixed && version >= 3007000};
}

std::unique_ptr<Store> open(const OpenOrder& order) {
    return std::make_unique<SqliteStore>(order);
}

}  // namespace headpond::store::sqlite
