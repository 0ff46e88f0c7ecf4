#include "alerts_table.h"

#include "settings.h"

#include <headpond/error.h>
#include <headpond/sqlite.h>

#include <memory>

#include <sqlite3.h>

namespace headpond::ingest {

namespace {

constexpr const char* schema = R"(
CREATE TABLE IF NOT EXISTS alerts (
    uuid                TEXT PRIMARY KEY,
    title               TEXT NOT NULL,
    summary             TEXT NOT NULL,
    link                TEXT NOT NULL,
    source_tag          TEXT NOT NULL,
    published_at        INTEGER, -- milliseconds since 1970
    latitude            REAL,
    longitude           REAL,
    location_method     TEXT NOT NULL,
    location_confidence TEXT NOT NULL,
    location_name       TEXT,
    location_country    TEXT,
    location_reason     TEXT,
    feed_latitude       REAL,
    feed_longitude      REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_pending ON alerts (uuid)
    WHERE location_method = 'batch_pending';
)";

constexpr const char* columns =
    "uuid, title, summary, link, source_tag, published_at, latitude, longitude, location_method, "
    "location_confidence, location_name, location_country, location_reason, feed_latitude, "
    "feed_longitude";

sqlite3* db(void* handle) {
    return static_cast<sqlite3*>(handle);
}

[[noreturn]] void fail(sqlite3* handle) {
    const int code = sqlite3_extended_errcode(handle);
    const int kind = code & 0xff;
    const bool corrupt = kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB;
    throw Error(kind == SQLITE_FULL ? ErrorCode::disk_full
                : corrupt           ? ErrorCode::corrupt
                                    : ErrorCode::io,
                "alerts", "", sqlite3_errmsg(handle), code);
}

// A statement of one use; every result code is looked at.
class Statement {
  public:
    Statement(void* handle, const std::string& sql) : handle_(db(handle)) {
        check(sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement_, nullptr));
    }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    ~Statement() { sqlite3_finalize(statement_); }

    void bind(int index, std::string_view text) {
        check(sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_TRANSIENT,
                                  SQLITE_UTF8));
    }
    void bind_or_null(int index, std::string_view text) {
        if (!text.empty()) bind(index, text);
    }
    void bind(int index, const std::optional<double>& number) {
        if (number) check(sqlite3_bind_double(statement_, index, *number));
    }
    void bind(int index, const std::optional<WallTime>& at) {
        if (at) check(sqlite3_bind_int64(statement_, index, at->time_since_epoch().count()));
    }
    bool step() {
        const int code = sqlite3_step(statement_);
        if (code == SQLITE_ROW) return true;
        if (code != SQLITE_DONE) fail(handle_);
        return false;
    }
    std::int64_t change() {
        step();
        return sqlite3_changes64(handle_);
    }
    [[nodiscard]] std::string text(int column) {
        const auto* bytes = sqlite3_column_text(statement_, column);
        if (bytes == nullptr) return {};
        return {reinterpret_cast<const char*>(bytes),
                static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
    }
    [[nodiscard]] std::optional<double> number(int column) {
        if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
        return sqlite3_column_double(statement_, column);
    }
    [[nodiscard]] std::optional<WallTime> time(int column) {
        if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
        return WallTime{std::chrono::milliseconds{sqlite3_column_int64(statement_, column)}};
    }

  private:
    void check(int code) {
        if (code != SQLITE_OK) fail(handle_);
    }
    sqlite3* handle_;
    sqlite3_stmt* statement_ = nullptr;
};

AlertRow read_row(Statement& row) {
    AlertRow read;
    read.alert.uuid = row.text(0);
    read.alert.title = row.text(1);
    read.alert.summary = row.text(2);
    read.alert.link = row.text(3);
    read.alert.source_tag = row.text(4);
    read.alert.published_at = row.time(5);
    read.alert.latitude = row.number(6);
    read.alert.longitude = row.number(7);
    read.method = row.text(8);
    read.confidence = row.text(9);
    read.name = row.text(10);
    read.country = row.text(11);
    read.reason = row.text(12);
    read.feed_latitude = row.number(13);
    read.feed_longitude = row.number(14);
    return read;
}

// One line of what is wrong with a table or view that has our name; empty: nothing, or none has.
std::string foreign(void* handle) {
    Statement found(handle, "SELECT type FROM sqlite_schema WHERE name = 'alerts' COLLATE NOCASE");
    if (!found.step()) return {};
    const std::string type = found.text(0);
    if (type != "table") return "a " + type;
    std::string missing = std::string(columns) + ", ";
    bool keyed = false;
    Statement column(handle, "SELECT name, pk FROM pragma_table_info('alerts')");
    while (column.step()) {
        const std::string name = column.text(0) + ", ";
        keyed |= name == "uuid, " && column.text(1) == "1";
        // Whole names only: each begins the list or follows a blank.
        const auto at = (" " + missing).find(" " + name);
        if (at != std::string::npos) missing.erase(at, name.size());
    }
    if (!missing.empty()) return "a table without " + missing.substr(0, missing.size() - 2);
    return keyed ? std::string{} : "a table whose primary key is not uuid";
}

}  // namespace

AlertsTable::AlertsTable(Transaction& transaction) : handle_(sqlite_handle(transaction)) {}

void AlertsTable::create() {
    const std::string wrong = foreign(handle_);
    if (!wrong.empty()) {
        throw UsageError("the database has " + wrong +
                         " under the name alerts; allowed: a file where that name is free, or the "
                         "table of headpond-ingest");
    }
    if (sqlite3_exec(db(handle_), schema, nullptr, nullptr, nullptr) != SQLITE_OK) {
        fail(db(handle_));
    }
}

bool AlertsTable::add(const AlertRow& row) {
    Statement insert(handle_, std::string("INSERT INTO alerts (") + columns +
                                  ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                                  "ON CONFLICT (uuid) DO NOTHING");
    insert.bind(1, row.alert.uuid);
    insert.bind(2, row.alert.title);
    insert.bind(3, row.alert.summary);
    insert.bind(4, row.alert.link);
    insert.bind(5, row.alert.source_tag);
    insert.bind(6, row.alert.published_at);
    insert.bind(7, row.alert.latitude);
    insert.bind(8, row.alert.longitude);
    insert.bind(9, row.method);
    insert.bind(10, row.confidence);
    insert.bind_or_null(11, row.name);
    insert.bind_or_null(12, row.country);
    insert.bind_or_null(13, row.reason);
    insert.bind(14, row.feed_latitude);
    insert.bind(15, row.feed_longitude);
    return insert.change() > 0;
}

void AlertsTable::remove(std::string_view uuid) {
    Statement remove(handle_, "DELETE FROM alerts WHERE uuid = ?");
    remove.bind(1, uuid);
    remove.change();
}

bool AlertsTable::settle(std::string_view uuid, const std::optional<Location>& location,
                         std::string_view reason) {
    return end(uuid, location, reason, false);
}

bool AlertsTable::resolve(std::string_view uuid, const std::optional<Location>& location,
                          std::string_view reason) {
    return end(uuid, location, reason, true);
}

bool AlertsTable::end(std::string_view uuid, const std::optional<Location>& location,
                      std::string_view reason, bool of_fallback) {
    Statement update(handle_,
                     "UPDATE alerts SET location_method = ?2, location_confidence = ?3, "
                     "latitude = ?4, longitude = ?5, location_name = ?6, location_country = ?7, "
                     "location_reason = ?8 WHERE uuid = ?1 AND location_method IN "
                     "('batch_pending', ?9)");
    update.bind(1, uuid);
    if (of_fallback) update.bind(9, "fallback");
    if (location) {
        update.bind(2, location->method);
        update.bind(3, location->confidence);
        update.bind(4, std::optional(location->latitude));
        update.bind(5, std::optional(location->longitude));
        update.bind_or_null(6, location->name);
        update.bind_or_null(7, location->country);
        update.bind_or_null(8, location->basis);
    } else {
        update.bind(2, "fallback");
        update.bind(3, "none");
        update.bind_or_null(8, reason);
    }
    return update.change() > 0;
}

void AlertsTable::reopen_redriven() {
    Statement update(handle_,
                     "UPDATE alerts SET location_method = 'batch_pending', location_reason = NULL "
                     "WHERE location_method = 'fallback' "
                     "AND uuid IN (SELECT key FROM items WHERE tracked)");
    update.change();
}

std::int64_t AlertsTable::settle_lost() {
    Statement update(
        handle_,
        "UPDATE alerts SET location_method = 'fallback', location_confidence = 'none', "
        "location_reason = 'outcome dropped unread' "
        "WHERE location_method = 'batch_pending' "
        "AND NOT EXISTS (SELECT 1 FROM items WHERE key = uuid) "
        "AND uuid NOT IN (SELECT key FROM outcomes)");
    return update.change();
}

std::vector<std::string> AlertsTable::pending() {
    std::vector<std::string> uuids;
    Statement rows(handle_, "SELECT uuid FROM alerts WHERE location_method = 'batch_pending'");
    while (rows.step()) uuids.push_back(rows.text(0));
    return uuids;
}

std::optional<AlertRow> AlertsTable::find(std::string_view uuid) {
    Statement row(handle_, std::string("SELECT ") + columns + " FROM alerts WHERE uuid = ?");
    row.bind(1, uuid);
    if (!row.step()) return std::nullopt;
    return read_row(row);
}

void AlertsTable::each(const std::function<void(const AlertRow&)>& fn) {
    Statement rows(handle_,
                   std::string("SELECT ") + columns + " FROM alerts ORDER BY published_at, uuid");
    while (rows.step()) fn(read_row(rows));
}

}  // namespace headpond::ingest
