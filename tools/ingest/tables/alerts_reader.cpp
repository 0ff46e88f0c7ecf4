#include "tables/alerts_reader.h"

#include "tables/alerts_row.h"

#include <headpond/error.h>

#include <filesystem>
#include <utility>

#include <sqlite3.h>

namespace headpond::ingest {

namespace {

constexpr int busy_ms = 5'000;

}  // namespace

AlertsReader::AlertsReader(const std::string& path, std::stop_token stop) : stop_(std::move(stop)) {
    // Absolute, it is never taken for a URI.
    const std::string file = std::filesystem::absolute(path).string();
    const int code = sqlite3_open_v2(file.c_str(), &handle_,
                                     SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
    if (code != SQLITE_OK) {
        const Error error(ErrorCode::io, "alerts", path, sqlite3_errstr(code), code);
        sqlite3_close(handle_);
        throw error;
    }
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_timeout(handle_, busy_ms);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, static_cast<int*>(nullptr));
    sqlite3_exec(handle_, "BEGIN", nullptr, nullptr, nullptr);
}

AlertsReader::~AlertsReader() {
    sqlite3_close(handle_);
}

void AlertsReader::each(const std::optional<WallTime>& since,
                        const std::function<void(const AlertRow&)>& fn) {
    // Only keys are sorted, the rows are fetched one by one: a sort of whole rows would hold them.
    Statement keys(handle_,
                   "SELECT uuid FROM alerts WHERE ?1 IS NULL OR "
                   "coalesce(added_at, published_at) >= ?1 ORDER BY published_at, uuid");
    keys.bind(1, since);
    Statement row(handle_, "SELECT " + all_columns() + " FROM alerts WHERE uuid = ?");
    while (keys.step()) {
        if (stop_.stop_requested()) throw ReadingStopped{};
        row.bind(1, keys.text(0));
        if (row.step()) fn(read_row(row));
        row.reset();
    }
}

}  // namespace headpond::ingest
