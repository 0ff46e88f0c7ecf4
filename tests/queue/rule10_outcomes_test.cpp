// Rule 10: exactly one outcome a tracked item, whatever way it ends.
#include "support/child_process.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class Rule10Outcomes : public QueueTest {
  protected:
    static std::map<std::string, std::string> endings(Queue& queue) {
        std::map<std::string, std::string> all;
        for (const auto& one : queue.outcomes(1000)) {
            EXPECT_EQ(one.state == OutcomeState::resolved, one.reason.empty());
            const bool added =
                all.emplace(one.key, one.reason.empty() ? "resolved" : one.reason).second;
            EXPECT_TRUE(added) << "two outcomes of " << one.key;
        }
        return all;
    }
    Enqueued put_published(Queue& queue, std::string_view key, Ms age) {
        return queue.enqueue({.key = key,
                              .payload = "x",
                              .tracking = Tracking::tracked,
                              .published_at = clock->wall() - age});
    }
};

TEST_F(Rule10Outcomes, EveryWayOutLeavesExactlyOneOutcome) {
    Options options = QueueTest::options();
    options.items_max = 4;
    options.batch_items_max = 3;
    options.attempts_max = 1;
    options.age_max = Ms{10'000};
    options.pending_max = Ms{5'000};
    Queue queue(options);
    put(queue, {"resolved", "rejected", "abandoned"});
    Settlement settlement;
    settlement.acked = {{.key = "resolved", .result = "Berlin"}};
    settlement.rejected = {{.key = "rejected", .reason = "spam"}};
    queue.lease()->settle(settlement);
    put(queue, {"evicted", "cancelled", "expired", "stale", "pending"});
    EXPECT_TRUE(queue.cancel("cancelled"));
    clock->advance(Ms{5'001});
    RawDatabase(dir / "queue.db")
        .exec(
            "UPDATE items SET enqueued_at = enqueued_at - 5000 WHERE key = 'expired';"
            "UPDATE items SET enqueued_at = enqueued_at + 5000 WHERE key = 'pending'");
    queue.cleanup();
    EXPECT_EQ(endings(queue), (std::map<std::string, std::string>{{"resolved", "resolved"},
                                                                  {"rejected", "rejected"},
                                                                  {"abandoned", "abandoned"},
                                                                  {"evicted", "evicted"},
                                                                  {"cancelled", "cancelled"},
                                                                  {"expired", "expired"},
                                                                  {"stale", "stale"}}));
    EXPECT_EQ(resident(queue), (Keys{"pending"}));
    EXPECT_EQ(counter(queue, "expired"), 2);  // stale counts as expired
    EXPECT_EQ(counter(queue, "outcomes"), 7);
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, AnUntrackedItemLeavesNone) {
    Options options = QueueTest::options();
    options.items_max = 2;
    Queue queue(options);
    put(queue, {"a", "b", "c"}, Tracking::untracked);
    queue.cancel("b");
    queue.lease()->ack();
    EXPECT_TRUE(queue.outcomes(10).empty());
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, PendingIsDerivedAndNotStored) {
    Queue queue(options());
    put(queue, {"a"});
    const auto batch = queue.lease();
    EXPECT_TRUE(queue.outcomes(10).empty());
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT count(*) FROM outcomes"), 0);
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, AnOutcomeTellsWhatCameOfTheItemAndWhen) {
    Queue queue(options());
    const WallTime queued = clock->wall();
    ASSERT_EQ(put_published(queue, "a", Ms{60'000}), Enqueued::stored);
    clock->advance(Ms{2'000});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    Settlement settlement;
    settlement.acked = {{.key = "a", .result = "52.5,13.4"}};
    batch->settle(settlement);
    const auto outcomes = queue.outcomes(10);
    ASSERT_EQ(outcomes.size(), 1U);
    EXPECT_EQ(outcomes[0].item_id, batch->items()[0].id);
    EXPECT_EQ(outcomes[0].state, OutcomeState::resolved);
    EXPECT_EQ(outcomes[0].result, "52.5,13.4");
    EXPECT_EQ(outcomes[0].queued_at, queued);
    EXPECT_EQ(outcomes[0].settled_at, queued + Ms{2'000});
    EXPECT_EQ(outcomes[0].published_at, queued - Ms{60'000});
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, StaleIsLongerPendingThanPendingMaxCountedFromQueueing) {
    Queue queue(options());
    ASSERT_EQ(put_published(queue, "a", Ms{24 * 3600 * 1000}), Enqueued::stored);
    Admin(queue).set("age_max", "86400", "test");
    clock->advance(Ms{7'200'000});
    EXPECT_EQ(queue.cleanup().stale, 0);
    clock->advance(Ms{1});
    EXPECT_EQ(queue.cleanup().stale, 1);
    EXPECT_EQ(endings(queue)["a"], "stale");
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, StaleCountsFromPublishingByOption) {
    Options options = QueueTest::options();
    options.stale_from = StaleFrom::published;
    options.pending_max = Ms{100'000};
    Queue queue(options);
    put_published(queue, "old news", Ms{90'000});
    put_published(queue, "fresh", Ms{0});
    put(queue, {"never published"});
    EXPECT_EQ(queue.cleanup().stale, 0);
    clock->advance(Ms{10'000});
    EXPECT_EQ(queue.cleanup().stale, 0);
    clock->advance(Ms{1});
    EXPECT_EQ(queue.cleanup().stale, 1);
    EXPECT_EQ(resident(queue), (Keys{"fresh", "never published"}));
    clock->advance(Ms{90'000});
    EXPECT_EQ(queue.cleanup().stale, 2);  // without a published time it counts from queueing
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, OneCleanupEndsAllThatIsStaleHoweverFewRowsATransactionMayTake) {
    for (const StaleFrom from : {StaleFrom::queued, StaleFrom::published}) {
        for (const std::int64_t rows : {1, 2, 3, 4, 5}) {
            Options options = QueueTest::options();
            options.path = dir / (std::to_string(rows) +
                                  (from == StaleFrom::queued ? "queued.db" : "published.db"));
            options.stale_from = from;
            options.pending_max = Ms{10'000};
            options.lease_time = Ms{600'000};
            options.cleanup_rows = rows;
            Queue queue(options);
            for (const char* key : {"held 1", "held 2"}) put_published(queue, key, Ms{6'000});
            const auto batch = queue.lease();
            ASSERT_TRUE(batch);
            for (const char* key : {"a", "b", "c", "d"}) put_published(queue, key, Ms{5'000});
            // Since it was queued, or since it was published.
            clock->advance(Ms{from == StaleFrom::queued ? 10'001 : 5'001});
            EXPECT_EQ(queue.cleanup().stale, 4) << rows << " rows a transaction";
            EXPECT_EQ(resident(queue), (Keys{"held 1", "held 2"}));
            expect_sound(queue);
        }
    }
}

TEST_F(Rule10Outcomes, AnUntrackedItemIsNeverStale) {
    Options options = QueueTest::options();
    options.pending_max = Ms{1'000};
    Queue queue(options);
    put(queue, {"a"}, Tracking::untracked);
    clock->advance(Ms{2'000});
    EXPECT_EQ(queue.cleanup().stale, 0);
    EXPECT_EQ(resident(queue), (Keys{"a"}));
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, AWaitingItemThatIsStaleLeavesItsBatch) {
    Options options = QueueTest::options();
    options.pending_max = Ms{10'000};
    Queue queue(options);
    put(queue, {"a"});
    clock->advance(Ms{5'000});
    put(queue, {"b"});
    queue.lease()->nack("no");
    clock->advance(Ms{5'001});
    EXPECT_EQ(queue.cleanup().stale, 1);
    EXPECT_EQ(keys_of(*queue.lease()), (Keys{"b"}));
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, ALeasedItemIsJudgedWhenItsBatchComesBackSoThatAResultIsUsed) {
    for (const StaleFrom from : {StaleFrom::queued, StaleFrom::published}) {
        Options options = QueueTest::options();
        options.path = dir / (from == StaleFrom::queued ? "queued.db" : "published.db");
        options.stale_from = from;
        options.pending_max = Ms{10'000};
        options.lease_time = Ms{600'000};
        Queue queue(options);
        for (const char* key : {"used", "stale"}) put_published(queue, key, Ms{0});
        auto batch = queue.lease();
        ASSERT_TRUE(batch);
        clock->advance(Ms{10'001});
        EXPECT_EQ(queue.cleanup().stale, 0);
        Settlement settlement;
        settlement.acked = {{.key = "used", .result = "late but good"}};
        const Settled settled = batch->settle(settlement);
        EXPECT_EQ(settled.acked, 1);
        EXPECT_EQ(settled.stale, 1);
        EXPECT_FALSE(settled.abandoned);
        EXPECT_EQ(endings(queue),
                  (std::map<std::string, std::string>{{"used", "resolved"}, {"stale", "stale"}}));
        EXPECT_TRUE(resident(queue).empty());
        expect_sound(queue);
    }
}

TEST_F(Rule10Outcomes, ReleaseAndSplitJudgeStalenessAndKeepDoesNot) {
    Options options = QueueTest::options();
    options.pending_max = Ms{10'000};
    options.lease_time = Ms{600'000};
    options.batch_items_max = 2;
    Queue queue(options);
    put(queue, {"a", "b", "c", "d"});
    auto first = queue.lease();
    auto second = queue.lease();
    ASSERT_TRUE(first && second);
    clock->advance(Ms{10'001});
    Settlement keep;
    keep.rest = Rest::keep;
    EXPECT_EQ(first->settle(keep).stale, 0);
    EXPECT_EQ(first->release(Ms{0}, "busy").stale, 2);
    EXPECT_EQ(second->split("too long").stale, 2);
    EXPECT_EQ(counter(queue, "expired"), 4);
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, WhatADeadOwnerHeldIsJudgedWhenItIsTakenBack) {
    Options options = QueueTest::options();
    options.pending_max = Ms{10'000};
    options.lease_time = Ms{600'000};
    ChildProcess child([&](const ChildProcess::Parent& parent) {
        parent.receive();
        Queue queue(options);
        const auto batch = queue.lease();
        parent.send(batch ? "leased" : "nothing");
        parent.hold();
    });
    Queue queue(options);
    put(queue, {"stale"});
    clock->advance(Ms{5'000});
    put(queue, {"fresh"});
    clock->advance(Ms{5'001});
    child.send("go");  // its clock stands where the test's stood: the lease is long enough for both
    ASSERT_EQ(child.receive(), "leased");
    child.kill();
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (Keys{"fresh"}));
    EXPECT_EQ(endings(queue), (std::map<std::string, std::string>{{"stale", "stale"}}));
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, OutcomesReadsTheItemsThatEnteredFirstFirstAndForgetDeletes) {
    Options options = QueueTest::options();
    options.batch_items_max = 1;
    Queue queue(options);
    put(queue, {"a", "b", "c"});
    auto first = queue.lease();
    queue.lease()->ack();
    queue.lease()->ack();
    first->ack();
    const auto two = queue.outcomes(2);
    ASSERT_EQ(two.size(), 2U);
    EXPECT_EQ(two[0].key, "a");
    EXPECT_EQ(two[1].key, "b");
    const std::vector<std::int64_t> ids{two[0].item_id, two[1].item_id, 4711};
    EXPECT_EQ(queue.forget(ids), 2U);
    EXPECT_EQ(queue.forget(ids), 0U);
    EXPECT_EQ(endings(queue), (std::map<std::string, std::string>{{"c", "resolved"}}));
    EXPECT_EQ(counter(queue, "outcomes"), 1);
    EXPECT_EQ(counter(queue, "outcomes_unclaimed"), 0);
    EXPECT_TRUE(queue.outcomes(0).empty());
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, WhatNobodyForgetsIsDeletedAfterOutcomeAgeMaxAndCounted) {
    Queue queue(options());
    put(queue, {"a"});
    queue.cancel("a");
    clock->advance(Ms{1'000});
    put(queue, {"b"});
    queue.cancel("b");
    clock->advance(Ms{7'199'000});
    EXPECT_EQ(queue.cleanup().outcomes_dropped, 0);
    clock->advance(Ms{1});
    EXPECT_EQ(queue.cleanup().outcomes_dropped, 1);
    EXPECT_EQ(endings(queue), (std::map<std::string, std::string>{{"b", "cancelled"}}));
    EXPECT_EQ(counter(queue, "outcomes_unclaimed"), 1);
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, OutcomesMaxDropsTheOldestUnreadAndCountsThem) {
    Options options = QueueTest::options();
    options.outcomes_max = 3;
    Queue queue(options);
    put(queue, {"a", "b", "c", "d", "e"});
    queue.lease()->ack();
    EXPECT_EQ(endings(queue), (std::map<std::string, std::string>{
                                  {"c", "resolved"}, {"d", "resolved"}, {"e", "resolved"}}));
    EXPECT_EQ(counter(queue, "outcomes_unclaimed"), 2);
    Admin(queue).set("outcomes_max", "1", "test");
    EXPECT_EQ(queue.cleanup().outcomes_dropped, 2);
    EXPECT_EQ(counter(queue, "outcomes"), 1);
    EXPECT_EQ(counter(queue, "outcomes_unclaimed"), 4);
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, InTransactOutcomesAndForgetCommitWithTheCallersRows) {
    Queue queue(options());
    put(queue, {"a", "b"});
    queue.lease()->ack();
    EXPECT_THROW(queue.transact([](Transaction& tx) {
        const auto read = tx.outcomes(10);
        const std::vector<std::int64_t> ids{read[0].item_id};
        EXPECT_EQ(tx.forget(ids), 1U);
        EXPECT_EQ(tx.outcomes(10).size(), 1U);
        throw std::runtime_error("the caller's own failure");
    }),
                 std::runtime_error);
    EXPECT_EQ(queue.outcomes(10).size(), 2U);
    queue.transact([](Transaction& tx) {
        std::vector<std::int64_t> ids;
        for (const auto& one : tx.outcomes(10)) ids.push_back(one.item_id);
        EXPECT_EQ(tx.forget(ids), 2U);
    });
    EXPECT_TRUE(queue.outcomes(10).empty());
    EXPECT_EQ(counter(queue, "outcomes"), 0);
    expect_sound(queue);
}

TEST_F(Rule10Outcomes, AnExhaustedBatchWhoseLeaseLapsedIsJudgedStaleFirst) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    options.pending_max = Ms{60'000};
    options.age_max = Ms{3'600'000};
    Queue queue(options);
    put(queue, {"old"});
    auto batch = queue.lease({.lease_time = Ms{70'000}});
    ASSERT_TRUE(batch);
    clock->advance(Ms{30'000});
    put(queue, {"young"});
    clock->advance(Ms{41'000});
    EXPECT_EQ(queue.cleanup().reclaimed, 1);
    clock->advance(Ms{10'000});
    EXPECT_EQ(queue.cleanup().abandoned, 0);
    EXPECT_EQ(endings(queue)["old"], "stale");
    EXPECT_EQ(counter(queue, "failed_batches"), 0);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
