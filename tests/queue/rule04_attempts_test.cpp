// Rule 4: attempts are charged in the lease's own commit; only a release refunds.
#include "support/child_process.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <string>
#include <vector>

namespace headpond::test {
namespace {

class Rule04Attempts : public QueueTest {
  protected:
    std::int64_t in_file(const std::string& sql) {
        return RawDatabase(dir / "queue.db").integer(sql);
    }
    static std::optional<Batch> lease_when_due(Queue& queue, FakeClock& clock) {
        clock.advance(Ms{3'600});
        return queue.lease();
    }
    // Nack with no delay, so that the batch is due at once.
    static Settled fail(Batch& batch) {
        Settlement settlement;
        settlement.error = "no";
        settlement.delay = Ms{0};
        return batch.settle(settlement);
    }
};

TEST_F(Rule04Attempts, TheChargeIsInTheFileWhenTheLeaseReturns) {
    Queue queue(options());
    put(queue, {"a"});
    const auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->attempt(), 1);
    EXPECT_EQ(in_file("SELECT attempts FROM batches"), 1);
    EXPECT_EQ(in_file("SELECT count(*) FROM attempts WHERE outcome IS NULL"), 1);
    EXPECT_EQ(queue.health().attempts, 1);
    expect_sound(queue);
}

TEST_F(Rule04Attempts, AHandlerThatKillsItsProcessEveryTimeIsAbandonedAfterAttemptsMax) {
    std::vector<std::unique_ptr<ChildProcess>> handlers;
    for (int i = 0; i < 3; ++i) {
        handlers.push_back(
            std::make_unique<ChildProcess>([this](const ChildProcess::Parent& parent) {
                parent.receive();
                Queue queue(options());
                auto batch = queue.lease();
                parent.send(batch ? std::to_string(batch->attempt()) : "nothing");
                parent.hold();
            }));
    }
    Queue queue(options());
    put(queue, {"poison", "b"});
    for (int i = 0; i < 3; ++i) {
        handlers[static_cast<std::size_t>(i)]->send("go");
        EXPECT_EQ(handlers[static_cast<std::size_t>(i)]->receive(), std::to_string(i + 1));
        EXPECT_EQ(in_file("SELECT attempts FROM batches"), i + 1);
        handlers[static_cast<std::size_t>(i)]->kill();
    }
    EXPECT_FALSE(queue.lease());
    EXPECT_TRUE(resident(queue).empty());
    EXPECT_EQ(counter(queue, "abandoned"), 2);
    EXPECT_EQ(counter(queue, "failed_batches"), 1);
    const auto dead = Admin(queue).dead({});
    ASSERT_EQ(dead.size(), 2U);
    EXPECT_EQ(dead[0].reason, "abandoned");
    EXPECT_EQ(dead[0].attempts, 3);
    EXPECT_EQ(dead[0].last_error, "owner died");
    expect_sound(queue);
}

TEST_F(Rule04Attempts, ANackedBatchIsAbandonedAfterAttemptsMaxDeliveries) {
    Queue queue(options());
    put(queue, {"a"});
    for (int attempt = 1; attempt <= 3; ++attempt) {
        auto batch = queue.lease();
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->attempt(), attempt);
        EXPECT_EQ(fail(*batch).abandoned, attempt == 3);
    }
    EXPECT_FALSE(queue.lease());
    EXPECT_EQ(counter(queue, "attempts"), 3);
    expect_sound(queue);
}

TEST_F(Rule04Attempts, AttemptsMaxOfOneIsOneDelivery) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    Queue queue(options);
    put(queue, {"a"});
    EXPECT_TRUE(queue.lease()->nack("no").abandoned);
    expect_sound(queue);
}

TEST_F(Rule04Attempts, LoweringAttemptsMaxCountsForBatchesThatWait) {
    Queue queue(options());
    put(queue, {"a"});
    for (int i = 0; i < 2; ++i) {
        auto batch = queue.lease();
        ASSERT_TRUE(batch);
        fail(*batch);
    }
    Admin(queue).set("attempts_max", "2", "test");
    EXPECT_FALSE(queue.lease());
    EXPECT_EQ(counter(queue, "abandoned"), 1);
    expect_sound(queue);
}

TEST_F(Rule04Attempts, AReleaseRefundsAndIsCountedOnTheBatch) {
    Queue queue(options());
    put(queue, {"a"});
    for (int i = 1; i <= 5; ++i) {
        auto batch = lease_when_due(queue, *clock);
        ASSERT_TRUE(batch) << i;
        EXPECT_EQ(batch->attempt(), 1);
        batch->release(Ms{0}, "not reachable");
        EXPECT_EQ(in_file("SELECT attempts FROM batches"), 0);
        EXPECT_EQ(in_file("SELECT releases FROM batches"), i);
        EXPECT_EQ(counter(queue, "attempts"), 0);
        Admin(queue).resume("test");  // the breaker is rule 17's affair
    }
    expect_sound(queue);
}

TEST_F(Rule04Attempts, AReleaseHasAMinimumDelay) {
    Options options = QueueTest::options();
    options.release_delay_min = Ms{2'000};
    Queue queue(options);
    put(queue, {"a"});
    queue.lease()->release(Ms{0}, "full");
    clock->advance(Ms{1'999});
    EXPECT_FALSE(queue.lease());
    clock->advance(Ms{1});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    batch->release(Ms{5'000}, "full");
    clock->advance(Ms{4'999});
    EXPECT_FALSE(queue.lease());
    clock->advance(Ms{1});
    EXPECT_TRUE(queue.lease());
    expect_sound(queue);
}

TEST_F(Rule04Attempts, NackLapseSplitAndDropDoNotRefund) {
    Options options = QueueTest::options();
    options.attempts_max = 10;
    options.backoff_base = Ms{0};
    Queue queue(options);
    put(queue, {"a", "b"});
    {
        auto batch = queue.lease();
        ASSERT_TRUE(batch);
        fail(*batch);
    }
    { auto dropped = queue.lease(); }
    {
        auto batch = queue.lease({.lease_time = Ms{1'000}});
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->attempt(), 3);
        clock->advance(Ms{1'000});
        auto again = queue.lease();
        ASSERT_TRUE(again);
        EXPECT_EQ(again->attempt(), 4);
        again->split("too long");
    }
    auto half = queue.lease();
    ASSERT_TRUE(half);
    EXPECT_EQ(half->attempt(), 5);
    EXPECT_EQ(counter(queue, "attempts"), 5);
    expect_sound(queue);
}

TEST_F(Rule04Attempts, EveryAttemptHasARowThatSaysHowItEnded) {
    Options options = QueueTest::options();
    options.label = "me";
    options.attempts_max = 10;
    options.backoff_base = Ms{0};
    Queue queue(options);
    put(queue, {"a", "b", "c", "d"});
    auto batch = queue.lease({.lease_time = Ms{500}});
    ASSERT_TRUE(batch);
    clock->advance(Ms{500});
    batch = queue.lease();
    ASSERT_TRUE(batch);
    fail(*batch);
    batch = queue.lease();
    ASSERT_TRUE(batch);
    Settlement partial;
    partial.acked = {{.key = "a"}};
    partial.delay = Ms{0};
    batch->settle(partial);
    batch = queue.lease();
    ASSERT_TRUE(batch);
    batch->release(Ms{0}, "busy");
    batch = lease_when_due(queue, *clock);
    ASSERT_TRUE(batch);
    batch->ack();
    RawDatabase raw(dir / "queue.db");
    EXPECT_EQ(raw.text("SELECT group_concat(attempt || outcome || items, ' ') FROM attempts"),
              "1lapsed4 2nacked4 3partial1 4released3 4acked3");
    EXPECT_EQ(raw.integer("SELECT count(*) FROM attempts WHERE owner = 'me' AND finished_at > 0"),
              5);
    EXPECT_EQ(raw.text("SELECT error FROM attempts WHERE outcome = 'released'"), "busy");
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
