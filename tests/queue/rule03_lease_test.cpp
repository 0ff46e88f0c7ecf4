// Rule 3: what a lease takes, and when.
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/watched_clock.h"

#include <future>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class Rule03Lease : public QueueTest {
  protected:
    static Keys numbered(int first, int last) {
        Keys keys;
        for (int i = first; i <= last; ++i) keys.push_back("k" + std::to_string(i));
        return keys;
    }
    // Leases, and nacks so that the batch is due after `delay`.
    static void fail_one(Queue& queue, Ms delay) {
        auto batch = queue.lease();
        ASSERT_TRUE(batch);
        Settlement settlement;
        settlement.error = "again";
        settlement.delay = delay;
        batch->settle(settlement);
    }
};

TEST_F(Rule03Lease, TakesTheOldestReadyItemsAtOnceUpToBatchItemsMax) {
    Queue queue(options());
    put(queue, numbered(1, 60));
    auto first = queue.lease();
    auto second = queue.lease();
    auto third = queue.lease();
    ASSERT_TRUE(first && second && third);
    EXPECT_EQ(keys_of(*first), numbered(1, 25));
    EXPECT_EQ(keys_of(*second), numbered(26, 50));
    EXPECT_EQ(keys_of(*third), numbered(51, 60));
    EXPECT_FALSE(queue.lease());
    expect_sound(queue);
}

TEST_F(Rule03Lease, ALeasedItemIsWholeAndADeadlineIsTold) {
    Queue queue(options());
    const WallTime published{Ms{1'700'000'000'123}};
    const std::string payload("\0\xff\n bytes", 9);
    ASSERT_EQ(queue.enqueue({.key = "schl\xc3\xbcssel",
                             .source_tag = "feed",
                             .payload = payload,
                             .tracking = Tracking::tracked,
                             .published_at = published}),
              Enqueued::stored);
    ASSERT_EQ(queue.enqueue({.key = "empty"}), Enqueued::stored);
    const auto batch = queue.lease({.lease_time = Ms{12'345}});
    ASSERT_TRUE(batch);
    ASSERT_EQ(batch->items().size(), 2U);
    const Item& item = batch->items()[0];
    EXPECT_EQ(item.key, "schl\xc3\xbcssel");
    EXPECT_EQ(item.source_tag, "feed");
    EXPECT_EQ(item.payload, payload);
    EXPECT_EQ(item.tracking, Tracking::tracked);
    EXPECT_EQ(item.published_at, published);
    EXPECT_EQ(item.enqueued_at, clock->wall());
    EXPECT_EQ(batch->items()[1].payload, "");
    EXPECT_FALSE(batch->items()[1].published_at);
    EXPECT_EQ(batch->deadline(), clock->wall() + Ms{12'345});
    EXPECT_EQ(batch->attempts_max(), 3);
    expect_sound(queue);
}

TEST_F(Rule03Lease, ARequestMayAskForFewerButNotForMore) {
    Options options = QueueTest::options();
    options.batch_items_max = 4;
    Queue queue(options);
    put(queue, numbered(1, 10));
    EXPECT_EQ(queue.lease({.items_max = 2})->items().size(), 2U);
    Queue other(options);
    put(other, numbered(11, 16));
    auto batch = other.lease({.items_max = 100});
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->items().size(), 4U);
    expect_sound(queue);
}

TEST_F(Rule03Lease, BatchBytesMaxCutsAndOneItemAlwaysFits) {
    Options options = QueueTest::options();
    options.batch_bytes_max = 100;
    Queue queue(options);
    const std::string big(150, 'x');
    const std::string half(50, 'x');
    for (const char* key : {"h1", "h2", "h3"}) (void)queue.enqueue({.key = key, .payload = half});
    (void)queue.enqueue({.key = "big", .payload = big});
    (void)queue.enqueue({.key = "h4", .payload = half});
    std::vector<Keys> cuts;
    std::vector<Batch> held;
    while (auto batch = queue.lease()) {
        cuts.push_back(keys_of(*batch));
        held.push_back(std::move(*batch));
    }
    EXPECT_EQ(cuts, (std::vector<Keys>{{"h1", "h2"}, {"h3"}, {"big"}, {"h4"}}));
    expect_sound(queue);
}

TEST_F(Rule03Lease, ADueWaitingBatchComesFirstAndWholeWhateverItsSize) {
    Queue queue(options());
    put(queue, numbered(1, 20));
    fail_one(queue, Ms{0});
    put(queue, numbered(21, 30));
    Admin(queue).set("batch_items_max", "3", "test");
    Admin(queue).set("batch_bytes_max", "1", "test");
    auto again = queue.lease({.items_max = 2});
    ASSERT_TRUE(again);
    EXPECT_EQ(keys_of(*again), numbered(1, 20));
    EXPECT_EQ(again->attempt(), 2);
    expect_sound(queue);
}

TEST_F(Rule03Lease, AWaitingBatchThatIsNotDueDoesNotHoldUpReadyItems) {
    Queue queue(options());
    put(queue, {"a"});
    fail_one(queue, Ms{5'000});
    put(queue, {"b"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (Keys{"b"}));
    EXPECT_FALSE(queue.lease());
    clock->advance(Ms{4'999});
    EXPECT_FALSE(queue.lease());
    clock->advance(Ms{1});
    auto again = queue.lease();
    ASSERT_TRUE(again);
    EXPECT_EQ(keys_of(*again), (Keys{"a"}));
    expect_sound(queue);
}

TEST_F(Rule03Lease, OfDueBatchesTheOneDueLongestComesFirst) {
    Options options = QueueTest::options();
    options.batch_items_max = 1;
    Queue queue(options);
    put(queue, {"a", "b"});
    fail_one(queue, Ms{2'000});
    fail_one(queue, Ms{1'000});
    clock->advance(Ms{3'000});
    EXPECT_EQ(keys_of(*queue.lease()), (Keys{"b"}));
    expect_sound(queue);
}

TEST_F(Rule03Lease, ABatchKeepsItsIdentityAndItsItemsThroughRetries) {
    Queue queue(options());
    put(queue, {"a", "b"});
    auto first = queue.lease();
    ASSERT_TRUE(first);
    const auto id = first->id();
    const std::string token(first->token());
    Settlement settlement;
    settlement.delay = Ms{0};
    first->settle(settlement);
    put(queue, {"c"});
    auto second = queue.lease();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->id(), id);
    EXPECT_NE(second->token(), token);
    EXPECT_EQ(keys_of(*second), (Keys{"a", "b"}));
    expect_sound(queue);
}

TEST_F(Rule03Lease, WhenDueWaitsForEnoughItems) {
    Queue queue(options());
    put(queue, numbered(1, 9));
    EXPECT_FALSE(queue.lease({.when = When::due}));
    put(queue, {"k10"});
    auto batch = queue.lease({.when = When::due});
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), numbered(1, 10));
    expect_sound(queue);
}

TEST_F(Rule03Lease, WhenDueCountsReadyItemsOnly) {
    Queue queue(options());
    put(queue, numbered(1, 10));
    fail_one(queue, Ms{60'000});
    put(queue, numbered(11, 19));
    EXPECT_FALSE(queue.lease({.when = When::due}));
    put(queue, {"k20"});
    EXPECT_TRUE(queue.lease({.when = When::due}));
    expect_sound(queue);
}

TEST_F(Rule03Lease, WhenDueTakesFewerAfterTheOldestHasLingered) {
    Queue queue(options());
    put(queue, {"a"});
    clock->advance(Ms{299'999});
    put(queue, {"b"});
    EXPECT_FALSE(queue.lease({.when = When::due}));
    clock->advance(Ms{1});
    auto batch = queue.lease({.when = When::due});
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (Keys{"a", "b"}));
    expect_sound(queue);
}

TEST_F(Rule03Lease, WhenDueTakesADueWaitingBatchHoweverSmall) {
    Queue queue(options());
    put(queue, {"a"});
    fail_one(queue, Ms{0});
    EXPECT_TRUE(queue.lease({.when = When::due}));
    expect_sound(queue);
}

TEST_F(Rule03Lease, FlushMakesReadyItemsDueUntilTheyAreLeased) {
    Options options = QueueTest::options();
    options.batch_items_max = 2;
    Queue queue(options);
    put(queue, {"a", "b", "c"});
    queue.flush();
    auto first = queue.lease({.when = When::due});
    auto second = queue.lease({.when = When::due});
    ASSERT_TRUE(first && second);
    EXPECT_EQ(keys_of(*second), (Keys{"c"}));
    EXPECT_FALSE(queue.lease({.when = When::due}));
    put(queue, {"d"});
    EXPECT_FALSE(queue.lease({.when = When::due}));  // the flush is over
    expect_sound(queue);
}

TEST_F(Rule03Lease, AFlushDuringALeaseThatFindsNothingIsStillOwed) {
    // Asks for a flush whenever a transaction looks at it, while told to.
    class FlushingClock final : public Clock {
      public:
        explicit FlushingClock(std::shared_ptr<FakeClock> clock) : clock_(std::move(clock)) {}
        Ms since_boot() const override { return clock_->since_boot(); }
        WallTime wall() const override { return clock_->wall(); }
        std::string boot_identity() const override {
            if (queue != nullptr) std::exchange(queue, nullptr)->flush();
            return clock_->boot_identity();
        }
        mutable Queue* queue = nullptr;

      private:
        const std::shared_ptr<FakeClock> clock_;
    };
    auto flushing = std::make_shared<FlushingClock>(clock);
    Options options = QueueTest::options();
    options.clock = flushing;
    Queue queue(options);
    queue.flush();
    flushing->queue = &queue;
    EXPECT_FALSE(queue.lease({.when = When::due}));  // nothing here: the first flush is over
    put(queue, {"a"});
    EXPECT_TRUE(queue.lease({.when = When::due}));
    EXPECT_FALSE(queue.lease({.when = When::due}));
    put(queue, {"b"});
    EXPECT_FALSE(queue.lease({.when = When::due}));  // and so is the second
    expect_sound(queue);
}

TEST_F(Rule03Lease, FlushWakesALeaseThatWaits) {
    auto watched = std::make_shared<WatchedClock>(clock);
    Options options = QueueTest::options();
    options.clock = watched;
    Queue queue(options);
    put(queue, {"a"});
    auto answer = std::async(std::launch::async, [&] {
        return queue.lease({.when = When::due, .wait = Ms{60'000}}).has_value();
    });
    watched->wait_for_looks(2);  // the lease that found nothing, and a look at what is to come
    queue.flush();
    EXPECT_TRUE(answer.get());
    expect_sound(queue);
}

TEST_F(Rule03Lease, ALeaseThatFindsNothingWritesNothing) {
    Queue queue(options());
    put(queue, numbered(1, 3));
    fail_one(queue, Ms{60'000});
    put(queue, {"ready"});
    RawDatabase raw(dir / "queue.db");
    const auto version = raw.data_version();
    const auto log_bytes = std::filesystem::file_size((dir / "queue.db").string() + "-wal");
    EXPECT_FALSE(queue.lease({.when = When::due}));
    EXPECT_FALSE(queue.lease({.when = When::due, .wait = Ms{1}}));
    EXPECT_EQ(raw.data_version(), version);
    EXPECT_EQ(std::filesystem::file_size((dir / "queue.db").string() + "-wal"), log_bytes);
    EXPECT_TRUE(queue.lease());
    EXPECT_NE(raw.data_version(), version);  // the check can fail
    expect_sound(queue);
}

TEST_F(Rule03Lease, WaitsForAnEnqueueOfAnotherQueue) {
    auto watched = std::make_shared<WatchedClock>(clock);
    Options options = QueueTest::options();
    options.clock = watched;
    Queue queue(options);
    Queue other(QueueTest::options());
    auto answer = std::async(std::launch::async, [&] {
        auto batch = queue.lease({.wait = Ms{60'000}});
        return batch ? keys_of(*batch) : Keys{};
    });
    watched->wait_for_looks(2);
    put(other, {"a"});
    EXPECT_EQ(answer.get(), (Keys{"a"}));
    expect_sound(queue);
}

TEST_F(Rule03Lease, WaitsNoLongerThanItsWaitOrItsStopToken) {
    auto watched = std::make_shared<WatchedClock>(clock);
    Options options = QueueTest::options();
    options.clock = watched;
    Queue queue(options);
    EXPECT_FALSE(queue.lease({.wait = Ms{5}}));
    std::stop_source stop;
    auto answer = std::async(std::launch::async, [&] {
        return queue.lease({.wait = Ms{60'000}}, stop.get_token()).has_value();
    });
    watched->wait_for_looks(2);
    stop.request_stop();
    EXPECT_FALSE(answer.get());
    expect_sound(queue);
}

TEST_F(Rule03Lease, CloseEndsALeaseThatWaits) {
    auto watched = std::make_shared<WatchedClock>(clock);
    Options options = QueueTest::options();
    options.clock = watched;
    Queue queue(options);
    auto answer = std::async(std::launch::async, [&] {
        try {
            return queue.lease({.wait = Ms{60'000}}).has_value();
        } catch (const Error& error) {
            return error.code() != ErrorCode::closed;
        }
    });
    watched->wait_for_looks(2);
    queue.close();
    EXPECT_FALSE(answer.get());  // nothing, or Error closed
    Queue again(QueueTest::options());
    expect_sound(again);
}

TEST_F(Rule03Lease, RequestsThatAreNotAllowedAreMisuse) {
    Queue queue(options());
    const std::vector<LeaseRequest> bad{{.items_max = 0},
                                        {.lease_time = Ms{0}},
                                        {.lease_time = Ms{24 * 3600 * 1000 + 1}},
                                        {.wait = Ms{-1}}};
    for (const LeaseRequest& request : bad) {
        try {
            (void)queue.lease(request);
            ADD_FAILURE() << "leased";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::misuse);
            EXPECT_NE(error.message().find("allowed:"), std::string::npos) << error.what();
        }
    }
    expect_sound(queue);
}

TEST_F(Rule03Lease, ABatchEmptiedByHandIsDroppedAndTheNextIsTaken) {
    Options options = QueueTest::options();
    options.batch_items_max = 2;
    Queue queue(options);
    put(queue, {"a", "b", "c"});
    fail_one(queue, Ms{0});
    RawDatabase raw(dir / "queue.db");
    raw.exec("DELETE FROM items WHERE key IN ('a', 'b')");
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (Keys{"c"}));
    EXPECT_EQ(raw.integer("SELECT count(*) FROM batches"), 1);
    EXPECT_EQ(queue.cleanup().edited, -2);
    expect_sound(queue);
}

TEST_F(Rule03Lease, NotBeforeIsSafeToChangeByHand) {
    Queue queue(options());
    put(queue, {"a"});
    fail_one(queue, Ms{3'600'000});
    EXPECT_FALSE(queue.lease());
    RawDatabase(dir / "queue.db").exec("UPDATE batches SET not_before = 0");
    EXPECT_TRUE(queue.lease());
    expect_sound(queue);
}

TEST_F(Rule03Lease, TheLongestWaitIsAWait) {
    auto watched = std::make_shared<WatchedClock>(clock);
    Options options = QueueTest::options();
    options.clock = watched;
    Queue queue(options);
    auto answer = std::async(std::launch::async,
                             [&] { return queue.lease({.wait = Ms::max()}).has_value(); });
    watched->wait_for_looks(2);
    put(queue, {"a"});
    EXPECT_TRUE(answer.get());
}

}  // namespace
}  // namespace headpond::test
