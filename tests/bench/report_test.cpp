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

Row peer_row() {
    Row row = cycle_row();
    row.work = "peers";
    row.peer = "persist-queue-fifo";
    row.times_library = 3.25;
    row.note = "4+4 workers";
    row.more = {{"producers", 4}};
    return row;
}

TEST(Report, JsonHasAPeersNameAndItsTimeBesideTheLibrarys) {
    const std::vector<Row> rows{cycle_row(), peer_row()};
    const auto json = nlohmann::json::parse(to_json(rows)).at("rows");
    EXPECT_FALSE(json.at(0).contains("peer"));
    EXPECT_FALSE(json.at(0).contains("times_library"));
    EXPECT_EQ(json.at(1).at("peer"), "persist-queue-fifo");
    EXPECT_EQ(json.at(1).at("times_library"), 3.25);
    EXPECT_EQ(json.at(1).at("ratio"), 1.5);
    EXPECT_EQ(json.at(1).at("producers"), 4);
}

TEST(Report, APeersRowIsOneLineAsWideAsATerminal) {
    std::ostringstream out;
    Table(out).row(peer_row());
    const std::string text = out.str();
    EXPECT_TRUE(text.starts_with("persist-queue-fifo    100k ")) << text;
    EXPECT_TRUE(text.ends_with("  3.25 x library, 4+4 workers\n")) << text;
    EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
    EXPECT_LE(text.size(), 126U) << text;
}

}  // namespace
}  // namespace headpond::bench
