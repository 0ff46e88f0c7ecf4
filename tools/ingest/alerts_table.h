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

namespace headpond::ingest {

// A row as stored. location_method: feed, batch_pending, <resolver>_batch or fallback;
// location_confidence: high, medium, low or none; location_reason: why it is a fallback.
struct AlertRow {
    Alert alert;
    std::string method, confidence, name, country, reason;
    std::optional<double> feed_latitude, feed_longitude;  // kept where coordinates are hidden
};

// The statements of one transaction on the queue's lent writer. Lives inside Queue::transact.
class AlertsTable {
  public:
    explicit AlertsTable(Transaction& transaction);
    AlertsTable(const AlertsTable&) = delete;
    AlertsTable& operator=(const AlertsTable&) = delete;

    // Makes the table where it is missing. Throws UsageError where the name `alerts` is taken.
    void create();
    // False: the alert is known already, and nothing was changed.
    bool add(const AlertRow& row);
    void remove(std::string_view uuid);
    // Ends a pending alert; one that is not pending is left alone. False: it was not. Without a
    // location it becomes a fallback for that reason.
    bool settle(std::string_view uuid, const std::optional<Location>& location,
                std::string_view reason);
    // The same of an alert that was resolved, which may be a fallback already: its dead letter was
    // redriven.
    bool resolve(std::string_view uuid, const std::optional<Location>& location,
                 std::string_view reason);
    // Fallbacks whose dead letter was redriven are pending again.
    void reopen_redriven();
    // Pending alerts that no item and no outcome will ever end (their outcome was dropped unread)
    // become fallbacks. Answers how many.
    std::int64_t settle_lost();
    [[nodiscard]] std::vector<std::string> pending();
    [[nodiscard]] std::optional<AlertRow> find(std::string_view uuid);
    // All rows, by published time, one at a time.
    void each(const std::function<void(const AlertRow&)>& fn);

  private:
    bool end(std::string_view uuid, const std::optional<Location>& location,
             std::string_view reason, bool of_fallback);
    void* handle_;
};

}  // namespace headpond::ingest
