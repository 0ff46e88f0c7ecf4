// Rule 11: keys, cancel and redrive.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <string>
#include <vector>

namespace headpond::test {
namespace {

class Rule11Keys : public QueueTest {
  protected:
    using Names = std::vector<std::string>;
    Options dying() {
        Options options = QueueTest::options();
        options.attempts_max = 1;
        return options;
    }
    static void kill(Queue& queue, const Names& keys) {
        put(queue, keys);
        while (auto batch = queue.lease()) batch->nack("dies");
    }
};

TEST_F(Rule11Keys, AKeyIsUniqueWhileItIsResident) {
    Queue queue(options());
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    const std::string other = "another payload";
    EXPECT_EQ(queue.enqueue({.key = "a", .payload = other}), Enqueued::duplicate);
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->items()[0].payload, "payload of a");
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::duplicate});  // leased
    Settlement settlement;
    settlement.delay = Ms{60'000};
    batch->settle(settlement);
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::duplicate});  // waiting
    EXPECT_TRUE(queue.cancel("a"));
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    EXPECT_EQ(counter(queue, "duplicates"), 3);
    EXPECT_EQ(counter(queue, "enqueued"), 2);
    expect_sound(queue);
}

TEST_F(Rule11Keys, OneCallWithAKeyTwiceStoresTheFirst) {
    Queue queue(options());
    EXPECT_EQ(put(queue, {"a", "b", "a"}),
              (std::vector{Enqueued::stored, Enqueued::stored, Enqueued::duplicate}));
    expect_sound(queue);
}

TEST_F(Rule11Keys, KeysAreComparedByteByByte) {
    Queue queue(options());
    EXPECT_EQ(put(queue, {"a", "A", "a ", "\xc3\xa4", "a\xcc\x88"}),
              std::vector(5, Enqueued::stored));
    expect_sound(queue);
}

TEST_F(Rule11Keys, FreeKeysAreNotCheckedAndItemsAreSettledByIdOrInTurn) {
    Options options = QueueTest::options();
    options.keys = headpond::Keys::free;
    Queue queue(options);
    EXPECT_EQ(put(queue, {"a", "a", "a", "b"}), std::vector(4, Enqueued::stored));
    EXPECT_EQ(RawDatabase(dir / "queue.db")
                  .integer("SELECT count(*) FROM sqlite_schema WHERE name = 'items_key'"),
              0);
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    Settlement settlement;
    settlement.acked = {{.item_id = batch->items()[1].id}, {.key = "a"}};
    settlement.rest = Rest::keep;
    EXPECT_EQ(batch->settle(settlement).acked, 2);
    settlement.acked = {{.key = "a"}, {.key = "a"}};
    EXPECT_THROW(batch->settle(settlement), Error);  // one is left: the second names it again
    EXPECT_EQ(batch->ack().acked, 2);
    try {
        (void)queue.cancel("a");
        ADD_FAILURE() << "cancelled";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unsupported);
    }
    expect_sound(queue);
}

TEST_F(Rule11Keys, KeysBecomeUniqueAgainWhenTheyDoNotRepeat) {
    Options options = QueueTest::options();
    options.keys = headpond::Keys::free;
    Queue queue(options);
    put(queue, {"a", "a", "b"});
    try {
        Admin(queue).set("keys", "unique", "test");
        ADD_FAILURE() << "set";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::misuse);
    }
    EXPECT_EQ(queue.options().keys, headpond::Keys::free);
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    queue.lease()->ack();
    Admin(queue).set("keys", "unique", "test");
    EXPECT_EQ(put(queue, {"a", "a"}), (std::vector{Enqueued::stored, Enqueued::duplicate}));
    EXPECT_TRUE(queue.cancel("a"));
    expect_sound(queue);
}

TEST_F(Rule11Keys, CancelRemovesAReadyOrWaitingItemAndNoOther) {
    Options options = QueueTest::options();
    options.batch_items_max = 2;
    Queue queue(options);
    put(queue, {"w1", "w2", "l1", "l2", "ready"});
    Settlement later;
    later.delay = Ms{60'000};
    queue.lease()->settle(later);
    const auto held = queue.lease();
    EXPECT_TRUE(queue.cancel("w1"));
    EXPECT_TRUE(queue.cancel("ready"));
    EXPECT_FALSE(queue.cancel("l1"));
    EXPECT_FALSE(queue.cancel("never seen"));
    EXPECT_FALSE(queue.cancel("w1"));
    EXPECT_EQ(resident(queue), (Names{"w2", "l1", "l2"}));
    EXPECT_EQ(counter(queue, "cancelled"), 2);
    EXPECT_EQ(counter(queue, "waiting_items"), 1);
    EXPECT_TRUE(queue.cancel("w2"));
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT count(*) FROM batches"), 1);
    expect_sound(queue);
}

TEST_F(Rule11Keys, ADuplicateIsToldBeforeItsPayloadIsWeighed) {
    Options options = QueueTest::options();
    options.payload_bytes_max = 20;
    Queue queue(options);
    put(queue, {"a"});
    const std::string large(21, 'p');
    EXPECT_EQ(queue.enqueue({.key = "a", .payload = large}), Enqueued::duplicate);
    EXPECT_EQ(queue.enqueue({.key = "b", .payload = large}), Enqueued::too_large);
}

TEST_F(Rule11Keys, RedriveMakesANewItemOfADeadLetter) {
    Queue queue(dying());
    kill(queue, {"a"});
    const auto dead = Admin(queue).dead({});
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(Admin(queue).outcome("a")->reason, "abandoned");
    clock->advance(Ms{5'000});
    const Redriven answer = Admin(queue).redrive({.key = "a"});
    EXPECT_EQ(answer.redriven, 1);
    EXPECT_EQ(answer.duplicates, 0);
    EXPECT_EQ(answer.remaining, 0);
    EXPECT_FALSE(Admin(queue).outcome("a"));  // pending again
    EXPECT_EQ(Admin(queue).count_dead({}), 0);
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_GT(batch->items()[0].id, dead[0].item_id);
    EXPECT_EQ(batch->items()[0].enqueued_at, clock->wall());
    EXPECT_EQ(batch->items()[0].payload, "payload of a");
    EXPECT_EQ(batch->items()[0].source_tag, "test");
    EXPECT_EQ(batch->items()[0].tracking, Tracking::tracked);
    EXPECT_EQ(batch->attempt(), 1);
    batch->ack();
    EXPECT_EQ(queue.outcomes(10).size(), 1U);
    EXPECT_EQ(counter(queue, "redriven"), 1);
    EXPECT_EQ(counter(queue, "enqueued"), 1);
    expect_sound(queue);
}

TEST_F(Rule11Keys, RedriveSkipsAndCountsResidentKeys) {
    Queue queue(dying());
    kill(queue, {"a", "b"});
    put(queue, {"a"});
    const Redriven answer = Admin(queue).redrive({});
    EXPECT_EQ(answer.redriven, 1);
    EXPECT_EQ(answer.duplicates, 1);
    EXPECT_EQ(answer.remaining, 0);
    EXPECT_EQ(Admin(queue).dead({}).front().key, "a");
    EXPECT_EQ(resident(queue), (Names{"a", "b"}));
    expect_sound(queue);
}

TEST_F(Rule11Keys, RedriveNeverEvictsAndSaysHowManyRemain) {
    Options options = dying();
    options.items_max = 5;
    Queue queue(options);
    kill(queue, {"a", "b", "c", "d", "e"});
    put(queue, {"new 1", "new 2", "new 3"});
    const Redriven answer = Admin(queue).redrive({});
    EXPECT_EQ(answer.redriven, 2);
    EXPECT_EQ(answer.remaining, 3);
    EXPECT_EQ(resident(queue), (Names{"new 1", "new 2", "new 3", "a", "b"}));
    EXPECT_EQ(counter(queue, "evicted"), 0);
    EXPECT_EQ(Admin(queue).count_dead({}), 3);
    expect_sound(queue);
}

TEST_F(Rule11Keys, RedriveCountsAResidentKeyAsADuplicateWhereThereIsNoRoom) {
    Options options = dying();
    options.items_max = 3;
    Queue queue(options);
    kill(queue, {"a", "b"});
    put(queue, {"new", "a"});
    const Redriven answer = Admin(queue).redrive({.limit = 3});  // "b" takes the last room
    EXPECT_EQ(answer.redriven, 1);
    EXPECT_EQ(answer.duplicates, 1);
    EXPECT_EQ(answer.remaining, 0);
    expect_sound(queue);
}

TEST_F(Rule11Keys, RedriveCountsWhatRemainsOfThoseItWasAskedFor) {
    Options options = dying();
    options.items_max = 4;
    Queue queue(options);
    kill(queue, {"a", "b", "c", "d"});
    put(queue, {"new 1", "new 2", "new 3"});
    const Redriven answer = Admin(queue).redrive({.limit = 2});
    EXPECT_EQ(answer.redriven, 1);
    EXPECT_EQ(answer.remaining, 1);
    expect_sound(queue);
}

TEST_F(Rule11Keys, RedriveGoesPastManyResidentKeys) {
    Queue queue(dying());
    Names repeated;
    for (int i = 0; i < 230; ++i) repeated.push_back("r" + std::to_string(i));
    kill(queue, repeated);
    clock->advance(Ms{1});
    kill(queue, {"last 1", "last 2"});
    put(queue, repeated);
    const Redriven answer = Admin(queue).redrive({});
    EXPECT_EQ(answer.redriven, 2);
    EXPECT_EQ(answer.duplicates, 230);
    EXPECT_EQ(answer.remaining, 0);
    expect_sound(queue);
}

TEST_F(Rule11Keys, RedriveTakesTheOldestDeathFirstUpToItsLimitAndByReason) {
    Queue queue(dying());
    kill(queue, {"a"});
    clock->advance(Ms{1});
    kill(queue, {"b"});
    put(queue, {"c"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    Settlement settlement;
    settlement.rejected = {{.key = "c", .reason = "bad"}};
    batch->settle(settlement);
    EXPECT_EQ(Admin(queue).redrive({.reason = "rejected"}).redriven, 1);
    EXPECT_EQ(Admin(queue).redrive({.limit = 1}).redriven, 1);
    EXPECT_EQ(resident(queue), (Names{"c", "a"}));
    EXPECT_EQ(Admin(queue).redrive({.key = "no such"}).redriven, 0);
    expect_sound(queue);
}

TEST_F(Rule11Keys, PurgeDeletesDeadLettersAndNoOutcome) {
    Queue queue(dying());
    kill(queue, {"a", "b"});
    EXPECT_EQ(Admin(queue).purge({.key = "a"}), 1);
    EXPECT_EQ(Admin(queue).purge({}), 1);
    EXPECT_EQ(counter(queue, "dead_letters"), 0);
    EXPECT_EQ(queue.outcomes(10).size(), 2U);
    expect_sound(queue);
}

TEST_F(Rule11Keys, TheSettingChangedByHandIsObeyed) {
    Options options = QueueTest::options();
    options.keys = Keys::free;
    Queue queue(options);
    put(queue, {"a"});
    RawDatabase raw(dir / "queue.db");
    raw.exec("UPDATE settings SET value = 'unique' WHERE name = 'keys'");
    EXPECT_EQ(put(queue, {"a", "b", "b"}),
              (std::vector{Enqueued::duplicate, Enqueued::stored, Enqueued::duplicate}));
    raw.exec("UPDATE settings SET value = 'free' WHERE name = 'keys'");
    queue.transact([&](Transaction& tx) {
        EXPECT_EQ(tx.enqueue({.key = "a", .payload = "again"}), Enqueued::stored);
    });
    expect_sound(queue);
}

TEST_F(Rule11Keys, AHandEditToUniqueWhereKeysRepeatIsPutBackAndSaid) {
    Options options = QueueTest::options();
    options.keys = Keys::free;
    Queue queue(options);
    put(queue, {"a", "a"});
    RawDatabase raw(dir / "queue.db");
    raw.exec("UPDATE settings SET value = 'unique' WHERE name = 'keys'");
    EXPECT_EQ(put(queue, {"b"}), (std::vector{Enqueued::stored}));
    EXPECT_EQ(raw.text("SELECT value FROM settings WHERE name = 'keys'"), "free");
    EXPECT_TRUE(logged("[Moonshot] Setting keys: unique -> free: two resident items share a key"));
    raw.exec("UPDATE settings SET value = 'unique' WHERE name = 'keys'");
    const Queue again(QueueTest::options());  // opens all the same
    EXPECT_EQ(raw.text("SELECT value FROM settings WHERE name = 'keys'"), "free");
    expect_sound(queue);
}

// keys = mapped: the same answers without an index.
class Rule11MappedKeys : public Rule11Keys {
  protected:
    Options options() {
        Options options = QueueTest::options();
        options.keys = Keys::mapped;
        return options;
    }
    std::int64_t indexes() {
        return RawDatabase(dir / "queue.db")
            .integer("SELECT count(*) FROM sqlite_schema WHERE name = 'items_key'");
    }
};

TEST_F(Rule11MappedKeys, AKeyIsUniqueWhileItIsResident) {
    Queue queue(options());
    EXPECT_EQ(indexes(), 0);
    EXPECT_EQ(put(queue, {"a", "b", "a"}),
              (std::vector{Enqueued::stored, Enqueued::stored, Enqueued::duplicate}));
    auto batch = queue.lease();
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::duplicate});  // leased
    batch->ack();
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    EXPECT_TRUE(queue.cancel("a"));
    EXPECT_FALSE(queue.cancel("a"));
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    EXPECT_TRUE(Admin(queue).pending("a"));
    EXPECT_EQ(counter(queue, "duplicates"), 2);
    expect_sound(queue);
}

TEST_F(Rule11MappedKeys, OthersItemsAreKnown) {
    Queue one(options());
    Queue two(QueueTest::options());
    EXPECT_EQ(put(one, {"a"}), std::vector{Enqueued::stored});
    EXPECT_EQ(put(two, {"a", "b"}), (std::vector{Enqueued::duplicate, Enqueued::stored}));
    EXPECT_EQ(put(one, {"b"}), std::vector{Enqueued::duplicate});
    two.lease()->ack();
    EXPECT_EQ(put(one, {"a", "b"}), std::vector(2, Enqueued::stored));
    Queue later(QueueTest::options());
    EXPECT_EQ(put(later, {"a"}), std::vector{Enqueued::duplicate});
    expect_sound(one);
}

TEST_F(Rule11MappedKeys, WhatATransactionUndoesMayEnterAgain) {
    Queue queue(options());
    struct Changed {};
    EXPECT_THROW(queue.transact([&](Transaction& tx) {
        EXPECT_EQ(tx.enqueue({.key = "a", .payload = "p"}), Enqueued::stored);
        EXPECT_EQ(tx.enqueue({.key = "a", .payload = "p"}), Enqueued::duplicate);
        throw Changed{};
    }),
                 Changed);
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::duplicate});
    expect_sound(queue);
}

TEST_F(Rule11MappedKeys, TheSettingMovesBothWays) {
    Queue queue(QueueTest::options());
    put(queue, {"a"});
    EXPECT_EQ(indexes(), 1);
    Admin(queue).set("keys", "mapped", "test");
    EXPECT_EQ(indexes(), 0);
    EXPECT_EQ(put(queue, {"a", "b"}), (std::vector{Enqueued::duplicate, Enqueued::stored}));
    Admin(queue).set("keys", "free", "test");
    EXPECT_EQ(put(queue, {"c", "c"}), std::vector(2, Enqueued::stored));
    EXPECT_THROW(Admin(queue).set("keys", "mapped", "test"), Error);  // c repeats
    EXPECT_EQ(queue.options().keys, Keys::free);
    while (auto batch = queue.lease()) batch->ack();
    put(queue, {"d"});
    RawDatabase raw(dir / "queue.db");
    raw.exec("UPDATE settings SET value = 'mapped' WHERE name = 'keys'");
    EXPECT_EQ(put(queue, {"d", "e"}), (std::vector{Enqueued::duplicate, Enqueued::stored}));
    raw.exec("UPDATE settings SET value = 'unique' WHERE name = 'keys'");
    EXPECT_EQ(put(queue, {"d", "e"}), std::vector(2, Enqueued::duplicate));
    EXPECT_EQ(indexes(), 1);
    expect_sound(queue);
}

TEST_F(Rule11MappedKeys, AskedForWhereKeysRepeatIsAnError) {
    Options free = QueueTest::options();
    free.keys = Keys::free;
    {
        Queue queue(free);
        put(queue, {"a", "a"});
    }
    EXPECT_THROW(Queue{options()}, Error);
    Queue queue(free);
    EXPECT_EQ(queue.options().keys, Keys::free);
    expect_sound(queue);
}

TEST_F(Rule11MappedKeys, ALetterWhoseKeyIsBackIsADuplicate) {
    Options dying = options();
    dying.attempts_max = 1;
    Queue queue(dying);
    kill(queue, {"a", "b"});
    put(queue, {"a"});
    const Redriven answer = Admin(queue).redrive({});
    EXPECT_EQ(answer.redriven, 1);
    EXPECT_EQ(put(queue, {"a", "b"}), std::vector(2, Enqueued::duplicate));
    expect_sound(queue);
}

TEST_F(Rule11Keys, ALetterThatIsTooLargeNowIsLeftAndDoesNotBlockTheOthers) {
    Queue queue(dying());
    const std::string large(100, 'x');
    (void)queue.enqueue({.key = "large", .payload = large});
    queue.lease()->nack("dies");
    kill(queue, {"small"});
    Admin(queue).set("payload_bytes_max", "50", "test");
    const Redriven answer = Admin(queue).redrive({});
    EXPECT_EQ(answer.redriven, 1);
    EXPECT_EQ(answer.remaining, 1);
    EXPECT_EQ(resident(queue), (Names{"small"}));
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
