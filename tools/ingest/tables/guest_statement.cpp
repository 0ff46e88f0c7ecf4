#include "tables/guest_statement.h"

#include "settings.h"

#include <headpond/error.h>

#include <sqlite3.h>

namespace headpond::ingest {

namespace {

[[noreturn]] void fail(sqlite3* handle) {
    const int code = sqlite3_extended_errcode(handle);
    const int kind = code & 0xff;
    const bool corrupt = kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB;
    throw Error(kind == SQLITE_FULL ? ErrorCode::disk_full
                : corrupt           ? ErrorCode::corrupt
                                    : ErrorCode::io,
                "ingest", "", sqlite3_errmsg(handle), code);
}

// One line of what is wrong with a table or view that has the name; empty: nothing, or none has.
std::string foreign(sqlite3* handle, const GuestTable& table) {
    Statement found(handle, "SELECT type FROM sqlite_schema WHERE name = ? COLLATE NOCASE");
    found.bind(1, table.name);
    if (!found.step()) return {};
    const std::string type = found.text(0);
    if (type != "table") return "a " + type;
    std::string missing = std::string(table.columns) + ", ";
    bool keyed = false;
    Statement column(handle, "SELECT name, pk FROM pragma_table_info(?)");
    column.bind(1, table.name);
    while (column.step()) {
        const std::string name = column.text(0) + ", ";
        keyed |= column.text(0) == table.key && column.text(1) == "1";
        // Whole names only: each begins the list or follows a blank.
        const auto at = (" " + missing).find(" " + name);
        if (at != std::string::npos) missing.erase(at, name.size());
    }
    if (!missing.empty()) return "a table without " + missing.substr(0, missing.size() - 2);
    return keyed ? std::string{} : std::string("a table whose primary key is not ") + table.key;
}

}  // namespace

Statement::Statement(sqlite3* handle, const std::string& sql) : handle_(handle) {
    check(sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement_, nullptr));
}

Statement::~Statement() {
    sqlite3_finalize(statement_);
}

void Statement::bind(int index, std::string_view text) {
    check(sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_TRANSIENT,
                              SQLITE_UTF8));
}

void Statement::bind(int index, const std::optional<double>& number) {
    if (number) check(sqlite3_bind_double(statement_, index, *number));
}

void Statement::bind(int index, const std::optional<WallTime>& at) {
    if (at) check(sqlite3_bind_int64(statement_, index, at->time_since_epoch().count()));
}

void Statement::bind_integer(int index, const std::optional<std::int64_t>& number) {
    if (number) check(sqlite3_bind_int64(statement_, index, *number));
}

bool Statement::step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail(handle_);
    return false;
}

void Statement::reset() {
    check(sqlite3_reset(statement_));
}

std::int64_t Statement::change() {
    step();
    return sqlite3_changes64(handle_);
}

std::string Statement::text(int column) {
    const auto* bytes = sqlite3_column_text(statement_, column);
    if (bytes == nullptr) return {};
    return {reinterpret_cast<const char*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<double> Statement::number(int column) {
    if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_double(statement_, column);
}

std::optional<std::int64_t> Statement::integer(int column) {
    if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_int64(statement_, column);
}

std::optional<WallTime> Statement::time(int column) {
    const auto at = integer(column);
    if (!at) return std::nullopt;
    return WallTime{Ms{*at}};
}

void Statement::check(int code) {
    if (code != SQLITE_OK) fail(handle_);
}

void create_guest_table(sqlite3* handle, const GuestTable& table) {
    const std::string wrong = foreign(handle, table);
    if (!wrong.empty()) {
        throw UsageError("the database has " + wrong + " under the name " + table.name +
                         "; allowed: a file where that name is free, or the table of "
                         "headpond-ingest");
    }
    if (sqlite3_exec(handle, table.schema, nullptr, nullptr, nullptr) != SQLITE_OK) fail(handle);
}

}  // namespace headpond::ingest
