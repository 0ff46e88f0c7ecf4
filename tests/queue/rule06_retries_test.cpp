// Rule 6: backoff, and when a batch is given up.
#include "support/child_process.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class Rule06Retries : public QueueTest {
  protected:
    std::int64_t in_file(const std::string& sql) {
        return RawDatabase(dir / "queue.db").integer(sql);
    }
    [[nodiscard]] std::int64_t now() const { return clock->wall().time_since_epoch().count(); }
    // Milliseconds until the one batch of the file is due.
    std::int64_t backoff() { return in_file("SELECT not_before FROM batches") - now(); }
    static void fail(Batch& batch, Ms delay) {
        Settlement settlement;
        settlement.error = "no";
        settlement.delay = delay;
        batch.settle(settlement);
    }
    // A child that is told when, and holds what it leased until it is killed.
    [[nodiscard]] std::function<void(const ChildProcess::Parent&)> leases_and_holds() {
        return [this](const ChildProcess::Parent& parent) {
            parent.receive();
            Queue queue(options());
            const auto batch = queue.lease();
            parent.send(batch ? "leased" : "nothing");
            parent.hold();
        };
    }
};

TEST_F(Rule06Retries, TheBackoffIsFullJitterUnderADoublingCeiling) {
    Options options = QueueTest::options();
    options.attempts_max = 100;
    options.backoff_base = Ms{1'000};
    options.backoff_max = Ms{5'000};
    options.age_max = Ms{24 * 3600 * 1000};
    Queue queue(options);
    for (const std::int64_t ceiling : {1'000, 2'000, 4'000, 5'000, 5'000}) {
        std::vector<std::int64_t> seen;
        for (int i = 0; i < 40; ++i) {
            put(queue, {"a"}, Tracking::untracked);
            std::optional<Batch> batch;
            std::int64_t attempts = 1;
            for (std::int64_t c = 1'000; c < ceiling && attempts < 4; c *= 2) ++attempts;
            for (std::int64_t k = 1; k < attempts; ++k) {
                batch = queue.lease();
                ASSERT_TRUE(batch);
                fail(*batch, Ms{0});
            }
            batch = queue.lease();
            ASSERT_TRUE(batch);
            batch->nack("no");
            seen.push_back(backoff());
            EXPECT_TRUE(queue.cancel("a"));
        }
        const auto [least, most] = std::minmax_element(seen.begin(), seen.end());
        EXPECT_GE(*least, 0);
        EXPECT_LE(*most, ceiling);
        EXPECT_LT(*least, ceiling / 4) << "no jitter below";
        EXPECT_GT(*most, ceiling * 3 / 4) << "no jitter above";
    }
    expect_sound(queue);
}

TEST_F(Rule06Retries, TheDelayThatTheServiceAskedForCountsInstead) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    fail(*batch, Ms{1'234'567});  // over backoff_max
    EXPECT_EQ(backoff(), 1'234'567);
    clock->advance(Ms{1'234'566});
    Admin(queue).set("cleanup_interval", "86400", "test");
    EXPECT_FALSE(queue.lease());
    clock->advance(Ms{1});
    EXPECT_TRUE(queue.lease());
    expect_sound(queue);
}

TEST_F(Rule06Retries, ANackedBatchThatHasUsedItsAttemptsIsAbandonedAtOnce) {
    Options options = QueueTest::options();
    options.attempts_max = 2;
    Queue queue(options);
    put(queue, {"a", "b"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    fail(*batch, Ms{0});
    batch = queue.lease();
    ASSERT_TRUE(batch);
    const Settled settled = batch->nack("for good");
    EXPECT_TRUE(settled.abandoned);
    EXPECT_TRUE(resident(queue).empty());
    EXPECT_EQ(counter(queue, "abandoned"), 2);
    EXPECT_EQ(counter(queue, "failed_batches"), 1);
    EXPECT_EQ(in_file("SELECT count(*) FROM attempts WHERE outcome = 'abandoned'"), 1);
    const auto dead = Admin(queue).dead({.reason = "abandoned"});
    ASSERT_EQ(dead.size(), 2U);
    EXPECT_EQ(dead[1].last_error, "for good");
    EXPECT_EQ(dead[1].batch, batch->id());
    EXPECT_EQ(dead[1].attempts, 2);
    EXPECT_TRUE(batch->ack().fenced);
    expect_sound(queue);
}

TEST_F(Rule06Retries, AnExhaustedBatchWhoseLeaseLapsedDiesWhenItsBackoffWouldComeDue) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    options.backoff_base = Ms{100'000};
    options.backoff_max = Ms{100'000};
    Queue queue(options);
    put(queue, {"a", "b"});
    auto batch = queue.lease({.lease_time = Ms{1'000}});
    ASSERT_TRUE(batch);
    clock->advance(Ms{1'000});
    EXPECT_FALSE(queue.lease());
    EXPECT_EQ(counter(queue, "abandoned"), 0);
    const std::int64_t wait = backoff();
    ASSERT_GT(wait, 1);
    clock->advance(Ms{wait - 1});
    EXPECT_EQ(queue.cleanup().abandoned, 0);
    Settlement late;  // its late ack may still arrive
    late.acked = {{.key = "a"}};
    late.rest = Rest::keep;
    EXPECT_EQ(batch->settle(late).acked, 1);
    clock->advance(Ms{1});
    EXPECT_EQ(queue.cleanup().abandoned, 1);
    EXPECT_EQ(counter(queue, "abandoned"), 1);
    EXPECT_TRUE(batch->ack().fenced);
    EXPECT_EQ(Admin(queue).outcome("a")->state, OutcomeState::resolved);
    EXPECT_EQ(Admin(queue).outcome("b")->reason, "abandoned");
    expect_sound(queue);
}

TEST_F(Rule06Retries, ALeaseAbandonsAnExhaustedBatchThatComesDueAndTakesTheNext) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    Queue queue(options);
    put(queue, {"a"});
    auto batch = queue.lease({.lease_time = Ms{1'000}});
    ASSERT_TRUE(batch);
    clock->advance(Ms{302'000});
    put(queue, {"b"});
    auto next = queue.lease();
    ASSERT_TRUE(next);
    EXPECT_EQ(keys_of(*next), (Keys{"b"}));
    EXPECT_EQ(counter(queue, "abandoned"), 1);
    expect_sound(queue);
}

TEST_F(Rule06Retries, ALapsedBatchWithAttemptsLeftIsDueAfterItsBackoff) {
    Options options = QueueTest::options();
    options.backoff_base = Ms{50'000};
    Queue queue(options);
    put(queue, {"a"});
    auto batch = queue.lease({.lease_time = Ms{1'000}});
    ASSERT_TRUE(batch);
    clock->advance(Ms{1'000});
    EXPECT_FALSE(queue.lease());
    const std::int64_t wait = backoff();
    ASSERT_GT(wait, 1);
    EXPECT_LE(wait, 50'000);
    clock->advance(Ms{wait - 1});
    EXPECT_FALSE(queue.lease());
    clock->advance(Ms{1});
    EXPECT_TRUE(queue.lease());
    expect_sound(queue);
}

TEST_F(Rule06Retries, ADeadOwnersBatchIsDueAtOnceWithoutBackoff) {
    ChildProcess child(leases_and_holds());
    Options options = QueueTest::options();
    options.backoff_base = Ms{100'000};
    Queue queue(options);
    put(queue, {"a"});
    child.send("go");
    ASSERT_EQ(child.receive(), "leased");
    EXPECT_FALSE(queue.lease());
    child.kill();
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->attempt(), 2);
    EXPECT_EQ(in_file("SELECT count(*) FROM attempts WHERE outcome = 'owner_died'"), 1);
    expect_sound(queue);
}

TEST_F(Rule06Retries, ADeadOwnersExhaustedBatchIsAbandonedAtOnce) {
    ChildProcess child(leases_and_holds());
    Options options = QueueTest::options();
    options.attempts_max = 1;
    Queue queue(options);
    put(queue, {"a"});
    child.send("go");
    ASSERT_EQ(child.receive(), "leased");
    child.kill();
    const CleanupReport report = queue.cleanup();
    EXPECT_EQ(report.reclaimed, 1);
    EXPECT_EQ(report.abandoned, 1);
    EXPECT_EQ(Admin(queue).outcome("a")->reason, "abandoned");
    expect_sound(queue);
}

TEST_F(Rule06Retries, BothHalvesOfASplitKeepAttemptsAndGetAtLeastOneMore) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    options.attempts_kept = 10;
    Queue queue(options);
    put(queue, {"a", "b", "c", "d"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    const Settled settled = batch->split("too long");
    EXPECT_FALSE(settled.abandoned);
    EXPECT_EQ(in_file("SELECT count(*) FROM batches WHERE attempts = 1 AND attempts_max = 2"), 2);
    EXPECT_EQ(in_file("SELECT count(*) FROM batches WHERE not_before <= " + std::to_string(now())),
              2);
    auto half = queue.lease();
    ASSERT_TRUE(half);
    EXPECT_EQ(half->attempt(), 2);
    EXPECT_EQ(half->attempts_max(), 2);
    EXPECT_TRUE(half->nack("no").abandoned);
    EXPECT_EQ(resident(queue), (Keys{"c", "d"}));
    Admin(queue).set("attempts_max", "7", "test");
    auto other = queue.lease();
    ASSERT_TRUE(other);
    EXPECT_EQ(other->attempts_max(), 7);  // the greater of the setting and the batch's own
    expect_sound(queue);
}

TEST_F(Rule06Retries, SplittingOneItemIsANack) {
    Options options = QueueTest::options();
    options.attempts_max = 2;
    options.backoff_base = Ms{0};
    Queue queue(options);
    put(queue, {"a"});
    EXPECT_FALSE(queue.lease()->split("too long").abandoned);
    EXPECT_EQ(in_file("SELECT count(*) FROM batches"), 1);
    EXPECT_TRUE(queue.lease()->split("too long").abandoned);
    expect_sound(queue);
}

TEST_F(Rule06Retries, IsolatePoisonSplitsUntilTheGuiltyItemFailsAlone) {
    Options options = QueueTest::options();
    options.attempts_max = 2;
    options.backoff_base = Ms{0};
    options.isolate_poison = true;
    Queue queue(options);
    put(queue, {"a", "b", "c", "poison", "e", "f", "g", "h"});
    int deliveries = 0;
    while (auto batch = queue.lease()) {
        ASSERT_LT(++deliveries, 50);
        const auto keys = keys_of(*batch);
        const bool bad = std::find(keys.begin(), keys.end(), "poison") != keys.end();
        const Settled settled = bad ? batch->nack("crash") : batch->ack();
        EXPECT_EQ(settled.abandoned, bad && keys.size() == 1);
    }
    EXPECT_EQ(counter(queue, "acked"), 7);
    EXPECT_EQ(counter(queue, "abandoned"), 1);
    EXPECT_EQ(Admin(queue).dead({}).front().key, "poison");
    EXPECT_EQ(Admin(queue).outcome("e")->state, OutcomeState::resolved);
    expect_sound(queue);
}

TEST_F(Rule06Retries, IsolatePoisonSplitsAnExhaustedBatchThatLapsedToo) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    options.backoff_base = Ms{0};
    options.isolate_poison = true;
    Queue queue(options);
    put(queue, {"a", "b"});
    auto batch = queue.lease({.lease_time = Ms{1'000}});
    ASSERT_TRUE(batch);
    clock->advance(Ms{1'000});
    auto half = queue.lease();
    ASSERT_TRUE(half);
    EXPECT_EQ(keys_of(*half), (Keys{"a"}));
    EXPECT_EQ(counter(queue, "abandoned"), 0);
    EXPECT_TRUE(batch->ack().fenced);
    expect_sound(queue);
}

TEST_F(Rule06Retries, WithoutIsolatePoisonAnExhaustedBatchDiesWhole) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    Queue queue(options);
    put(queue, {"a", "b", "c"});
    Settlement settlement;
    settlement.acked = {{.key = "b"}};
    const Settled settled = queue.lease()->settle(settlement);
    EXPECT_EQ(settled.acked, 1);
    EXPECT_TRUE(settled.abandoned);
    EXPECT_EQ(counter(queue, "abandoned"), 2);
    EXPECT_EQ(Admin(queue).outcome("b")->state, OutcomeState::resolved);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
