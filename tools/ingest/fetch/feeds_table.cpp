#include "fetch/feeds_table.h"

#include "tables/guest_statement.h"

#include <headpond/sqlite.h>

namespace headpond::ingest {

namespace {

constexpr const char* schema = R"(
CREATE TABLE IF NOT EXISTS feeds (
    url           TEXT PRIMARY KEY,
    etag          TEXT,
    last_modified TEXT,
    checked_at    INTEGER, -- milliseconds since 1970
    next_at       INTEGER, -- when it may be asked again
    status        INTEGER, -- of HTTP; NULL: the last time there was no answer
    failures      INTEGER NOT NULL, -- in a row
    last_error    TEXT,
    alerts        INTEGER -- of the last answer that was read
) STRICT, WITHOUT ROWID;
)";

constexpr const char* columns =
    "url, etag, last_modified, checked_at, next_at, status, failures, last_error, alerts";

sqlite3* db(void* handle) {
    return static_cast<sqlite3*>(handle);
}

}  // namespace

FeedsTable::FeedsTable(Transaction& transaction) : handle_(sqlite_handle(transaction)) {}

void FeedsTable::create() {
    create_guest_table(db(handle_),
                       {.name = "feeds", .key = "url", .columns = columns, .schema = schema});
}

std::optional<FeedRow> FeedsTable::find(const std::string& url) {
    Statement row(db(handle_), std::string("SELECT ") + columns + " FROM feeds WHERE url = ?");
    row.bind(1, url);
    if (!row.step()) return std::nullopt;
    return FeedRow{.url = row.text(0),
                   .validators = {.etag = row.text(1), .last_modified = row.text(2)},
                   .checked_at = row.time(3),
                   .next_at = row.time(4),
                   .status = row.integer(5),
                   .failures = row.integer(6).value_or(0),
                   .last_error = row.text(7),
                   .alerts = row.integer(8)};
}

void FeedsTable::put(const FeedRow& row) {
    Statement insert(db(handle_), std::string("INSERT OR REPLACE INTO feeds (") + columns +
                                      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, row.url);
    insert.bind_or_null(2, row.validators.etag);
    insert.bind_or_null(3, row.validators.last_modified);
    insert.bind(4, row.checked_at);
    insert.bind(5, row.next_at);
    insert.bind_integer(6, row.status);
    insert.bind_integer(7, row.failures);
    insert.bind_or_null(8, row.last_error);
    insert.bind_integer(9, row.alerts);
    insert.change();
}

void FeedsTable::forget_validators(const std::string& url) {
    Statement update(db(handle_),
                     "UPDATE feeds SET etag = NULL, last_modified = NULL WHERE url = ?");
    update.bind(1, url);
    update.change();
}

}  // namespace headpond::ingest
