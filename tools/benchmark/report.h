// What was measured, as a table and as JSON.
#pragma once

#include "statistics.h"

#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace headpond::bench {

struct Row {
    std::string work;
    std::string keys;  // a KeyOption's name
    std::string peer;  // what the work peers measured, the library among them; else empty
    std::int64_t backlog = 0;
    std::int64_t per_call = 0;
    std::string durability;
    Spread ratio;   // by round; its median is the row's `ratio`
    double us = 0;  // an item, median of the rounds
    double floor_us = 0;
    bool plotted = false;      // us and floor_us are points of a line over the backlog
    double times_library = 0;  // of a peer: its time / the library's by round, the median
    std::string note;          // what floor_us and ratio are, where it is not the floor
    std::vector<std::pair<std::string, double>> more;  // figures that only this work has
};

// Line by line, so that a long run can be watched.
class Table {
  public:
    explicit Table(std::ostream& out) : out_(out) {}
    void header();
    void row(const Row& row);

  private:
    std::ostream& out_;
};

// {"rows": [{"work", "backlog", "per_call", "durability", "ratio", "us", "floor_us", ...}]}
[[nodiscard]] std::string to_json(std::span<const Row> rows);

}  // namespace headpond::bench
