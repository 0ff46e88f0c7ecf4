#include "since.h"

#include "iso_time.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now = std::chrono::sys_days{std::chrono::year{2026} / 11 / 24} + 12h;

std::string from(const std::string& text) {
    const auto since = parse_since(text);
    return since ? iso_time(since->from(now)) : "refused";
}

TEST(Since, TimesAndDatesArePointsInTime) {
    EXPECT_EQ(from("2026-11-24T08:00:00Z"), "2026-11-24T08:00:00Z");
    EXPECT_EQ(from("2026-11-24T08:00:00+01:00"), "2026-11-24T07:00:00Z");
    EXPECT_EQ(from("2026-11-24"), "2026-11-24T00:00:00Z");
}

TEST(Since, DurationsCountBackFromWhenSomethingIsPutOut) {
    EXPECT_EQ(from("90s"), "2026-11-24T11:58:30Z");
    EXPECT_EQ(from("15m"), "2026-11-24T11:45:00Z");
    EXPECT_EQ(from("6h"), "2026-11-24T06:00:00Z");
    EXPECT_EQ(from("2d"), "2026-11-22T12:00:00Z");
    EXPECT_EQ(from("0s"), "2026-11-24T12:00:00Z");
    EXPECT_EQ(from("3652d"), "2016-11-24T12:00:00Z");
}

TEST(Since, WhatIsNeitherIsRefused) {
    for (const char* text : {"",
                             "s",
                             "6",
                             "h6",
                             "6 h",
                             "-6h",
                             "+6h",
                             "6.5h",
                             "1h30m",
                             "6w",
                             "6H",
                             "3653d",
                             "99999999999999999999s",
                             "9223372036854775807d",
                             "2026-11-31",
                             "2026-13-01",
                             "2026-1-1",
                             "24.11.2026",
                             "2026-11-24T08:00:00",
                             "2026-11-24 08:00:00Z",
                             "1764000000",
                             "yesterday"}) {
        EXPECT_EQ(from(text), "refused") << text;
    }
}

}  // namespace
}  // namespace headpond::ingest
