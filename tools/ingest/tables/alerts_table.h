// The guest table `alerts` beside the queue's own, in the same file.
#pragma once

#include "feed/alert.h"
#include "location.h"

#include <headpond/item.h>
#include <headpond/queue.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;

namespace headpond::ingest {

// A row as stored. location_method: feed, batch_pending, <resolver>_batch or fallback;
// location_confidence: high, medium, low or none; location_reason: why it is a fallback.
struct AlertRow {
    Alert alert;
    std::string method, confidence, name, country, reason;
    std::optional<double> feed_latitude, feed_longitude;  // kept where coordinates are hidden
    // When the row was added, and when it got its position; absent in rows of older files, and
    // where there is no position.
    std::optional<WallTime> added_at, located_at;
};

// The statements of one transaction on the queue's lent writer. Lives inside Queue::transact.
class AlertsTable {
  public:
    explicit AlertsTable(Transaction& transaction);
    AlertsTable(const AlertsTable&) = delete;
    AlertsTable& operator=(const AlertsTable&) = delete;

    // Makes the table where it is missing, and the columns that an older file lacks. Throws
    // UsageError where the name `alerts` is taken.
    void create();
    // False: the alert is known already, and nothing was changed.
    bool add(const AlertRow& row);
    void remove(std::string_view uuid);
    // A pending alert becomes a fallback for that reason; one that is not pending is left alone.
    // False: it was not.
    bool settle(std::string_view uuid, std::string_view reason);
    // Ends an alert that was resolved at `at`, which is pending, or a fallback whose dead letter
    // was redriven. Without a location it is a fallback for that reason.
    bool resolve(std::string_view uuid, const std::optional<Location>& location,
                 std::string_view reason, WallTime at);
    // Fallbacks whose dead letter was redriven are pending again.
    void reopen_redriven();
    // Pending alerts that no item and no outcome will ever end (their outcome was dropped unread)
    // become fallbacks. Answers how many.
    std::int64_t settle_lost();
    [[nodiscard]] std::vector<std::string> pending();
    void each_pending(const std::function<void(const AlertRow&)>& fn);
    [[nodiscard]] std::optional<AlertRow> find(std::string_view uuid);
    // All rows, by published time, one at a time.
    void each(const std::function<void(const AlertRow&)>& fn);

  private:
    sqlite3* handle_;
};

}  // namespace headpond::ingest
