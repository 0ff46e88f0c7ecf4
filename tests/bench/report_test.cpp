#include "report.h"

#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace headpond::bench {
namespace {

Row cycle_row() {
    return {.work = "cycle",
            .keys = "free",
            .backlog = 100'000,
            .per_call = 100,
            .durability = "power_loss",
            .ratio = {.median = 1.5, .min = 1.25, .max = 2},
            .us = 6,
            .floor_us = 4,
            .plotted = true};
}

TEST(Report, JsonHasTheRowsWithTheirFields) {
    Row threads = cycle_row();
    threads.work = "threads";
    threads.note = "rate / one thread's";
    threads.more = {{"producers", 16}};
    const std::vector<Row> rows{cycle_row(), threads};

    const auto json = nlohmann::json::parse(to_json(rows));

    const auto expected = nlohmann::json::parse(R"({"rows": [
        {"work": "cycle", "keys": "free", "backlog": 100000, "per_call": 100,
         "durability": "power_loss", "ratio": 1.5, "us": 6.0, "floor_us": 4.0,
         "ratio_min": 1.25, "ratio_max": 2.0},
        {"work": "threads", "keys": "free", "backlog": 100000, "per_call": 100,
         "durability": "power_loss", "ratio": 1.5, "us": 6.0, "floor_us": 4.0,
         "ratio_min": 1.25, "ratio_max": 2.0, "note": "rate / one thread's",
         "producers": 16.0}]})");
    EXPECT_EQ(json, expected);
}

TEST(Report, JsonOfNoRowsIsAnEmptyList) {
    EXPECT_EQ(nlohmann::json::parse(to_json({})), nlohmann::json::parse(R"({"rows": []})"));
}

TEST(Report, TheTableShowsThreeFigures) {
    std::ostringstream out;
    Row row = cycle_row();
    row.us = 1234.56;
    row.floor_us = 12.345;
    row.ratio = {.median = 0.0512, .min = 0.05, .max = 1};
    row.more = {{"producers", 16}};
    Table(out).row(row);
    for (const char* shown :
         {"100k", "1235 ", " 12.3 ", " 0.051 ", "0.050..1\n", "producers 16\n"}) {
        EXPECT_NE(out.str().find(shown), std::string::npos) << shown << " in\n" << out.str();
    }
}

}  // namespace
}  // namespace headpond::bench
