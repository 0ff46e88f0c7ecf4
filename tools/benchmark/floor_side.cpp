#include "floor_side.h"

#include <chrono>
#include <filesystem>
#include <stdexcept>

#include <sqlite3.h>

namespace headpond::bench {

namespace {

// As the library has them by default: wal_bytes_max, and the reserve that the log is grown to.
constexpr int page_bytes = 4096;
constexpr int log_bytes_max = 4 * 1024 * 1024;
constexpr int log_reserve_bytes = 2 * 1024 * 1024;
constexpr int log_frames_max = log_bytes_max / (page_bytes + 24);

[[noreturn]] void fail(sqlite3* database, std::string_view what) {
    throw std::runtime_error("floor: " + std::string(what) + ": " + sqlite3_errmsg(database));
}

void execute(sqlite3* database, const std::string& sql) {
    if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        fail(database, sql);
    }
}

void run(sqlite3_stmt* statement) {
    const int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        fail(sqlite3_db_handle(statement), sqlite3_sql(statement));
    }
}

int on_log(void* frames, sqlite3* /*database*/, const char* /*schema*/, int count) {
    *static_cast<int*>(frames) = count;
    return SQLITE_OK;
}

std::int64_t now_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

void bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
    sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

}  // namespace

void FloorSide::CloseDatabase::operator()(sqlite3* database) const noexcept {
    sqlite3_close(database);
}

void FloorSide::EndStatement::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}

FloorSide::Database FloorSide::open(const std::string& path, int busy_ms) {
    sqlite3* handle = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    Database database(handle);
    if (code != SQLITE_OK) fail(handle, "open");
    sqlite3_busy_timeout(handle, busy_ms);
    const auto set = [&](int option, int value) {
        sqlite3_db_config(handle, option, value, static_cast<int*>(nullptr));
    };
    set(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1);
    set(SQLITE_DBCONFIG_DEFENSIVE, 1);
    set(SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0);
    sqlite3_wal_autocheckpoint(handle, 0);
    execute(handle, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY");
    return database;
}

FloorSide::Statement FloorSide::prepare(sqlite3* database, std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
        fail(database, sql);
    }
    return Statement(statement);
}

FloorSide::FloorSide(const std::filesystem::path& path, Durability durability, int busy_ms) {
    const bool fresh = !std::filesystem::exists(path);
    writer_ = open(path, busy_ms);
    if (fresh) {
        execute(writer_.get(),
                "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; "
                "CREATE TABLE items (id INTEGER PRIMARY KEY, key TEXT NOT NULL, "
                "source_tag TEXT NOT NULL, payload BLOB NOT NULL, enqueued_at INTEGER NOT NULL)");
    }
    guard_ = open(path, busy_ms);
    configure(durability);
    begin_ = prepare(writer_.get(), "BEGIN IMMEDIATE");
    commit_ = prepare(writer_.get(), "COMMIT");
    rollback_ = prepare(writer_.get(), "ROLLBACK");
    insert_ = prepare(writer_.get(),
                      "INSERT INTO items (key, source_tag, payload, enqueued_at) "
                      "VALUES (?, ?, ?, ?)");
    select_ = prepare(writer_.get(),
                      "SELECT id, key, source_tag, payload, enqueued_at FROM items "
                      "ORDER BY id LIMIT ?");
    remove_ = prepare(writer_.get(), "DELETE FROM items WHERE id BETWEEN ? AND ?");
    guard_begin_ = prepare(guard_.get(), "BEGIN IMMEDIATE");
    guard_rollback_ = prepare(guard_.get(), "ROLLBACK");
    if (fresh) grow_log();
}

FloorSide::~FloorSide() = default;

void FloorSide::configure(Durability durability) {
    execute(writer_.get(), "PRAGMA cache_size=-8192");
    execute(writer_.get(), durability == Durability::power_loss ? "PRAGMA synchronous=FULL"
                                                                : "PRAGMA synchronous=NORMAL");
    execute(writer_.get(), "PRAGMA journal_size_limit=" + std::to_string(log_bytes_max));
    sqlite3_wal_hook(writer_.get(), on_log, &log_frames_);
}

// As the library does: a transaction that spills and is rolled back.
void FloorSide::grow_log() {
    execute(writer_.get(),
            "PRAGMA cache_size=16; BEGIN IMMEDIATE; "
            "INSERT INTO items (key, source_tag, payload, enqueued_at) "
            "VALUES ('', '', zeroblob(" +
                std::to_string(log_reserve_bytes + 64 * page_bytes) +
                "), 0); ROLLBACK; PRAGMA cache_size=-8192");
}

void FloorSide::enqueue(std::span<const NewItem> items) {
    const std::int64_t now = now_ms();
    const bool one = items.size() == 1;  // commits by itself
    if (!one) run(begin_.get());
    for (const NewItem& item : items) {
        bind_text(insert_.get(), 1, item.key);
        bind_text(insert_.get(), 2, item.source_tag);
        sqlite3_bind_blob(insert_.get(), 3, item.payload.data(),
                          static_cast<int>(item.payload.size()), SQLITE_STATIC);
        sqlite3_bind_int64(insert_.get(), 4, now);
        run(insert_.get());
    }
    if (!one) run(commit_.get());
    relieve();
}

std::size_t FloorSide::lease(std::size_t count) {
    run(begin_.get());
    sqlite3_bind_int64(select_.get(), 1, static_cast<sqlite3_int64>(count));
    std::size_t found = 0;
    read_.clear();
    while (sqlite3_step(select_.get()) == SQLITE_ROW) {
        last_id_ = sqlite3_column_int64(select_.get(), 0);
        if (found++ == 0) first_id_ = last_id_;
        // What is read must outlive the step.
        for (int column = 1; column <= 3; ++column) {
            const auto* bytes =
                static_cast<const char*>(sqlite3_column_blob(select_.get(), column));
            const int size = sqlite3_column_bytes(select_.get(), column);
            read_.append(bytes, static_cast<std::size_t>(size));
        }
        (void)sqlite3_column_int64(select_.get(), 4);
    }
    if (sqlite3_reset(select_.get()) != SQLITE_OK) fail(writer_.get(), "select");
    if (found == 0) run(rollback_.get());
    return found;
}

void FloorSide::ack() {
    sqlite3_bind_int64(remove_.get(), 1, first_id_);
    sqlite3_bind_int64(remove_.get(), 2, last_id_);
    run(remove_.get());
    run(commit_.get());
    relieve();
}

// The library's policy: a log over its limit is checkpointed after the commit, without waiting for
// readers, while a second connection keeps writers out.
void FloorSide::relieve() {
    if (log_frames_ <= log_frames_max) return;
    run(guard_begin_.get());
    const int code = sqlite3_wal_checkpoint_v2(writer_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                               nullptr, nullptr);
    run(guard_rollback_.get());
    if (code != SQLITE_OK) fail(writer_.get(), "checkpoint");
    log_frames_ = 0;
}

}  // namespace headpond::bench
