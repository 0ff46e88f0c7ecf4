// Rule 9: one queue clock, whatever the wall clock does.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <string>
#include <vector>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;
constexpr Ms year{365LL * 24 * 3600 * 1000};

class Rule09Clock : public QueueTest {
  protected:
    Options aging() {
        Options options = QueueTest::options();
        options.age_max = Ms{10'000};
        return options;
    }
};

TEST_F(Rule09Clock, AWallClockThatStepsAYearEitherWayExpiresNothing) {
    Queue queue(aging());
    put(queue, {"a"});
    for (const Ms step : {year, -2 * year, year}) {
        clock->step_wall(step);
        clock->advance(Ms{1'000});
        EXPECT_EQ(queue.cleanup().expired, 0);
        put(queue, {"at " + std::to_string(step.count())});
        const Health health = queue.health();
        EXPECT_GE(health.age_max, Ms{1'000});
        EXPECT_LE(health.age_max, Ms{3'000});
        EXPECT_GE(health.age_average.count(), 0);
    }
    clock->advance(Ms{7'001});
    EXPECT_EQ(queue.cleanup().expired, 1);  // ages are the true ones
    expect_sound(queue);
}

TEST_F(Rule09Clock, LeasesAndBackoffsDoNotFollowTheWallClock) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = queue.lease({.lease_time = Ms{10'000}});
    ASSERT_TRUE(batch);
    clock->step_wall(year);
    EXPECT_EQ(queue.cleanup().reclaimed, 0);
    clock->step_wall(-2 * year);
    clock->advance(Ms{10'000});
    EXPECT_EQ(queue.cleanup().reclaimed, 1);
    expect_sound(queue);
}

TEST_F(Rule09Clock, EnqueuedAtGrowsWithIdOverStepsAndReboots) {
    {
        Queue queue(options());
        put(queue, {"a"});
        clock->step_wall(-year);
        put(queue, {"b"});
    }
    clock->reboot(Ms{60'000});
    {
        Queue queue(options());
        put(queue, {"c"});
        clock->step_wall(-year);
    }
    clock->reboot(Ms{0});
    Queue queue(options());
    clock->advance(Ms{1});
    put(queue, {"d"});
    const auto items = Admin(queue).peek(10);
    ASSERT_EQ(items.size(), 4U);
    for (std::size_t i = 1; i < items.size(); ++i) {
        EXPECT_LE(items[i - 1].enqueued_at, items[i].enqueued_at);
    }
    expect_sound(queue);
}

TEST_F(Rule09Clock, AgesGoOnThroughAReboot) {
    {
        Queue queue(aging());
        put(queue, {"a"});
        clock->advance(Ms{4'000});
        put(queue, {"b"});
    }
    clock->reboot(Ms{5'000});
    Queue queue(aging());
    EXPECT_EQ(queue.health().age_max, Ms{9'000});
    clock->advance(Ms{1'001});
    EXPECT_EQ(queue.cleanup().expired, 1);
    EXPECT_EQ(resident(queue), (Keys{"b"}));
    expect_sound(queue);
}

TEST_F(Rule09Clock, AfterARebootWithAWallClockInThePastTimeGoesOnFromTheLastStoredTime) {
    {
        Queue queue(aging());
        put(queue, {"a"});
        clock->advance(Ms{4'000});
        put(queue, {"b"});
    }
    clock->step_wall(-year);
    clock->reboot(Ms{0});
    Queue queue(aging());
    put(queue, {"c"});
    EXPECT_EQ(queue.health().age_max, Ms{4'000});
    EXPECT_EQ(queue.cleanup().expired, 0);
    clock->advance(Ms{6'001});
    EXPECT_EQ(queue.cleanup().expired, 1);
    expect_sound(queue);
}

TEST_F(Rule09Clock, AQueueThatStaysOpenOverANewTimeNamespaceAnchorsAnew) {
    Queue queue(aging());
    put(queue, {"a"});
    clock->advance(Ms{4'000});
    put(queue, {"b"});
    clock->reboot(Ms{1'000});  // another boot identity, and a boot time that starts again
    put(queue, {"c"});
    const auto items = Admin(queue).peek(10);
    ASSERT_EQ(items.size(), 3U);
    EXPECT_EQ(items[2].enqueued_at - items[0].enqueued_at, Ms{5'000});
    expect_sound(queue);
}

TEST_F(Rule09Clock, TheOffsetIsStoredOncePerBoot) {
    Queue queue(options());
    RawDatabase raw(dir / "queue.db");
    const auto offset = raw.integer("SELECT offset_ms FROM clock");
    EXPECT_EQ(raw.text("SELECT boot FROM clock"), "boot-1");
    clock->step_wall(Ms{3'600'000});
    clock->advance(Ms{5'000});
    put(queue, {"a"});
    Queue other(options());
    EXPECT_EQ(raw.integer("SELECT offset_ms FROM clock"), offset);
    clock->reboot(Ms{0});
    put(queue, {"b"});
    EXPECT_NE(raw.integer("SELECT offset_ms FROM clock"), offset);
    EXPECT_EQ(raw.text("SELECT boot FROM clock"), "boot-2");
    expect_sound(queue);
}

TEST_F(Rule09Clock, SkewAndSeenAtMoveWithAWriteThatFindsThemASecondOff) {
    Queue queue(options());
    RawDatabase raw(dir / "queue.db");
    put(queue, {"a"});
    const auto seen = raw.integer("SELECT seen_at FROM clock");
    clock->advance(Ms{1'000});
    put(queue, {"b"});
    EXPECT_EQ(raw.integer("SELECT seen_at FROM clock"), seen);
    clock->advance(Ms{1});
    put(queue, {"c"});
    EXPECT_EQ(raw.integer("SELECT seen_at FROM clock"), seen + 1'001);
    EXPECT_EQ(raw.integer("SELECT skew_ms FROM clock"), 0);
    clock->step_wall(Ms{-7'000});
    put(queue, {"d"});
    EXPECT_EQ(raw.integer("SELECT skew_ms FROM clock"), -7'000);
    expect_sound(queue);
}

TEST_F(Rule09Clock, HealthShowsTheSkewWhenItPassesFiveSeconds) {
    Queue queue(options());
    const auto skew = [&]() -> std::string {
        for (const auto& row : queue.health().rows) {
            if (row.metric == "skew_s") return row.value;
        }
        return "";
    };
    clock->step_wall(Ms{5'000});
    put(queue, {"a"});
    EXPECT_EQ(skew(), "");
    clock->step_wall(Ms{3'000});
    put(queue, {"b"});
    EXPECT_EQ(skew(), "8");
    clock->step_wall(Ms{-20'000});
    put(queue, {"c"});
    EXPECT_EQ(skew(), "-12");
    expect_sound(queue);
}

TEST_F(Rule09Clock, ViewsCountAgesByTheQueueClockToo) {
    Queue queue(options());
    put(queue, {"a"});
    clock->step_wall(year);
    clock->advance(Ms{3'000});
    put(queue, {"b"});
    const Table ready = Admin(queue).view("ready");
    ASSERT_EQ(ready.rows.size(), 2U);
    EXPECT_EQ(ready.rows[0][4], "3");
    EXPECT_EQ(ready.rows[1][4], "0");
    expect_sound(queue);
}

TEST_F(Rule09Clock, PublishedAtAloneIsTheCallersWallTime) {
    Queue queue(options());
    clock->step_wall(year);
    const WallTime published{Ms{1'234'567'890'123}};
    ASSERT_EQ(queue.enqueue({.key = "a", .payload = "x", .published_at = published}),
              Enqueued::stored);
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->items()[0].published_at, published);
    EXPECT_EQ(batch->items()[0].enqueued_at + year, clock->wall());
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
