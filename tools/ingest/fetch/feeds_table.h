// The guest table `feeds`: what is known of each address that was asked.
#pragma once

#include <headpond/clock.h>
#include <headpond/queue.h>

#include <cstdint>
#include <optional>
#include <string>

namespace headpond::ingest {

// What makes a request conditional; empty parts are not sent.
struct Validators {
    std::string etag, last_modified;
    bool operator==(const Validators&) const = default;
};

struct FeedRow {
    std::string url;
    Validators validators;  // of a body all of whose alerts are stored
    std::optional<WallTime> checked_at;
    std::optional<WallTime> next_at;     // may be asked again from then on
    std::optional<std::int64_t> status;  // of the last answer; absent: there was none
    std::int64_t failures = 0;           // in a row
    std::string last_error;              // empty: none
    std::optional<std::int64_t> alerts;  // in the last answer that was read
};

// The statements of one transaction on the queue's lent writer. Lives inside Queue::transact.
class FeedsTable {
  public:
    explicit FeedsTable(Transaction& transaction);

    // Makes the table where it is missing. Throws UsageError where the name `feeds` is taken.
    void create();
    [[nodiscard]] std::optional<FeedRow> find(const std::string& url);
    // Adds or replaces the row.
    void put(const FeedRow& row);
    // The next request is unconditional.
    void forget_validators(const std::string& url);

  private:
    void* handle_;
};

}  // namespace headpond::ingest
