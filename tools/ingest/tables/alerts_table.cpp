#include "tables/alerts_table.h"

#include "tables/alerts_row.h"

#include <headpond/sqlite.h>

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
    feed_longitude      REAL,
    added_at            INTEGER, -- milliseconds since 1970
    located_at          INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_pending ON alerts (uuid)
    WHERE location_method = 'batch_pending';
)";

// Rows keep NULL there: when they were added is not known.
void add_later_columns(sqlite3* handle) {
    for (const char* column : {"added_at", "located_at"}) {
        Statement found(handle, "SELECT 1 FROM pragma_table_info('alerts') WHERE name = ?");
        found.bind(1, column);
        if (found.step()) continue;
        Statement(handle, std::string("ALTER TABLE alerts ADD COLUMN ") + column + " INTEGER")
            .change();
    }
}

}  // namespace

AlertsTable::AlertsTable(Transaction& transaction) : handle_(sqlite_handle(transaction)) {}

void AlertsTable::create() {
    create_guest_table(
        handle_, {.name = "alerts", .key = "uuid", .columns = first_columns, .schema = schema});
    add_later_columns(handle_);
}

bool AlertsTable::add(const AlertRow& row) {
    Statement insert(handle_, "INSERT INTO alerts (" + all_columns() +
                                  ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
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
    insert.bind(16, row.added_at);
    insert.bind(17, row.located_at);
    return insert.change() > 0;
}

void AlertsTable::remove(std::string_view uuid) {
    Statement remove(handle_, "DELETE FROM alerts WHERE uuid = ?");
    remove.bind(1, uuid);
    remove.change();
}

bool AlertsTable::settle(std::string_view uuid, std::string_view reason) {
    Statement update(
        handle_,
        "UPDATE alerts SET location_method = 'fallback', location_confidence = 'none', "
        "location_reason = ?2 WHERE uuid = ?1 AND location_method = 'batch_pending'");
    update.bind(1, uuid);
    update.bind_or_null(2, reason);
    return update.change() > 0;
}

bool AlertsTable::resolve(std::string_view uuid, const std::optional<Location>& location,
                          std::string_view reason, WallTime at) {
    Statement update(handle_,
                     "UPDATE alerts SET location_method = ?2, location_confidence = ?3, "
                     "latitude = ?4, longitude = ?5, location_name = ?6, location_country = ?7, "
                     "location_reason = ?8, located_at = ?9 WHERE uuid = ?1 AND location_method IN "
                     "('batch_pending', 'fallback')");
    update.bind(1, uuid);
    if (location) {
        update.bind(2, location->method);
        update.bind(3, location->confidence);
        update.bind(4, std::optional(location->latitude));
        update.bind(5, std::optional(location->longitude));
        update.bind_or_null(6, location->name);
        update.bind_or_null(7, location->country);
        update.bind_or_null(8, location->basis);
        update.bind(9, std::optional(at));
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

void AlertsTable::each_pending(const std::function<void(const AlertRow&)>& fn) {
    Statement rows(handle_, "SELECT " + all_columns() +
                                " FROM alerts WHERE location_method = 'batch_pending'");
    while (rows.step()) fn(read_row(rows));
}

std::optional<AlertRow> AlertsTable::find(std::string_view uuid) {
    Statement row(handle_, "SELECT " + all_columns() + " FROM alerts WHERE uuid = ?");
    row.bind(1, uuid);
    if (!row.step()) return std::nullopt;
    return read_row(row);
}

void AlertsTable::each(const std::function<void(const AlertRow&)>& fn) {
    Statement rows(handle_, "SELECT " + all_columns() + " FROM alerts ORDER BY published_at, uuid");
    while (rows.step()) fn(read_row(rows));
}

}  // namespace headpond::ingest
