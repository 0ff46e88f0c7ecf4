// Health at one glance: the rows of the view `health`, and the same as numbers.
#pragma once

#include <headpond/clock.h>

#include <cstdint>
#include <string>
#include <vector>

namespace headpond {

// One row of the view `health`; `value` and `limit` as the shell prints them, empty where none.
struct HealthRow {
    std::string metric{};
    std::string value{};
    std::string limit{};
    std::string note{};
};

enum class HealthLevel { ok, warning, critical };

// O(1) whatever the backlog. Ages by the queue clock.
struct Health {
    std::vector<HealthRow> rows{};
    HealthLevel level = HealthLevel::ok;
    std::vector<std::string> reasons{};  // why level is not ok, one line each

    std::int64_t items = 0;
    std::int64_t items_max = 0;
    std::int64_t bytes = 0;
    std::int64_t ready = 0;
    std::int64_t waiting = 0;
    std::int64_t leased = 0;
    double utilization = 0;  // items / items_max
    Ms age_max{0};           // of the oldest resident item
    Ms age_average{0};
    std::int64_t attempts = 0;        // charged since the file was made, refunds taken off
    std::int64_t failed_batches = 0;  // abandoned since the file was made
    std::int64_t dead_letters = 0;
    std::int64_t outcomes = 0;           // unread
    std::int64_t ledger_difference = 0;  // 0, or the file was edited or damaged
    std::string gate{};                  // open, closed or half_open
};

}  // namespace headpond
