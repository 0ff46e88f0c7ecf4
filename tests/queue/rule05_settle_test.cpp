// Rule 5: one settlement is one transaction, proved by a token.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <optional>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class Rule05Settle : public QueueTest {
  protected:
    static Batch leased(Queue& queue, const Keys& keys, const LeaseRequest& request = {}) {
        put(queue, keys);
        auto batch = queue.lease(request);
        if (!batch) throw std::runtime_error("nothing to lease");
        return std::move(*batch);
    }
    static void expect_answer(const Settled& settled, int acked, int rejected, int gone) {
        EXPECT_FALSE(settled.fenced);
        EXPECT_EQ(settled.acked, acked);
        EXPECT_EQ(settled.rejected, rejected);
        EXPECT_EQ(settled.gone, gone);
    }
    static std::string outcome_of(Queue& queue, std::string_view key) {
        const auto outcome = Admin(queue).outcome(key);
        if (!outcome) return "pending";
        return outcome->state == OutcomeState::resolved ? "resolved " + outcome->result
                                                        : outcome->reason;
    }
};

TEST_F(Rule05Settle, OneSettlementAcksSomeRejectsOthersAndNacksTheRest) {
    Queue queue(options());
    Batch batch = leased(queue, {"a", "b", "c", "d"});
    Settlement settlement;
    settlement.acked = {{.item_id = batch.items()[0].id, .result = "at A"}, {.key = "c"}};
    settlement.rejected = {{.key = "b", .reason = "no such place"}};
    settlement.error = "d timed out";
    expect_answer(batch.settle(settlement), 2, 1, 0);
    EXPECT_EQ(outcome_of(queue, "a"), "resolved at A");
    EXPECT_EQ(outcome_of(queue, "b"), "rejected");
    EXPECT_EQ(outcome_of(queue, "c"), "resolved ");
    EXPECT_EQ(outcome_of(queue, "d"), "pending");
    EXPECT_EQ(resident(queue), (Keys{"d"}));
    const auto dead = Admin(queue).dead({});
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].key, "b");
    EXPECT_EQ(dead[0].payload, "payload of b");
    EXPECT_EQ(dead[0].reason, "rejected");
    EXPECT_EQ(dead[0].last_error, "no such place");
    EXPECT_EQ(counter(queue, "acked"), 2);
    EXPECT_EQ(counter(queue, "rejected"), 1);
    EXPECT_EQ(counter(queue, "waiting_items"), 1);
    RawDatabase raw(dir / "queue.db");
    EXPECT_EQ(raw.text("SELECT last_error FROM batches"), "d timed out");
    EXPECT_EQ(raw.text("SELECT outcome FROM attempts"), "partial");
    expect_sound(queue);
}

TEST_F(Rule05Settle, ThePartsOfASettlementCommitTogetherOrNotAtAll) {
    Queue queue(options());
    Batch batch = leased(queue, {"a", "b", "c"});
    RawDatabase raw(dir / "queue.db");
    const auto version = raw.data_version();
    Settlement settlement;
    settlement.acked = {{.key = "a", .result = "x"}};
    settlement.rejected = {{.key = "b", .reason = "bad"}, {.key = "a", .reason = "bad"}};
    EXPECT_THROW(batch.settle(settlement), Error);
    EXPECT_EQ(raw.data_version(), version);
    EXPECT_EQ(resident(queue), (Keys{"a", "b", "c"}));
    settlement.rejected.pop_back();
    settlement.rest = Rest::ack;
    expect_answer(batch.settle(settlement), 2, 1, 0);
    expect_sound(queue);
}

TEST_F(Rule05Settle, AnItemNamedTwiceIsMisuseHoweverItIsNamed) {
    Queue queue(options());
    Batch batch = leased(queue, {"a", "b"});
    const auto id = batch.items()[0].id;
    const std::vector<Settlement> bad{
        {.acked = {{.item_id = id}, {.item_id = id}}},
        {.acked = {{.item_id = id}, {.key = "a"}}},
        {.acked = {{.key = "a"}}, .rejected = {{.item_id = id, .reason = "no"}}},
        {.rejected = {{.key = "a"}, {.key = "a"}}}};
    for (const Settlement& settlement : bad) {
        try {
            batch.settle(settlement);
            ADD_FAILURE() << "settled";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::misuse);
            EXPECT_NE(error.message().find("twice"), std::string::npos) << error.what();
        }
    }
    expect_answer(batch.ack(), 2, 0, 0);
    expect_sound(queue);
}

TEST_F(Rule05Settle, WhatIsNoLongerInTheBatchIsCountedAsGone) {
    Queue queue(options());
    Batch batch = leased(queue, {"a", "b"});
    put(queue, {"other"});
    Settlement settlement;
    settlement.acked = {{.key = "a"}, {.key = "other"}, {.item_id = 4711}, {.key = "never"}};
    settlement.rejected = {{.key = "nor this", .reason = "x"}};
    expect_answer(batch.settle(settlement), 1, 0, 4);
    EXPECT_EQ(resident(queue), (Keys{"b", "other"}));
    expect_sound(queue);
}

TEST_F(Rule05Settle, AResultOverPayloadBytesMaxIsMisuse) {
    Options options = QueueTest::options();
    options.payload_bytes_max = 100;
    Queue queue(options);
    Batch batch = leased(queue, {"a"});
    Settlement settlement;
    settlement.acked = {{.key = "a", .result = std::string(101, 'r')}};
    try {
        batch.settle(settlement);
        ADD_FAILURE() << "settled";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::misuse);
    }
    settlement.acked[0].result.resize(100);
    expect_answer(batch.settle(settlement), 1, 0, 0);
    EXPECT_EQ(queue.outcomes(1)[0].result.size(), 100U);
    expect_sound(queue);
}

TEST_F(Rule05Settle, AResultKeepsEveryByte) {
    Queue queue(options());
    Batch batch = leased(queue, {"a"});
    const std::string result("\0\x01\xff{}", 5);
    Settlement settlement;
    settlement.acked = {{.key = "a", .result = result}};
    batch.settle(settlement);
    EXPECT_EQ(queue.outcomes(1)[0].result, result);
    expect_sound(queue);
}

TEST_F(Rule05Settle, KeepLeavesTheRestLeasedUnderTheSameToken) {
    Queue queue(options());
    Batch batch = leased(queue, {"a", "b", "c"});
    Settlement settlement;
    settlement.rest = Rest::keep;
    settlement.acked = {{.key = "a"}};
    expect_answer(batch.settle(settlement), 1, 0, 0);
    EXPECT_EQ(counter(queue, "leased_items"), 2);
    settlement.acked = {{.key = "a"}, {.key = "b"}};
    expect_answer(batch.settle(settlement), 1, 0, 1);
    expect_answer(batch.ack(), 1, 0, 0);
    EXPECT_TRUE(resident(queue).empty());
    EXPECT_EQ(counter(queue, "leased_bytes"), 0);
    expect_sound(queue);
}

TEST_F(Rule05Settle, SplitGivesBackTwoHalvesDueAtOnce) {
    Queue queue(options());
    Batch batch = leased(queue, {"a", "b", "c", "d", "e", "f"});
    Settlement settlement;
    settlement.rest = Rest::split;
    settlement.acked = {{.key = "c"}};
    expect_answer(batch.settle(settlement), 1, 0, 0);
    auto first = queue.lease();
    auto second = queue.lease();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(keys_of(*first), (Keys{"a", "b", "d"}));
    EXPECT_EQ(keys_of(*second), (Keys{"e", "f"}));
    EXPECT_EQ(first->attempt(), 2);
    RawDatabase raw(dir / "queue.db");
    EXPECT_EQ(
        raw.integer("SELECT count(*) FROM batches WHERE parent_id = " + std::to_string(batch.id())),
        2);
    put(queue, {"g"});  // after a split the newest batch is not the highest
    second->nack("no");
    EXPECT_EQ(keys_of(*queue.lease()), (Keys{"g"}));
    expect_sound(queue);
}

TEST_F(Rule05Settle, ABatchLeftWithoutItemsEndsAndIsNotAbandoned) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    Queue queue(options);
    Batch batch = leased(queue, {"a", "b"});
    Settlement settlement;  // the rest would be nacked, and there is none
    settlement.acked = {{.key = "a"}};
    settlement.rejected = {{.key = "b", .reason = "bad"}};
    const Settled settled = batch.settle(settlement);
    expect_answer(settled, 1, 1, 0);
    EXPECT_FALSE(settled.abandoned);
    EXPECT_EQ(counter(queue, "failed_batches"), 0);
    EXPECT_EQ(counter(queue, "abandoned"), 0);
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT count(*) FROM batches"), 0);
    EXPECT_TRUE(batch.ack().fenced);
    expect_sound(queue);
}

TEST_F(Rule05Settle, APartialAckDoesNotResetAttempts) {
    Queue queue(options());
    put(queue, {"a", "b", "c"});
    for (const char* key : {"a", "b"}) {
        auto batch = queue.lease();
        ASSERT_TRUE(batch);
        Settlement settlement;
        settlement.acked = {{.key = key}};
        settlement.delay = Ms{0};
        batch->settle(settlement);
    }
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->attempt(), 3);
    EXPECT_TRUE(batch->nack("no").abandoned);
    EXPECT_EQ(outcome_of(queue, "c"), "abandoned");
    expect_sound(queue);
}

TEST_F(Rule05Settle, ANackAReleaseAndASplitEndTheirToken) {
    Queue queue(options());
    for (const Rest rest : {Rest::nack, Rest::release, Rest::split}) {
        Batch batch = leased(queue, {"a" + std::to_string(static_cast<int>(rest)), "b"});
        Settlement settlement;
        settlement.rest = rest;
        settlement.delay = Ms{0};
        EXPECT_FALSE(batch.settle(settlement).fenced);
        const RawDatabase raw(dir / "queue.db");
        EXPECT_TRUE(queue.settle(batch.token(), {.rest = Rest::ack}).fenced);
        EXPECT_TRUE(queue.extend(batch.token(), Ms{1'000}).fenced);
        clock->advance(Ms{10'000});
        while (auto rest_of_it = queue.lease()) rest_of_it->ack();
    }
    expect_sound(queue);
}

TEST_F(Rule05Settle, ALateAckAfterALapseIsHonouredUntilTheBatchIsLeasedAgain) {
    Queue queue(options());
    Batch batch = leased(queue, {"a", "b"}, {.lease_time = Ms{1'000}});
    clock->advance(Ms{1'000});
    EXPECT_EQ(queue.cleanup().reclaimed, 1);
    EXPECT_EQ(counter(queue, "waiting_items"), 2);
    Settlement settlement;
    settlement.acked = {{.key = "a", .result = "late"}};
    settlement.rest = Rest::keep;
    expect_answer(batch.settle(settlement), 1, 0, 0);
    EXPECT_EQ(outcome_of(queue, "a"), "resolved late");
    clock->advance(Ms{300'000});
    auto again = queue.lease();
    ASSERT_TRUE(again);
    EXPECT_EQ(keys_of(*again), (Keys{"b"}));
    EXPECT_TRUE(batch.ack().fenced);
    EXPECT_EQ(resident(queue), (Keys{"b"}));
    expect_answer(again->ack(), 1, 0, 0);
    expect_sound(queue);
}

TEST_F(Rule05Settle, ALateNackReleaseOrSplitAfterALapseIsHonouredToo) {
    for (const Rest rest : {Rest::nack, Rest::release, Rest::split}) {
        const std::string name = "q" + std::to_string(static_cast<int>(rest)) + ".db";
        Options options = QueueTest::options();
        options.path = dir / name;
        Queue queue(options);
        Batch batch = leased(queue, {"a", "b"}, {.lease_time = Ms{1'000}});
        clock->advance(Ms{1'000});
        queue.cleanup();
        Settlement settlement;
        settlement.rest = rest;
        EXPECT_FALSE(batch.settle(settlement).fenced);
        clock->advance(Ms{300'000});
        auto again = queue.lease();
        ASSERT_TRUE(again);
        EXPECT_EQ(again->attempt(), rest == Rest::release ? 1 : 2);
        EXPECT_EQ(again->items().size(), rest == Rest::split ? 1U : 2U);
        expect_sound(queue);
    }
}

TEST_F(Rule05Settle, WhatLeftABatchWhileItWaitedIsGoneForALateAck) {
    Options options = QueueTest::options();
    options.items_max = 3;
    Queue queue(options);
    Batch batch = leased(queue, {"a", "b"}, {.lease_time = Ms{1'000}});
    clock->advance(Ms{1'000});
    queue.cleanup();
    put(queue, {"c", "d"});  // evicts the waiting a
    EXPECT_TRUE(queue.cancel("b"));
    Settlement settlement;
    settlement.acked = {{.key = "a"}, {.key = "b"}};
    EXPECT_TRUE(batch.settle(settlement).fenced);  // the batch itself is gone
    EXPECT_EQ(outcome_of(queue, "a"), "evicted");
    EXPECT_EQ(outcome_of(queue, "b"), "cancelled");
    expect_sound(queue);
}

TEST_F(Rule05Settle, ASplitLeavesALaterBatchWhatAHandEditMadeBothClaim) {
    Queue queue(options());
    Batch batch = leased(queue, {"a", "b"});
    Batch later = leased(queue, {"c", "d", "e"});
    RawDatabase(dir / "queue.db").exec("UPDATE batches SET last_id = 5 WHERE first_id = 1");
    EXPECT_FALSE(batch.split("too long").fenced);  // the middle of five is where the later begins
    EXPECT_EQ(later.ack().acked, 3U);
    for (const char* key : {"a", "b"}) {
        auto half = queue.lease();
        ASSERT_TRUE(half);
        EXPECT_EQ(keys_of(*half), Keys{key});
        half->ack();
    }
    expect_sound(queue);
}

TEST_F(Rule05Settle, AFencedSettlementChangesNothing) {
    Queue queue(options());
    Batch batch = leased(queue, {"a"}, {.lease_time = Ms{1'000}});
    const std::string token(batch.token());
    clock->advance(Ms{301'000});
    auto again = queue.lease();
    ASSERT_TRUE(again);
    RawDatabase raw(dir / "queue.db");
    const auto version = raw.data_version();
    for (const Rest rest : {Rest::ack, Rest::nack, Rest::release, Rest::split, Rest::keep}) {
        Settlement settlement;
        settlement.rest = rest;
        settlement.close_gate = GateClosure{};
        settlement.acked = {{.key = "a"}};
        const Settled settled = queue.settle(token, settlement);
        EXPECT_TRUE(settled.fenced);
        EXPECT_EQ(settled.acked + settled.gone, 0);
    }
    EXPECT_EQ(raw.data_version(), version);
    EXPECT_EQ(Admin(queue).gate().state, "open");
    expect_sound(queue);
}

TEST_F(Rule05Settle, ATokenIsTheBatchIdAnd64RandomBits) {
    Queue queue(options());
    Batch batch = leased(queue, {"a"});
    const std::string token(batch.token());
    ASSERT_EQ(token.size(), std::to_string(batch.id()).size() + 17);
    EXPECT_TRUE(token.starts_with(std::to_string(batch.id()) + "-"));
    std::string forged = token;
    forged.back() = forged.back() == '0' ? '1' : '0';
    const std::vector<std::string> wrong{forged,
                                         "",
                                         "-",
                                         "abc",
                                         token + " ",
                                         token.substr(0, token.size() - 1),
                                         "999-" + token.substr(token.size() - 16),
                                         "0" + token,
                                         "-" + token};
    for (const std::string& one : wrong) {
        EXPECT_TRUE(queue.settle(one, {.rest = Rest::ack}).fenced) << one;
        EXPECT_TRUE(queue.extend(one, Ms{1'000}).fenced) << one;
    }
    EXPECT_FALSE(queue.settle(token, {.rest = Rest::ack}).fenced);
    expect_sound(queue);
}

TEST_F(Rule05Settle, ARestoredBackupCannotReviveAnOldToken) {
    Queue queue(options());
    put(queue, {"a"});
    Admin(queue).backup(dir / "copy.db");
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    Options restored = options();
    restored.path = dir / "copy.db";
    Queue copy(restored);
    auto again = copy.lease();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->id(), batch->id());
    EXPECT_TRUE(copy.settle(batch->token(), {.rest = Rest::ack}).fenced);
    expect_sound(queue);
    expect_sound(copy);
}

TEST_F(Rule05Settle, ExtendMovesTheLapseAndIsFencedWhenNoLongerLeased) {
    Queue queue(options());
    Batch batch = leased(queue, {"a"}, {.lease_time = Ms{1'000}});
    clock->advance(Ms{900});
    EXPECT_FALSE(batch.extend(Ms{1'000}).fenced);
    EXPECT_EQ(batch.deadline(), clock->wall() + Ms{1'000});
    clock->advance(Ms{999});
    EXPECT_EQ(queue.cleanup().reclaimed, 0);
    clock->advance(Ms{1});
    EXPECT_EQ(queue.cleanup().reclaimed, 1);
    EXPECT_TRUE(batch.extend(Ms{1'000}).fenced);
    expect_answer(batch.ack(), 1, 0, 0);  // the token itself is still alive
    EXPECT_TRUE(queue.extend(batch.token(), Ms{1'000}).fenced);
    for (const Ms bad : {Ms{0}, Ms{-1}, Ms{24 * 3600 * 1000 + 1}}) {
        EXPECT_THROW(queue.extend("1-0000000000000000", bad), Error);
    }
    expect_sound(queue);
}

TEST_F(Rule05Settle, SettlesByTokenFromAnotherQueue) {
    Queue queue(options());
    Queue other(options());
    Batch batch = leased(queue, {"a", "b"}, {.detached = true});
    Settlement settlement;
    settlement.acked = {{.key = "a"}, {.key = "b"}};
    expect_answer(other.settle(batch.token(), settlement), 2, 0, 0);
    EXPECT_TRUE(batch.ack().fenced);
    expect_sound(queue);
}

TEST_F(Rule05Settle, ADroppedBatchIsNackedAndTheAttemptStaysCharged) {
    Options options = QueueTest::options();
    options.backoff_base = Ms{0};
    Queue queue(options);
    put(queue, {"a"});
    { const auto dropped = queue.lease(); }
    RawDatabase raw(dir / "queue.db");
    EXPECT_EQ(raw.text("SELECT state || attempts || last_error FROM batches"),
              "waiting1dropped unsettled");
    auto again = queue.lease();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->attempt(), 2);
    again = std::nullopt;
    auto last = queue.lease();
    ASSERT_TRUE(last);
    *last = std::move(*last);
    last.reset();
    EXPECT_EQ(counter(queue, "abandoned"), 1);
    expect_sound(queue);
}

TEST_F(Rule05Settle, ABatchThatIsAssignedOverIsDroppedAndAMovedFromOneIsNot) {
    Options options = QueueTest::options();
    options.batch_items_max = 1;
    Queue queue(options);
    put(queue, {"a", "b"});
    auto first = queue.lease();
    auto second = queue.lease();
    ASSERT_TRUE(first && second);
    *first = std::move(*second);  // a is dropped, b is held by `first`
    EXPECT_EQ(counter(queue, "waiting_items"), 1);
    second.reset();
    EXPECT_EQ(counter(queue, "leased_items"), 1);
    expect_answer(first->ack(), 1, 0, 0);
    expect_sound(queue);
}

TEST_F(Rule05Settle, ADropThatFindsTheLockTakenIsDoneByTheNextWrite) {
    Options options = QueueTest::options();
    options.backoff_base = Ms{0};
    Queue queue(options);
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    RawDatabase raw(dir / "queue.db");
    raw.exec("BEGIN IMMEDIATE");
    batch.reset();  // must not wait for the foreign writer
    raw.exec("ROLLBACK");
    EXPECT_EQ(raw.text("SELECT state FROM batches"), "leased");
    put(queue, {"b"});
    EXPECT_EQ(raw.text("SELECT state || last_error FROM batches"), "waitingdropped unsettled");
    expect_sound(queue);
}

TEST_F(Rule05Settle, ABatchMayOutliveItsQueueAndStillSettle) {
    std::optional<Batch> batch;
    std::optional<Batch> dropped;
    {
        Options options = QueueTest::options();
        options.batch_items_max = 1;
        Queue queue(options);
        put(queue, {"a", "b"});
        batch = queue.lease();
        dropped = queue.lease();
    }
    ASSERT_TRUE(batch && dropped);
    EXPECT_FALSE(batch->extend(Ms{5'000}).fenced);
    expect_answer(batch->ack(), 1, 0, 0);
    dropped.reset();
    batch.reset();
    Queue queue(options());
    EXPECT_EQ(outcome_of(queue, "a"), "resolved ");
    EXPECT_EQ(counter(queue, "waiting_items"), 1);
    expect_sound(queue);
}

TEST_F(Rule05Settle, ABatchThatWasMovedFromIsEmptyAndSettlingItIsMisuse) {
    Queue queue(options());
    Batch batch = leased(queue, {"a"});
    Batch other = std::move(batch);
    EXPECT_TRUE(batch.items().empty());  // NOLINT(bugprone-use-after-move)
    for (const auto& call : {std::function<void()>([&] { batch.ack(); }),
                             std::function<void()>([&] { batch.extend(Ms{1'000}); })}) {
        try {
            call();
            ADD_FAILURE() << "was allowed";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::misuse);
        }
    }
    EXPECT_EQ(other.ack().acked, 1U);
}

TEST_F(Rule05Settle, ErrorsAreCutAndCleaned) {
    Queue queue(options());
    Batch batch = leased(queue, {"a"});
    batch.nack(std::string("line\0\xff", 6) + std::string(2'000, 'e'));
    RawDatabase raw(dir / "queue.db");
    EXPECT_EQ(raw.integer("SELECT length(last_error) FROM batches"), 1000);
    EXPECT_EQ(raw.text("SELECT substr(last_error, 1, 7) FROM batches"), "line??e");
    expect_sound(queue);
}

TEST_F(Rule05Settle, ANegativeDelayIsMisuse) {
    Queue queue(options());
    Batch batch = leased(queue, {"a"});
    Settlement settlement;
    settlement.delay = Ms{-1};
    EXPECT_THROW(batch.settle(settlement), Error);
    EXPECT_FALSE(batch.ack().fenced);
    expect_sound(queue);
}

TEST_F(Rule05Settle, ALeaseThatLapsedIsNotExtendedWhetherOrNotSomebodyLooked) {
    Queue queue(options());
    Batch batch = leased(queue, {"a"}, {.lease_time = Ms{1'000}});
    clock->advance(Ms{999});
    EXPECT_FALSE(batch.extend(Ms{1'000}).fenced);
    clock->advance(Ms{1'000});
    EXPECT_TRUE(batch.extend(Ms{1'000}).fenced);
    EXPECT_EQ(batch.ack().acked, 1U);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
