#include "feed/dates.h"

#include <string>

#include <date/date.h>
#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

std::string read(std::string_view text) {
    const auto time = parse_date(text);
    return time ? date::format("%FT%T", *time) : "none";
}

struct Case {
    const char* text;
    const char* utc;
};

class Dates : public testing::TestWithParam<Case> {};

TEST_P(Dates, AreReadAsUtc) {
    EXPECT_EQ(read(GetParam().text), GetParam().utc);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc822, Dates,
    testing::Values(Case{"Thu, 30 Aug 2018 19:47:47 GMT", "2018-08-30T19:47:47.000"},
                    Case{"Thu, 30 Aug 2018 19:47:47 +0800", "2018-08-30T11:47:47.000"},
                    Case{"Thu, 30 Aug 2018 19:47:47 -0330", "2018-08-30T23:17:47.000"},
                    Case{"Thu, 30 Aug 2018 19:47:47 +08:00", "2018-08-30T11:47:47.000"},
                    Case{"Thu, 30 Aug 2018 19:47 UT", "2018-08-30T19:47:00.000"},
                    Case{"Thu, 30 Aug 2018 19:47 +0100", "2018-08-30T18:47:00.000"},
                    Case{"30 Aug 2018 19:47:47 EST", "2018-08-31T00:47:47.000"},
                    Case{"30 Aug 2018 19:47:47 EDT", "2018-08-30T23:47:47.000"},
                    Case{"30 Aug 2018 19:47:47 PST", "2018-08-31T03:47:47.000"},
                    Case{"30 Aug 2018 19:47:47 pdt", "2018-08-31T02:47:47.000"},
                    Case{"30 Aug 2018 19:47:47 CEST", "2018-08-30T17:47:47.000"},
                    Case{"30 Aug 2018 19:47:47 Z", "2018-08-30T19:47:47.000"},
                    Case{"30 Aug 2018 19:47:47 A", "2018-08-30T19:47:47.000"},
                    Case{"30 Aug 2018 19:47:47 GMT+0200", "2018-08-30T17:47:47.000"},
                    Case{"30 Aug 2018 19:47:47 +0800 (AWST)", "2018-08-30T11:47:47.000"},
                    Case{"30 Aug 2018 19:47:47", "2018-08-30T19:47:47.000"},
                    Case{"Thu, 30 Aug 18 19:47:47 GMT", "2018-08-30T19:47:47.000"},
                    Case{"30 Aug 49 00:00 GMT", "2049-08-30T00:00:00.000"},
                    Case{"1 Jan 00 00:30 +0100", "1999-12-31T23:30:00.000"},
                    Case{"31 Dec 49 23:30 -0100", "2050-01-01T00:30:00.000"},
                    Case{"30 Aug 99 00:00 GMT", "1999-08-30T00:00:00.000"},
                    Case{"Tue, 29 Feb 00 12:00 GMT", "2000-02-29T12:00:00.000"},
                    Case{"Mon, 1 Jan 2024 00:00:00 +0100", "2023-12-31T23:00:00.000"},
                    Case{"Thursday, 30 August 2018 19:47:47 GMT", "2018-08-30T19:47:47.000"},
                    Case{"Mon, 30 Aug 2018 19:47:47 GMT", "2018-08-30T19:47:47.000"},
                    Case{"  Thu,  30 Aug 2018\n 19:47:47   GMT ", "2018-08-30T19:47:47.000"},
                    Case{"Sat, 31 Dec 2016 23:59:60 GMT", "2017-01-01T00:00:00.000"},
                    Case{"30 Aug 2018", "2018-08-30T00:00:00.000"}));

INSTANTIATE_TEST_SUITE_P(
    Iso, Dates,
    testing::Values(Case{"2018-08-30T19:47:47Z", "2018-08-30T19:47:47.000"},
                    Case{"2018-08-30t19:47:47z", "2018-08-30T19:47:47.000"},
                    Case{"2018-08-30T19:47:47.25Z", "2018-08-30T19:47:47.250"},
                    Case{"2018-08-30T19:47:47.1239999Z", "2018-08-30T19:47:47.123"},
                    Case{"2018-08-30T19:47:47+08:00", "2018-08-30T11:47:47.000"},
                    Case{"2018-08-30T19:47:47-0130", "2018-08-30T21:17:47.000"},
                    Case{"2018-08-30T19:47+08", "2018-08-30T11:47:00.000"},
                    Case{"2018-08-30 19:47:47", "2018-08-30T19:47:47.000"},
                    Case{"2018-08-30 19:47:47 +0800", "2018-08-30T11:47:47.000"},
                    Case{"2018-08-30", "2018-08-30T00:00:00.000"},
                    Case{"2020-02-29", "2020-02-29T00:00:00.000"},
                    Case{"1969-07-20T20:17:40Z", "1969-07-20T20:17:40.000"},
                    Case{"9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000"}));

INSTANTIATE_TEST_SUITE_P(
    NoDates, Dates,
    testing::Values(
        Case{"", "none"}, Case{"   ", "none"}, Case{"yesterday", "none"}, Case{"2018", "none"},
        Case{"2018-13-01", "none"}, Case{"2018-02-30", "none"},
        Case{"2018-08-30T25:00:00Z", "none"}, Case{"2018-08-30T19:61:00Z", "none"},
        Case{"2018-08-30T19:47:61Z", "none"}, Case{"2018-08-30T19:47:7Z", "none"},
        Case{"2018-08-30T19:47:Z", "none"}, Case{"30 Aug 2018 19:47:\xBD=7 GMT", "none"},
        Case{"30 Aug 2018 19:47:", "none"}, Case{"2018-08-30T19:47:47+99:00", "none"},
        Case{"2018-08-30T19:47:47 at noon", "none"}, Case{"30 Aug 2018 19:47:47 IST", "none"},
        Case{"30 Aug 2018 19:47:47 EST+1", "none"}, Case{"30 Foo 2018 19:47:47 GMT", "none"},
        Case{"31 Feb 2018 10:00:00 GMT", "none"}, Case{"30/08/2018 19:47:47", "none"},
        Case{"1535658467", "none"}, Case{"0001-01-01T00:00:00Z", "none"}, Case{"Thu,", "none"},
        Case{"99999-01-01", "none"}, Case{"-2018-01-01", "none"}));

TEST(DatesBounds, LongTextIsNoDate) {
    EXPECT_FALSE(parse_date(std::string(1'000'000, '1')));
}

TEST(DatesBounds, EmbeddedZeroIsNoDate) {
    EXPECT_FALSE(parse_date(std::string_view("2018-08-30\0 19:47:47", 20)));
}

}  // namespace
}  // namespace headpond::ingest
