#include "store/sqlite/connection.h"

#include "store/sqlite/log_vfs.h"

#include <limits>

#include <sqlite3.h>

namespace headpond::store::sqlite {

namespace {

ErrorCode code_of(int extended, bool committing) {
    switch (extended) {
        case SQLITE_IOERR_FSYNC:
        case SQLITE_IOERR_DIR_FSYNC:
            return committing ? ErrorCode::outcome_unknown : ErrorCode::io;
        default:
            break;
    }
    switch (extended & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return ErrorCode::busy;
        case SQLITE_FULL:
            return ErrorCode::disk_full;
        case SQLITE_CORRUPT:
            return ErrorCode::corrupt;
        case SQLITE_NOTADB:
            return ErrorCode::not_a_queue;
        case SQLITE_MISUSE:
        case SQLITE_RANGE:
        case SQLITE_TOOBIG:
        case SQLITE_CONSTRAINT:
            return ErrorCode::misuse;
        default:
            return ErrorCode::io;
    }
}

void configure(SQLite::Database& database) {
    sqlite3* handle = database.getHandle();
    sqlite3_extended_result_codes(handle, 1);
    const auto set = [&](int option, int value) {
        sqlite3_db_config(handle, option, value, static_cast<int*>(nullptr));
    };
    set(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1);
    set(SQLITE_DBCONFIG_DEFENSIVE, 1);
    set(SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0);
    // Autocheckpoint is the WAL-reset bug's way in: ours run under a guard only.
    sqlite3_wal_autocheckpoint(handle, 0);
    database.exec("PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY");
}

}  // namespace

Error translate(int code, std::string_view message, std::string_view operation,
                std::string_view path, bool committing) {
    const ErrorCode kind = code_of(code, committing);
    std::string text(message);
    switch (kind) {
        case ErrorCode::outcome_unknown:
            text = "a sync failed (" + text +
                   "): the change may or may not be on the disk; reopen the queue to learn which";
            break;
        case ErrorCode::disk_full:
            text = "no space left (" + text + "); nothing was changed";
            break;
        case ErrorCode::busy:
            text = "another program held the write lock until the deadline (" + text +
                   "); allowed: to call again, or a longer turn_timeout";
            break;
        case ErrorCode::not_a_queue:
            text = "not a Headpond queue (" + text + ")";
            break;
        case ErrorCode::corrupt:
            text = "the file is damaged (" + text + "); see `headpond check`, restore a backup";
            break;
        default:
            break;
    }
    switch (code & 0xff) {
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
        case SQLITE_READONLY:
            text += "; allowed: a file and a directory that this user may read and write";
            break;
        case SQLITE_IOERR:
            if (kind == ErrorCode::outcome_unknown) break;
            text +=
                "; allowed: a disk without faults, no limit on the size of files (ulimit -f) that "
                "is in the way, and -wal and -shm left where they are";
            break;
        default:
            break;
    }
    return {kind, operation, path, text, code};
}

std::unique_ptr<SQLite::Database> open_connection(const std::string& path, Access access,
                                                  int busy_ms) {
    const int flags =
        (access == Access::read_only ? SQLite::OPEN_READONLY : SQLite::OPEN_READWRITE) |
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    const std::string vfs = access == Access::read_write ? log_vfs() : "";
    auto database = std::make_unique<SQLite::Database>(path, flags, busy_ms, vfs);
    configure(*database);
    return database;
}

std::unique_ptr<SQLite::Database> open_immutable(const std::string& path) {
    std::string uri = "file:";
    constexpr std::string_view hex = "0123456789ABCDEF";
    for (const char c : path) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '%' || c == '?' || c == '#' || byte < 0x21) {
            uri += '%';
            uri += hex[byte >> 4U];
            uri += hex[byte & 15U];
        } else {
            uri += c;
        }
    }
    uri += "?immutable=1";
    auto database = std::make_unique<SQLite::Database>(
        uri, SQLite::OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW);
    sqlite3_extended_result_codes(database->getHandle(), 1);
    return database;
}

std::int64_t query_integer(SQLite::Database& database, const char* sql) {
    SQLite::Statement statement(database, sql);
    return statement.executeStep() ? statement.getColumn(0).getInt64() : 0;
}

std::string query_text(SQLite::Database& database, const char* sql) {
    SQLite::Statement statement(database, sql);
    return statement.executeStep() ? statement.getColumn(0).getString() : std::string{};
}

Prepared::Prepared(SQLite::Database& database, const char* sql) {
    const int code = sqlite3_prepare_v3(database.getHandle(), sql, -1, SQLITE_PREPARE_PERSISTENT,
                                        &statement_, nullptr);
    if (code != SQLITE_OK) throw SQLite::Exception(database.getHandle(), code);
}

namespace {
int length_of(std::string_view bytes) {
    if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        throw Error(ErrorCode::misuse, "bind", "", "a value is larger than 2 GiB");
    }
    return static_cast<int>(bytes.size());
}
// A null pointer would bind NULL.
const char* start_of(std::string_view bytes) {
    return bytes.empty() ? "" : bytes.data();
}
}  // namespace

void Run::bind_one(int index, std::string_view text) {
    require(sqlite3_bind_text(statement_, index, start_of(text), length_of(text), SQLITE_STATIC));
}

void Run::bind_one(int index, Blob blob) {
    require(sqlite3_bind_blob(statement_, index, start_of(blob.bytes), length_of(blob.bytes),
                              SQLITE_STATIC));
}

void Run::fail(int code) const {
    throw SQLite::Exception(sqlite3_db_handle(statement_), code);
}

}  // namespace headpond::store::sqlite
