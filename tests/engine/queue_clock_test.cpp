// The queue clock on the rows of a real store.
#include "engine/queue_clock.h"

#include "support/fake_clock.h"
#include "support/store_factory.h"

#include <gtest/gtest.h>

namespace headpond::engine {
namespace {

constexpr store::Millis start = 1'800'000'000'000;

class QueueClock : public ::testing::Test {
  protected:
    Instant read(const store::ClockRow& row) {
        Instant instant;
        store->read("test", [&](store::Transaction& tx) { instant = read_clock(clock, row, tx); });
        return instant;
    }
    test::TempDir dir;
    std::unique_ptr<store::Store> store = test::open_sqlite_store(dir / "queue.db");
    test::FakeClock clock;
};

TEST_F(QueueClock, ANewFileIsAnchoredAtTheWallClock) {
    const Instant instant = read({});
    EXPECT_EQ(instant.now, start);
    EXPECT_EQ(instant.wall, start);
    ASSERT_TRUE(instant.anchor);
    EXPECT_EQ(instant.anchor->boot, "boot-1");
    EXPECT_EQ(instant.anchor->offset, start - clock.since_boot().count());
    EXPECT_EQ(instant.anchor->seen_at, start);
    EXPECT_EQ(instant.anchor->anchored_at, start);
    EXPECT_EQ(instant.anchor->skew, 0);
}

TEST_F(QueueClock, WithinABootTheWallClockIsNotAsked) {
    const store::ClockRow row = *read({}).anchor;
    clock.advance(Ms{1'234});
    clock.step_wall(Ms{-1'000'000});
    const Instant instant = read(row);
    EXPECT_EQ(instant.now, start + 1'234);
    EXPECT_EQ(instant.wall, start + 1'234 - 1'000'000);
    EXPECT_FALSE(instant.anchor);
}

TEST_F(QueueClock, ANewBootStartsAtTheWallClockOrTheLastStoredTimeWhicheverIsLater) {
    store::ClockRow row = *read({}).anchor;
    clock.reboot(Ms{60'000});
    EXPECT_EQ(read(row).now, start + 60'000);
    row.seen_at = start + 70'000;
    EXPECT_EQ(read(row).now, start + 70'000);
    row.anchored_at = start + 80'000;
    const Instant instant = read(row);
    EXPECT_EQ(instant.now, start + 80'000);
    EXPECT_EQ(instant.anchor->skew, -20'000);
    EXPECT_EQ(instant.anchor->boot, "boot-2");
}

TEST_F(QueueClock, ANewBootNeverStartsBeforeTheNewestItem) {
    const store::ClockRow row = *read({}).anchor;
    store->write({.operation = "test"}, [](store::Transaction& tx) {
        tx.insert({.key = "a", .enqueued_at = start + 500'000});
    });
    clock.reboot(Ms{0});
    EXPECT_EQ(read(row).now, start + 500'000);
}

TEST_F(QueueClock, TheRowMovesWhenItIsMoreThanASecondOff) {
    const store::ClockRow row = *read({}).anchor;
    clock.advance(Ms{1'000});
    EXPECT_FALSE(touched(row, read(row)));
    clock.advance(Ms{1});
    const auto seen = touched(row, read(row));
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->seen_at, start + 1'001);
    EXPECT_EQ(seen->offset, row.offset);
    clock.step_wall(Ms{-1'001});
    const auto skewed = touched(*seen, read(*seen));
    ASSERT_TRUE(skewed);
    EXPECT_EQ(skewed->skew, -1'001);
}

}  // namespace
}  // namespace headpond::engine
