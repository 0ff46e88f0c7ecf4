#include "fetch/feed_schedule.h"

#include "support/fake_clock.h"

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using namespace std::chrono_literals;
using Result = FeedSchedule::Result;

class FeedScheduleTest : public testing::Test {
  protected:
    FeedSchedule every(Ms interval) { return {{.interval = interval, .host_delay = 1s}, random}; }
    FeedSchedule once() { return {{.host_delay = 1s, .patience = 30s}, random}; }

    test::FakeRandom random;
};

TEST_F(FeedScheduleTest, AFeedIsAskedEachIntervalFromStartToStart) {
    FeedSchedule schedule = every(60s);
    schedule.add("a", 0ms, 0);
    ASSERT_EQ(schedule.start(10s), 0U);
    EXPECT_EQ(schedule.start(10s), std::nullopt);
    schedule.answered(0, 12s, {});
    EXPECT_EQ(schedule.start(20s), std::nullopt);  // not before it is finished
    EXPECT_EQ(schedule.next_start(), std::nullopt);
    EXPECT_EQ(schedule.finish(0, Result::good, 15s).next_at, 70s);
    EXPECT_EQ(schedule.next_start(), 70s);
    EXPECT_EQ(schedule.start(69'999ms), std::nullopt);
    EXPECT_EQ(schedule.start(70s), 0U);
    // Handling took longer than the interval.
    schedule.answered(0, 71s, {});
    EXPECT_EQ(schedule.finish(0, Result::good, 200s).next_at, 200s);
}

TEST_F(FeedScheduleTest, WhatCouldNotBeStoredIsAskedForSoon) {
    for (const auto& [interval, next] : {std::pair<Ms, Ms>{3600s, 80s}, {5s, 25s}}) {
        FeedSchedule schedule = every(interval);
        schedule.add("a", 0ms, 2);
        ASSERT_EQ(schedule.start(10s), 0U);
        schedule.answered(0, 11s, {});
        const auto plan = schedule.finish(0, Result::not_stored, 20s);
        EXPECT_EQ(plan.next_at, next);
        EXPECT_EQ(plan.failures, 0);
    }
}

TEST_F(FeedScheduleTest, AHostIsAskedOnceAtATimeAndAfterTheDelay) {
    FeedSchedule schedule = every(60s);
    schedule.add("a", 0ms, 0);
    schedule.add("a", 0ms, 0);
    schedule.add("b", 0ms, 0);
    ASSERT_EQ(schedule.start(10s), 0U);
    ASSERT_EQ(schedule.start(10s), 2U);
    EXPECT_EQ(schedule.start(50s), std::nullopt);
    EXPECT_EQ(schedule.next_start(), std::nullopt);
    schedule.answered(0, 50s, {});
    EXPECT_EQ(schedule.next_start(), 51s);
    EXPECT_EQ(schedule.start(50'999ms), std::nullopt);
    EXPECT_EQ(schedule.start(51s), 1U);
}

TEST_F(FeedScheduleTest, TheOneThatWaitsLongestIsFirst) {
    FeedSchedule schedule = every(60s);
    schedule.add("a", 5s, 0);
    schedule.add("b", 3s, 0);
    schedule.add("", 4s, 0);
    EXPECT_EQ(schedule.start(10s), 1U);
    EXPECT_EQ(schedule.start(10s), 2U);
    EXPECT_EQ(schedule.start(10s), 0U);
}

TEST_F(FeedScheduleTest, FailuresDoubleTheIntervalUpToAnHour) {
    FeedSchedule schedule = every(60s);
    schedule.add("a", 0ms, 0);
    Ms now = 0ms;
    for (int failures = 1; failures <= 20; ++failures) {
        ASSERT_EQ(schedule.start(now), 0U) << failures;
        schedule.answered(0, now, {});
        const auto plan = schedule.finish(0, Result::failed, now);
        const Ms whole = failures < 6 ? Ms{60s} * (1 << failures) : Ms{1h};
        EXPECT_EQ(plan.failures, failures);
        EXPECT_GE(plan.next_at - now, whole / 2) << failures;
        EXPECT_LE(plan.next_at - now, whole) << failures;
        now = plan.next_at;
    }
    ASSERT_EQ(schedule.start(now), 0U);
    schedule.answered(0, now, {});
    const auto plan = schedule.finish(0, Result::good, now);
    EXPECT_EQ(plan.failures, 0);
    EXPECT_EQ(plan.next_at, now + 60s);
}

TEST_F(FeedScheduleTest, FeedsThatFailTogetherComeBackApart) {
    FeedSchedule schedule = every(60s);
    for (const char* host : {"a", "b"}) schedule.add(host, 0ms, 8);
    const auto pause_of = [&](std::size_t feed) {
        EXPECT_EQ(schedule.start(0ms), feed);
        return schedule.finish(feed, Result::failed, 0ms).next_at;
    };
    const Ms first = pause_of(0);
    EXPECT_NE(first, pause_of(1));
}

TEST_F(FeedScheduleTest, ALongIntervalIsNeverShortenedByAFailure) {
    FeedSchedule schedule = every(2h);
    schedule.add("a", 0ms, 0);
    ASSERT_EQ(schedule.start(0ms), 0U);
    EXPECT_EQ(schedule.finish(0, Result::failed, 0ms).next_at, 2h);
}

TEST_F(FeedScheduleTest, AFileIsReadAsOftenAfterAFailure) {
    FeedSchedule schedule = every(60s);
    schedule.add("", 0ms, 0);
    schedule.add("", 0ms, 0);
    ASSERT_EQ(schedule.start(0ms), 0U);
    ASSERT_EQ(schedule.start(0ms), 1U);
    schedule.answered(0, 0ms, {});
    const auto plan = schedule.finish(0, Result::failed, 0ms);
    EXPECT_EQ(plan.next_at, 60s);
    EXPECT_EQ(plan.failures, 1);
}

TEST_F(FeedScheduleTest, WhatIsGoneIsAskedOnceADay) {
    FeedSchedule schedule = every(60s);
    schedule.add("a", 0ms, 0);
    ASSERT_EQ(schedule.start(0ms), 0U);
    EXPECT_EQ(schedule.finish(0, Result::gone, 1s).next_at, 24h + 1s);
}

TEST_F(FeedScheduleTest, RetryAfterHoldsForTheWholeHost) {
    FeedSchedule schedule = every(60s);
    schedule.add("a", 0ms, 0);
    schedule.add("a", 0ms, 0);
    schedule.add("b", 0ms, 0);
    ASSERT_EQ(schedule.start(0ms), 0U);
    schedule.answered(0, 1s, 600s);
    EXPECT_EQ(schedule.pause_of(1, 101s), 500s);
    EXPECT_EQ(schedule.pause_of(2, 101s), 0ms);
    EXPECT_EQ(schedule.finish(0, Result::failed, 1s).next_at, 601s);
    EXPECT_EQ(schedule.start(600s), 2U);
    EXPECT_EQ(schedule.start(600s), std::nullopt);
    EXPECT_EQ(schedule.start(601s), 1U);
    // A shorter word does not take back a longer one.
    schedule.answered(1, 602s, 100s);
    ASSERT_EQ(schedule.start(702s), 0U);
    schedule.answered(0, 703s, 50s);
    EXPECT_EQ(schedule.pause_of(0, 703s), 50s);
}

TEST_F(FeedScheduleTest, WhatWasLeftByAnEarlierRunGoesOn) {
    FeedSchedule schedule = every(60s);
    schedule.add("a", 500s, 3);
    EXPECT_EQ(schedule.start(499s), std::nullopt);
    EXPECT_EQ(schedule.next_start(), 500s);
    ASSERT_EQ(schedule.start(500s), 0U);
    EXPECT_EQ(schedule.finish(0, Result::failed, 500s).failures, 4);
}

TEST_F(FeedScheduleTest, AskedOnceMeansOnceAndAtOnce) {
    FeedSchedule schedule = once();
    schedule.add("a", 500s, 3);
    ASSERT_EQ(schedule.start(0ms), 0U);
    schedule.answered(0, 0ms, {});
    const auto plan = schedule.finish(0, Result::failed, 0ms);
    EXPECT_EQ(plan.failures, 4);
    EXPECT_GE(plan.next_at, 8min);  // for a run that follows
    EXPECT_EQ(schedule.next_start(), std::nullopt);
    EXPECT_EQ(schedule.start(24h), std::nullopt);
}

TEST_F(FeedScheduleTest, AskedOnceAShortPauseIsKeptAndALongOneIsGivenUp) {
    FeedSchedule schedule = once();
    for (const char* host : {"a", "a", "b", "b"}) schedule.add(host, 0ms, 0);
    ASSERT_EQ(schedule.start(0ms), 0U);
    ASSERT_EQ(schedule.start(0ms), 2U);
    EXPECT_EQ(schedule.give_up(0ms), std::nullopt);
    schedule.answered(0, 0ms, 31s);
    schedule.answered(2, 0ms, 30s);
    EXPECT_EQ(schedule.give_up(0ms), 1U);
    EXPECT_EQ(schedule.give_up(0ms), std::nullopt);
    EXPECT_EQ(schedule.start(29s), std::nullopt);
    EXPECT_EQ(schedule.start(30s), 3U);
}

}  // namespace
}  // namespace headpond::ingest
