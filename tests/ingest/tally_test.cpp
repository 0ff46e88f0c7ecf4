#include "tally.h"

#include <string>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

AlertRow row_of(const std::string& uuid, const std::string& source, const std::string& method,
                const std::string& reason = {}) {
    AlertRow row;
    row.alert.uuid = uuid;
    row.alert.title = "title of " + uuid;
    row.alert.source_tag = source;
    row.method = method;
    row.reason = reason;
    return row;
}

// At 0, 0, and found so many degrees further east.
AlertRow measured(const std::string& uuid, double degrees, const std::string& method = "a_batch") {
    AlertRow row = row_of(uuid, "a", method);
    row.feed_latitude = row.feed_longitude = 0;
    if (method == "a_batch") {
        row.alert.latitude = 0;
        row.alert.longitude = degrees;
    }
    return row;
}

TEST(Tally, CountsBySourceAndByWhatBecameOfEach) {
    Tally tally(false);
    tally.count(row_of("1", "a", "feed"));
    tally.count(row_of("2", "a", "gazetteer_batch"));
    tally.count(row_of("3", "b", "fallback", "evicted"));
    tally.count(row_of("4", "b", "fallback", "stale"));
    tally.count(row_of("5", "b", "batch_pending"));
    const Counts& all = tally.total();
    EXPECT_EQ(all.alerts, 5);
    EXPECT_EQ(all.by_feed, 1);
    EXPECT_EQ(all.by_batch, 1);
    EXPECT_EQ(all.fallback, 2);
    EXPECT_EQ(all.pending, 1);
    EXPECT_EQ(all.evicted, 1);
    EXPECT_EQ(all.expired, 1);
    EXPECT_EQ(tally.sources().at("a").counts.alerts, 2);
    EXPECT_EQ(tally.sources().at("b").counts.alerts, 3);
    EXPECT_EQ(tally.sources().at("b").counts.pending, 1);
}

TEST(Tally, AnAlertIsCountedOnceAndAsWhatItBecame) {
    Tally tally(false);
    EXPECT_FALSE(tally.seen("1"));
    tally.count(row_of("1", "a", "batch_pending"));
    EXPECT_TRUE(tally.seen("1"));
    EXPECT_TRUE(tally.is_open("1"));
    tally.count(row_of("1", "a", "fallback", "abandoned"));
    EXPECT_EQ(tally.total().pending, 0);
    EXPECT_EQ(tally.total().abandoned, 1);
    tally.count(row_of("1", "a", "batch_pending"));  // redriven
    EXPECT_EQ(tally.total().abandoned, 0);
    tally.count(row_of("1", "a", "gazetteer_batch"));
    EXPECT_FALSE(tally.is_open("1"));
    tally.count(row_of("1", "a", "gazetteer_batch"));
    EXPECT_EQ(tally.total().alerts, 1);
    EXPECT_EQ(tally.total().by_batch, 1);
    EXPECT_EQ(tally.total().fallback + tally.total().pending, 0);
}

TEST(Tally, AnAlertWhoseRowIsGoneDoesNotCount) {
    Tally tally(true);
    tally.count(measured("1", 0, "fallback"));
    tally.count(measured("2", 0));
    tally.remove("1");
    tally.remove("1");
    tally.remove("2");  // nothing ends an alert that has its place
    EXPECT_EQ(tally.total().alerts, 1);
    EXPECT_EQ(tally.total().fallback, 0);
    EXPECT_EQ(tally.sources().at("a").accuracy.alerts, 1);
    EXPECT_EQ(tally.sources().at("a").accuracy.fallback, 0);
}

TEST(Tally, SourcesBeyondItsBoundAreCountedTogether) {
    Tally tally(false);
    for (std::size_t i = 0; i < Tally::sources_max + 50; ++i) {
        tally.count(row_of(std::to_string(i), "source " + std::to_string(i), "batch_pending"));
    }
    tally.count(row_of("again", "source 0", "feed"));
    EXPECT_EQ(tally.sources().size(), Tally::sources_max);
    EXPECT_EQ(tally.others().counts.alerts, 50);
    EXPECT_EQ(tally.sources().at("source 0").counts.alerts, 2);
    tally.count(row_of("1040", "source 1040", "fallback"));
    EXPECT_EQ(tally.others().counts.pending, 49);
    EXPECT_EQ(tally.others().counts.fallback, 1);
}

TEST(Tally, OldFallbacksStayCountedAndAreForgotten) {
    Tally tally(false);
    const std::size_t count = Tally::fallbacks_max + 5;
    for (std::size_t i = 0; i < count; ++i) {
        tally.count(row_of(std::to_string(i), "a", "fallback", "abandoned"));
        tally.count(row_of(std::to_string(i), "a", "fallback", "abandoned"));
    }
    EXPECT_EQ(tally.open().size(), Tally::fallbacks_max);
    EXPECT_FALSE(tally.is_open("0"));
    EXPECT_TRUE(tally.is_open("5"));
    EXPECT_EQ(tally.total().abandoned, static_cast<std::int64_t>(count));
}

TEST(Tally, MeasuresAgainstHiddenCoordinates) {
    Tally tally(true);
    tally.count(measured("near", 0.5));
    tally.count(measured("far", 20));
    tally.count(measured("farther", 40));
    tally.count(measured("lost", 0, "fallback"));
    tally.count(measured("waiting", 0, "batch_pending"));
    tally.count(row_of("unmeasured", "a", "feed"));
    const Accuracy& accuracy = tally.sources().at("a").accuracy;
    EXPECT_EQ(accuracy.alerts, 5);
    EXPECT_EQ(accuracy.located, 3);
    EXPECT_EQ(accuracy.within_100_km, 1);
    EXPECT_EQ(accuracy.fallback, 1);
    EXPECT_NEAR(accuracy.distances.median().value_or(0), 2224, 2224 * 0.011);
    ASSERT_EQ(tally.misses().size(), 2U);
    EXPECT_EQ(tally.misses()[0].title, "title of farther");
    EXPECT_EQ(tally.misses()[1].title, "title of far");
    EXPECT_NEAR(tally.misses()[1].distance_km, 2224, 1);
}

TEST(Tally, KeepsTheWorstMisses) {
    Tally tally(true);
    for (int i = 1; i <= 30; ++i) tally.count(measured(std::to_string(i), (i * 7) % 31 + 2));
    ASSERT_EQ(tally.misses().size(), Tally::misses_max);
    for (std::size_t i = 1; i < tally.misses().size(); ++i) {
        EXPECT_GT(tally.misses()[i - 1].distance_km, tally.misses()[i].distance_km);
    }
    EXPECT_NEAR(tally.misses()[0].distance_km, 32 * 111.2, 5);
    EXPECT_NEAR(tally.misses()[9].distance_km, 23 * 111.2, 5);
}

TEST(Distances, TheMedianIsOffByAPercentAtMost) {
    Distances distances;
    EXPECT_FALSE(distances.median());
    distances.add(0);
    EXPECT_EQ(distances.median(), 0);
    for (int i = 1; i <= 2'000; ++i) distances.add(i);
    EXPECT_NEAR(distances.median().value_or(0), 1'000, 11);
    Distances more;
    for (int i = 0; i < 4'000; ++i) more.add(20'015);
    more.add(distances);
    EXPECT_NEAR(more.median().value_or(0), 20'015, 201);
}

}  // namespace
}  // namespace headpond::ingest
