// Rule 1: bounds, and what an enqueue into a full queue does.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <string>
#include <vector>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class Rule01Bounds : public QueueTest {
  protected:
    static Enqueued put_bytes(Queue& queue, std::string_view key, std::size_t bytes) {
        const std::string payload(bytes, 'x');
        return queue.enqueue({.key = key, .payload = payload, .tracking = Tracking::tracked});
    }
    static Keys numbered(int first, int last) {
        Keys keys;
        for (int i = first; i <= last; ++i) keys.push_back("k" + std::to_string(i));
        return keys;
    }
};

TEST_F(Rule01Bounds, DefaultsAreThoseOfTheDesign) {
    Queue queue(options());
    const Options in_force = queue.options();
    EXPECT_EQ(in_force.items_max, 1000);
    EXPECT_EQ(in_force.bytes_max, 64 << 20);
    EXPECT_EQ(in_force.payload_bytes_max, 1 << 20);
    EXPECT_EQ(in_force.overflow, Overflow::evict_oldest);
    EXPECT_EQ(in_force.cleanup_rows, 500);
    expect_sound(queue);
}

TEST_F(Rule01Bounds, ByDefaultTheOldestReadyItemsGo) {
    Options small = options();
    small.items_max = 3;
    Queue queue(small);
    put(queue, {"a", "b", "c"});
    EXPECT_EQ(put(queue, {"d"}), std::vector{Enqueued::stored});
    EXPECT_EQ(resident(queue), (Keys{"b", "c", "d"}));
    EXPECT_EQ(counter(queue, "evicted"), 1);
    const auto outcomes = queue.outcomes(10);
    ASSERT_EQ(outcomes.size(), 1U);
    EXPECT_EQ(outcomes[0].key, "a");
    EXPECT_EQ(outcomes[0].reason, "evicted");
    expect_sound(queue);
}

TEST_F(Rule01Bounds, WaitingItemsAreOlderThanReadyOnesAndGoFirst) {
    Options small = options();
    small.items_max = 4;
    small.batch_items_max = 2;
    Queue queue(small);
    put(queue, {"a", "b", "c", "d"});
    queue.lease()->nack("no");
    put(queue, {"e"});
    EXPECT_EQ(resident(queue), (Keys{"b", "c", "d", "e"}));
    EXPECT_EQ(counter(queue, "waiting_items"), 1);
    put(queue, {"f", "g"});
    EXPECT_EQ(resident(queue), (Keys{"d", "e", "f", "g"}));
    EXPECT_EQ(counter(queue, "waiting_items"), 0);
    EXPECT_TRUE(Admin(queue).view("stuck").rows.empty());  // the batch left without items is gone
    expect_sound(queue);
}

TEST_F(Rule01Bounds, RefuseKeepsWhatIsThereAndCountsTheNewcomer) {
    Options small = options();
    small.items_max = 2;
    small.overflow = Overflow::refuse;
    Queue queue(small);
    EXPECT_EQ(put(queue, {"a", "b", "c"}),
              (std::vector{Enqueued::stored, Enqueued::stored, Enqueued::refused}));
    EXPECT_EQ(put(queue, {"b"}), std::vector{Enqueued::duplicate});  // a duplicate needs no room
    EXPECT_EQ(resident(queue), (Keys{"a", "b"}));
    EXPECT_EQ(counter(queue, "refused"), 1);
    EXPECT_EQ(counter(queue, "duplicates"), 1);
    EXPECT_EQ(counter(queue, "evicted"), 0);
    expect_sound(queue);
}

TEST_F(Rule01Bounds, NewcomersOfOneCallPushOutNewcomersOfIt) {
    Options small = options();
    small.items_max = 3;
    Queue queue(small);
    put(queue, {"old"});
    EXPECT_EQ(put(queue, numbered(1, 200)), std::vector(200, Enqueued::stored));
    EXPECT_EQ(resident(queue), numbered(198, 200));
    EXPECT_EQ(counter(queue, "enqueued"), 201);
    EXPECT_EQ(counter(queue, "evicted"), 198);
    EXPECT_EQ(queue.outcomes(1000).size(), 198U);
    expect_sound(queue);
}

TEST_F(Rule01Bounds, AKeyThatWasPushedOutMayComeAgainInTheSameCall) {
    Options small = options();
    small.items_max = 2;
    Queue queue(small);
    EXPECT_EQ(put(queue, {"a", "b", "c", "a", "a"}),
              (std::vector{Enqueued::stored, Enqueued::stored, Enqueued::stored, Enqueued::stored,
                           Enqueued::duplicate}));
    EXPECT_EQ(resident(queue), (Keys{"c", "a"}));
    expect_sound(queue);
}

TEST_F(Rule01Bounds, ADuplicateOfTheOldestDoesNotEvictIt) {
    Options small = options();
    small.items_max = 2;
    Queue queue(small);
    put(queue, {"a", "b"});
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::duplicate});
    EXPECT_EQ(resident(queue), (Keys{"a", "b"}));
    EXPECT_EQ(counter(queue, "evicted"), 0);
    expect_sound(queue);
}

TEST_F(Rule01Bounds, ANewcomerThatCannotFitBesideTheLeasedIsRefusedAndNothingIsEvicted) {
    Options small = options();
    small.items_max = 3;
    Queue queue(small);
    put(queue, {"a", "b", "c"});
    const auto held = queue.lease();
    ASSERT_TRUE(held);
    EXPECT_EQ(put(queue, {"d"}), std::vector{Enqueued::refused});
    EXPECT_EQ(resident(queue), (Keys{"a", "b", "c"}));
    EXPECT_EQ(counter(queue, "evicted"), 0);
    expect_sound(queue);
}

TEST_F(Rule01Bounds, BytesOfTheLeasedLimitNewcomersToo) {
    Options small = options();
    small.bytes_max = 100;
    Queue queue(small);
    put_bytes(queue, "held", 80);
    auto held = queue.lease();
    ASSERT_TRUE(held);
    EXPECT_EQ(put_bytes(queue, "ready", 10), Enqueued::stored);
    EXPECT_EQ(put_bytes(queue, "big", 21), Enqueued::refused);  // 80 + 21 never fit
    EXPECT_EQ(resident(queue), (Keys{"held", "ready"}));
    EXPECT_EQ(put_bytes(queue, "fits", 20), Enqueued::stored);  // in the place of `ready`
    EXPECT_EQ(resident(queue), (Keys{"held", "fits"}));
    EXPECT_EQ(counter(queue, "bytes"), 100);
    expect_sound(queue);
}

TEST_F(Rule01Bounds, TooLargeNeverFitsAndEvictsNothing) {
    Options small = options();
    small.bytes_max = 100;
    small.payload_bytes_max = 150;
    Queue queue(small);
    EXPECT_EQ(put_bytes(queue, "a", 60), Enqueued::stored);
    EXPECT_EQ(put_bytes(queue, "over bytes_max", 101), Enqueued::too_large);
    EXPECT_EQ(put_bytes(queue, "over payload_bytes_max", 151), Enqueued::too_large);
    EXPECT_EQ(resident(queue), (Keys{"a"}));
    EXPECT_EQ(put_bytes(queue, "just", 100), Enqueued::stored);
    EXPECT_EQ(resident(queue), (Keys{"just"}));
    EXPECT_EQ(counter(queue, "refused"), 2);
    expect_sound(queue);
}

TEST_F(Rule01Bounds, BytesEvictAsManyAsTheNewcomerNeedsAndNoMore) {
    Options small = options();
    small.bytes_max = 100;
    Queue queue(small);
    for (const char* key : {"a", "b", "c"}) put_bytes(queue, key, 30);
    put_bytes(queue, "d", 10);
    EXPECT_EQ(resident(queue), (Keys{"a", "b", "c", "d"}));  // 100 of 100
    put_bytes(queue, "e", 31);
    EXPECT_EQ(resident(queue), (Keys{"c", "d", "e"}));  // 30 freed would not do
    put_bytes(queue, "empty", 0);
    EXPECT_EQ(resident(queue), (Keys{"c", "d", "e", "empty"}));
    expect_sound(queue);
}

TEST_F(Rule01Bounds, AnEnqueueTrimsAtMostCleanupRowsOfAnOldExcess) {
    Queue queue(options());
    put(queue, numbered(1, 20));
    Admin(queue).set("items_max", "5", "test");
    Admin(queue).set("cleanup_rows", "4", "test");
    put(queue, {"n1"});
    EXPECT_EQ(resident(queue).size(), 16U);  // 1 for the newcomer, 4 of the excess
    put(queue, {"n2"});
    EXPECT_EQ(resident(queue).size(), 12U);
    put(queue, {"n3"});
    put(queue, {"n4"});
    EXPECT_EQ(resident(queue), (Keys{"k20", "n1", "n2", "n3", "n4"}));
    expect_sound(queue);
}

TEST_F(Rule01Bounds, AnOldExcessOfBytesIsTrimmedInTheSameSteps) {
    Queue queue(options());
    for (int i = 0; i < 10; ++i) put_bytes(queue, "k" + std::to_string(i), 10);
    Admin(queue).set("bytes_max", "30", "test");
    Admin(queue).set("cleanup_rows", "2", "test");
    EXPECT_EQ(put_bytes(queue, "n", 10), Enqueued::stored);
    EXPECT_EQ(resident(queue).size(), 8U);
    queue.cleanup();
    EXPECT_EQ(resident(queue), (Keys{"k8", "k9", "n"}));
    expect_sound(queue);
}

TEST_F(Rule01Bounds, LoweringALimitNeverPreventsOpeningAndCleanupTrims) {
    {
        Queue queue(options());
        put(queue, numbered(1, 12));
    }
    Options lower = options();
    lower.items_max = 2;
    Queue queue(lower);
    EXPECT_EQ(resident(queue).size(), 12U);
    EXPECT_EQ(queue.cleanup().evicted, 10);
    EXPECT_EQ(resident(queue), (Keys{"k11", "k12"}));
    EXPECT_EQ(counter(queue, "evicted"), 10);
    expect_sound(queue);
}

TEST_F(Rule01Bounds, ALeasedItemIsNeverEvictedExpiredOrCancelledAndCounts) {
    Options small = options();
    small.items_max = 3;
    small.age_max = Ms{10'000};
    small.lease_time = Ms{24 * 3600 * 1000};
    Queue queue(small);
    put(queue, {"held"});
    auto held = queue.lease();
    ASSERT_TRUE(held);
    put(queue, {"a", "b", "c", "d"});
    EXPECT_EQ(resident(queue), (Keys{"held", "c", "d"}));
    clock->advance(Ms{100'000});
    const CleanupReport report = queue.cleanup();
    EXPECT_EQ(report.expired, 2);
    EXPECT_FALSE(queue.cancel("held"));
    EXPECT_EQ(resident(queue), (Keys{"held"}));
    EXPECT_EQ(queue.health().leased, 1);
    EXPECT_EQ(held->ack().acked, 1);
    expect_sound(queue);
}

TEST_F(Rule01Bounds, LimitsAreReadInsideTheEnqueueOfEveryQueueOfTheFile) {
    Queue one(options());
    Queue other(options());
    put(one, {"a", "b", "c"});
    Admin(other).set("items_max", "2", "test");
    put(one, {"d"});
    EXPECT_EQ(resident(one), (Keys{"c", "d"}));
    expect_sound(one);
}

TEST_F(Rule01Bounds, BoundsAreDecidedFromCountersWithoutScanningItems) {
    Queue queue(options());
    put(queue, numbered(1, 10));
    // Were the rows counted, this edit would make room; the counters know of no edit.
    Admin(queue).set("items_max", "10", "test");
    Admin(queue).set("overflow", "refuse", "test");
    RawDatabase(dir / "queue.db").exec("DELETE FROM items WHERE key = 'k1'");
    EXPECT_EQ(put(queue, {"n"}), std::vector{Enqueued::refused});
    EXPECT_EQ(queue.cleanup().edited, -1);
    EXPECT_EQ(put(queue, {"n"}), std::vector{Enqueued::stored});
    expect_sound(queue);
}

// Counters that hand deletions left too high must not cost the newcomers their places.
class Rule01HandEdits : public Rule01Bounds, public ::testing::WithParamInterface<headpond::Keys> {
  protected:
    Options full_queue(int items_max) {
        Options full = options();
        full.items_max = items_max;
        full.keys = GetParam();
        return full;
    }
    void by_hand(const std::string& sql) { RawDatabase(dir / "queue.db").exec(sql); }
};

TEST_P(Rule01HandEdits, ANewcomerStaysWhereAllRowsWereDeleted) {
    Queue queue(full_queue(1000));
    put(queue, numbered(1, 1000));
    by_hand("DELETE FROM items");
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    EXPECT_EQ(put(queue, {"b"}), std::vector{Enqueued::stored});
    EXPECT_EQ(resident(queue), (Keys{"a", "b"}));
    EXPECT_EQ(counter(queue, "edited"), -1000);
    EXPECT_EQ(counter(queue, "evicted"), 0);
    EXPECT_EQ(queue.lease()->items().size(), 2U);
    expect_sound(queue);
}

TEST_P(Rule01HandEdits, ManyNewcomersStayWhereFewRowsAreLeft) {
    Queue queue(full_queue(1000));
    put(queue, numbered(1, 1000));
    by_hand("DELETE FROM items WHERE id > 5");
    const Keys fresh = numbered(2001, 2100);
    EXPECT_EQ(put(queue, fresh), std::vector<Enqueued>(100, Enqueued::stored));
    EXPECT_EQ(resident(queue), fresh);  // the five went before anybody could know
    EXPECT_EQ(counter(queue, "items"), 100);
    EXPECT_EQ(counter(queue, "edited"), -995);
    EXPECT_EQ(counter(queue, "evicted"), 5);
    expect_sound(queue);
}

TEST_P(Rule01HandEdits, NewcomersStayWhereAnOldExcessWasDeleted) {
    Queue queue(full_queue(1000));
    put(queue, numbered(1, 1000));
    by_hand(
        "DELETE FROM items WHERE id > 3; UPDATE settings SET value = 10 WHERE name = "
        "'items_max'");
    put(queue, {"a"});
    EXPECT_EQ(resident(queue), (Keys{"a"}));
    EXPECT_EQ(counter(queue, "edited"), -997);
    expect_sound(queue);
}

TEST_P(Rule01HandEdits, TheBoundsHoldAfterARecountInTheSameCall) {
    Queue queue(full_queue(10));
    put(queue, numbered(1, 10));
    by_hand("DELETE FROM items");
    put(queue, numbered(21, 35));
    EXPECT_EQ(resident(queue), numbered(26, 35));
    EXPECT_EQ(counter(queue, "edited"), -10);
    EXPECT_EQ(counter(queue, "evicted"), 5);
    expect_sound(queue);
}

TEST_P(Rule01HandEdits, AQueueFullOfLeasedItemsIsNotRecounted) {
    Queue queue(full_queue(10));
    Admin(queue).set("batch_items_max", "9", "test");
    put(queue, numbered(1, 10));
    const auto batch = queue.lease();
    by_hand("UPDATE totals SET dead_letters = 1");  // a recount would mend it
    put(queue, {"a"});
    put(queue, {"b", "c"});
    EXPECT_EQ(resident(queue).back(), "c");
    EXPECT_EQ(counter(queue, "dead_letters"), 1);
    EXPECT_EQ(counter(queue, "evicted"), 3);
}

INSTANTIATE_TEST_SUITE_P(Each, Rule01HandEdits,
                         ::testing::Values(headpond::Keys::unique, headpond::Keys::free,
                                           headpond::Keys::mapped));

TEST_F(Rule01Bounds, KeysAndTagsThatAreNotAllowedAreMisuseAndNothingIsStored) {
    Queue queue(options());
    const std::string long_key(1025, 'k');
    const std::string long_tag(257, 't');
    const std::string nul("a\0b", 3);
    const std::vector<NewItem> bad{{.key = ""},
                                   {.key = long_key},
                                   {.key = nul},
                                   {.key = "\xff"},
                                   {.key = "a", .source_tag = long_tag},
                                   {.key = "a", .source_tag = "\xc0\x80"}};
    for (const NewItem& item : bad) {
        const std::vector<NewItem> both{{.key = "good"}, item};
        try {
            (void)queue.enqueue(both);
            ADD_FAILURE() << "stored a bad key or tag of " << item.key.size() << " bytes";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::misuse);
            EXPECT_NE(error.message().find("allowed:"), std::string::npos) << error.what();
        }
    }
    EXPECT_TRUE(resident(queue).empty());
    const std::string most_key(1024, 'k');
    const std::string most_tag(256, 't');
    EXPECT_EQ(queue.enqueue({.key = most_key, .source_tag = most_tag}), Enqueued::stored);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
