#include "http/retry_after.h"

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

constexpr WallTime now{Ms{1'445'412'480'000}};  // Wed, 21 Oct 2015 07:28:00 GMT

TEST(RetryAfter, Seconds) {
    EXPECT_EQ(parse_retry_after("0", now), Ms{0});
    EXPECT_EQ(parse_retry_after(" 120 ", now), Ms{120'000});
}

TEST(RetryAfter, TheThreeFormsOfADate) {
    EXPECT_EQ(parse_retry_after("Wed, 21 Oct 2015 07:29:30 GMT", now), Ms{90'000});
    EXPECT_EQ(parse_retry_after("Wednesday, 21-Oct-15 07:29:30 GMT", now), Ms{90'000});
    EXPECT_EQ(parse_retry_after("Wed Oct 21 07:29:30 2015", now), Ms{90'000});
}

TEST(RetryAfter, ThePastIsNow) {
    EXPECT_EQ(parse_retry_after("Wed, 21 Oct 2015 07:00:00 GMT", now), Ms{0});
}

TEST(RetryAfter, AMistakeIsNotObeyedForYears) {
    EXPECT_EQ(parse_retry_after("99999999999999999999", now), retry_after_max);
    EXPECT_EQ(parse_retry_after("Wed, 21 Oct 2215 07:28:00 GMT", now), retry_after_max);
}

TEST(RetryAfter, AnythingElseIsNone) {
    for (const char* text : {"", " ", "-5", "+5", "1.5", "soon", "5 minutes", "0x10"}) {
        EXPECT_EQ(parse_retry_after(text, now), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace headpond::ingest
