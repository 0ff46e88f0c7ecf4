// What every store must do: batches, attempts, dead letters, outcomes.
#include "support/store_factory.h"

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace headpond::test {
namespace {

using store::AttemptOutcome;
using store::BatchRow;
using store::DeadRow;
using store::no_limit;
using store::OutcomeRow;
using store::Transaction;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class BatchConformance : public StoreConformance {
  protected:
    static std::vector<std::int64_t> ids(const std::vector<BatchRow>& rows) {
        std::vector<std::int64_t> all;
        for (const auto& row : rows) all.push_back(row.id);
        return all;
    }
    // Ten items, a to j, with the ids 1 to 10.
    void put_ten() {
        for (char key = 'a'; key <= 'j'; ++key) put(std::string(1, key));
    }
};

// --- batches -------------------------------------------------------------------------------------

TEST_P(BatchConformance, ABatchComesBackAsItWasAddedAndSaved) {
    BatchRow row;
    row.leased = true;
    row.first_id = 3;
    row.last_id = 9;
    row.items = 4;
    row.bytes = 40;
    row.attempts = 2;
    row.releases = 1;
    row.attempts_max = 5;
    row.parent_id = 6;
    row.attempt_id = 7;
    row.lease_token = "1-00";
    row.lease_owner = 8;
    row.leased_at = 100;
    row.lease_expires_at = 200;
    row.created_at = 50;
    row.last_error = "it failed";
    write([&](Transaction& tx) {
        row.id = tx.next_batch_id();
        tx.add_batch(row);
    });
    const auto expect_same = [&](const BatchRow& found) {
        EXPECT_EQ(found.id, row.id);
        EXPECT_EQ(found.leased, row.leased);
        EXPECT_EQ(found.first_id, row.first_id);
        EXPECT_EQ(found.last_id, row.last_id);
        EXPECT_EQ(found.items, row.items);
        EXPECT_EQ(found.bytes, row.bytes);
        EXPECT_EQ(found.attempts, row.attempts);
        EXPECT_EQ(found.releases, row.releases);
        EXPECT_EQ(found.attempts_max, row.attempts_max);
        EXPECT_EQ(found.parent_id, row.parent_id);
        EXPECT_EQ(found.attempt_id, row.attempt_id);
        EXPECT_EQ(found.lease_token, row.lease_token);
        EXPECT_EQ(found.lease_owner, row.lease_owner);
        EXPECT_EQ(found.leased_at, row.leased_at);
        EXPECT_EQ(found.lease_expires_at, row.lease_expires_at);
        EXPECT_EQ(found.not_before, row.not_before);
        EXPECT_EQ(found.created_at, row.created_at);
        EXPECT_EQ(found.last_error, row.last_error);
    };
    expect_same(seen([&](Transaction& tx) { return tx.batch(row.id); }).value());
    row.leased = false;
    row.first_id = 4;
    row.last_id = 8;
    row.items = 3;
    row.bytes = 30;
    row.attempts = 1;
    row.releases = 2;
    row.attempts_max.reset();
    row.parent_id.reset();
    row.attempt_id.reset();
    row.lease_token.clear();
    row.lease_owner.reset();
    row.leased_at.reset();
    row.lease_expires_at.reset();
    row.not_before = 300;
    row.last_error.clear();
    write([&](Transaction& tx) { tx.save_batch(row); });
    expect_same(seen([&](Transaction& tx) { return tx.batch(row.id); }).value());
}

TEST_P(BatchConformance, BatchIdsAreForeseenAndNeverReused) {
    write([](Transaction& tx) { EXPECT_EQ(tx.next_batch_id(), 1); });
    const auto first = add_waiting(1, 2, 0);
    const auto second = add_waiting(3, 4, 0);
    EXPECT_EQ(first, 1);
    EXPECT_EQ(second, 2);
    write([&](Transaction& tx) {
        tx.remove_batch(second);
        tx.remove_batch(first);
        EXPECT_FALSE(tx.batch(first));
        EXPECT_EQ(tx.next_batch_id(), 3);
    });
    store = GetParam().open(dir.path());
    EXPECT_EQ(add_waiting(5, 6, 0), 3);
}

TEST_P(BatchConformance, DueTakesTheOneThatWaitedLongest) {
    const auto late = add_waiting(1, 2, 300);
    const auto early = add_waiting(3, 4, 100);
    add_leased(5, 6, 50);
    read([&](Transaction& tx) {
        EXPECT_FALSE(tx.due(99));
        EXPECT_EQ(tx.due(100)->id, early) << "due at its very millisecond";
        EXPECT_EQ(tx.due(no_limit)->id, early) << "by time, not by id";
        EXPECT_EQ(tx.next_due(), 100);
    });
    write([&](Transaction& tx) { tx.remove_batch(early); });
    read([&](Transaction& tx) {
        EXPECT_EQ(tx.due(no_limit)->id, late);
        EXPECT_EQ(tx.next_due(), 300);
    });
}

TEST_P(BatchConformance, LapsedAndHeldBySeeLeasedBatchesOnly) {
    add_waiting(1, 2, 0);
    const auto late = add_leased(3, 4, 300, 7);
    const auto early = add_leased(5, 6, 100, 8);
    const auto middle = add_leased(7, 8, 200, 7);
    const auto detached = add_leased(9, 10, 400);
    read([&](Transaction& tx) {
        EXPECT_THAT(ids(tx.lapsed(300, no_limit)), ElementsAre(early, middle, late));
        EXPECT_THAT(ids(tx.lapsed(299, no_limit)), ElementsAre(early, middle));
        EXPECT_THAT(ids(tx.lapsed(no_limit, 1)), ElementsAre(early));
        EXPECT_THAT(ids(tx.lapsed(99, no_limit)), IsEmpty());
        EXPECT_EQ(tx.next_lapse(), 100);
        EXPECT_THAT(ids(tx.held_by(7, no_limit)), ElementsAre(middle, late));
        EXPECT_THAT(ids(tx.held_by(7, 1)), ElementsAre(middle));
        EXPECT_THAT(ids(tx.held_by(9, no_limit)), IsEmpty());
        EXPECT_THAT(ids(tx.lapsed(no_limit, no_limit)), ElementsAre(early, middle, late, detached));
    });
}

TEST_P(BatchConformance, WaitingAndAllGoByRange) {
    const auto high = add_waiting(7, 8, 0);
    const auto leased = add_leased(3, 4, 100);
    const auto low = add_waiting(1, 2, 500);
    read([&](Transaction& tx) {
        EXPECT_THAT(ids(tx.waiting(0, no_limit)), ElementsAre(low, high));
        EXPECT_THAT(ids(tx.waiting(1, no_limit)), ElementsAre(high)) << "above, not at";
        EXPECT_THAT(ids(tx.waiting(0, 1)), ElementsAre(low));
        EXPECT_THAT(ids(tx.batches(0, no_limit)), ElementsAre(low, leased, high));
        EXPECT_THAT(ids(tx.batches(1, 1)), ElementsAre(leased));
    });
}

TEST_P(BatchConformance, ByIdGoesThroughAllStatesWhateverTheirRanges) {
    const auto first = add_waiting(7, 8, 0);
    const auto second = add_leased(3, 4, 100);
    const auto third = add_waiting(1, 2, 500);
    read([&](Transaction& tx) {
        EXPECT_THAT(ids(tx.batches_by_id(0, no_limit)), ElementsAre(first, second, third));
        EXPECT_THAT(ids(tx.batches_by_id(0, 2)), ElementsAre(first, second));
        EXPECT_THAT(ids(tx.batches_by_id(second, no_limit)), ElementsAre(third)) << "above, not at";
        EXPECT_THAT(ids(tx.batches_by_id(third, no_limit)), IsEmpty());
    });
    write([&](Transaction& tx) { tx.remove_batch(second); });
    read([&](Transaction& tx) {
        EXPECT_THAT(ids(tx.batches_by_id(second, no_limit)), ElementsAre(third)) << "gone itself";
    });
}

TEST_P(BatchConformance, BatchOfKnowsHolesAndSplits) {
    put_ten();
    const auto second = add_waiting(6, 8, 0);
    // Halves of an older batch, made later: the id order is not the range order.
    const auto first_half = add_waiting(1, 2, 0);
    const auto second_half = add_waiting(3, 4, 0);
    const auto batch_of = [&](std::int64_t item) -> std::int64_t {
        const auto row = seen([&](Transaction& tx) { return tx.batch_of(item); });
        return row ? row->id : 0;
    };
    EXPECT_EQ(batch_of(1), first_half);
    EXPECT_EQ(batch_of(2), first_half);
    EXPECT_EQ(batch_of(3), second_half);
    EXPECT_EQ(batch_of(4), second_half);
    EXPECT_EQ(batch_of(5), 0) << "a hole between ranges";
    EXPECT_EQ(batch_of(6), second);
    EXPECT_EQ(batch_of(8), second);
    EXPECT_EQ(batch_of(9), 0) << "ready";
    EXPECT_EQ(batch_of(0), 0);
    EXPECT_EQ(batch_of(no_limit), 0);
    // An item that left its batch leaves a hole inside; the range still holds the id.
    write([](Transaction& tx) { tx.remove_items(7, 7); });
    EXPECT_EQ(batch_of(7), second);
}

TEST_P(BatchConformance, TwoBatchesMayNotStartAtTheSameItem) {
    add_waiting(1, 2, 0);
    EXPECT_ANY_THROW(add_waiting(1, 4, 0));
    EXPECT_ANY_THROW(add_waiting(9, 8, 0)) << "a range that ends before it begins";
    EXPECT_THAT(seen([](Transaction& tx) { return tx.batches(0, no_limit); }).size(), 1U);
}

// --- attempts ------------------------------------------------------------------------------------

class AttemptConformance : public BatchConformance {
  protected:
    // As an operator sees them: error, outcome, attempts.
    std::vector<std::vector<std::string>> errors() {
        auto rows = store->view("errors", 0).rows;
        for (auto& row : rows) row.resize(3);
        return rows;
    }
    std::int64_t attempt(std::int64_t number) {
        std::int64_t id = 0;
        write([&](Transaction& tx) {
            id = tx.add_attempt(
                {.batch_id = 1, .attempt = number, .owner = "me", .started_at = 10, .items = 5});
        });
        return id;
    }
};

TEST_P(AttemptConformance, AnAttemptIsAddedAndFinished) {
    const auto first = attempt(1);
    const auto second = attempt(2);
    EXPECT_LT(first, second);
    write([&](Transaction& tx) {
        tx.finish_attempt(first, 20, AttemptOutcome::nacked, "boom", -1);
        tx.finish_attempt(second, 30, AttemptOutcome::partial, "", 3);
    });
    EXPECT_THAT(errors(),
                ElementsAre(ElementsAre("", "partial", "1"), ElementsAre("boom", "nacked", "1")));
}

TEST_P(AttemptConformance, EveryOutcomeOfAnAttemptIsAccepted) {
    using enum AttemptOutcome;
    const auto all = {acked, partial, nacked, lapsed, owner_died, released, split, abandoned};
    for (const auto outcome : all) {
        const auto id = attempt(1);
        write([&](Transaction& tx) { tx.finish_attempt(id, 20, outcome, "e", -1); });
    }
    EXPECT_EQ(errors().size(), all.size() - 1) << "acked is no error";
}

TEST_P(AttemptConformance, PruneDropsTheOldestOverTheBound) {
    for (int i = 0; i < 10; ++i) {
        const auto id = attempt(i);
        write([&](Transaction& tx) {
            tx.finish_attempt(id, 100 + i, AttemptOutcome::nacked, std::to_string(i), -1);
        });
    }
    write([](Transaction& tx) {
        EXPECT_EQ(tx.prune_attempts(100, no_limit), 0);
        EXPECT_EQ(tx.prune_attempts(10, no_limit), 0);
        EXPECT_EQ(tx.prune_attempts(6, 3), 3) << "at most the limit";
        EXPECT_EQ(tx.prune_attempts(6, 3), 1);
        EXPECT_EQ(tx.prune_attempts(6, 3), 0);
    });
    const auto left = errors();
    ASSERT_EQ(left.size(), 6U);
    EXPECT_EQ(left.front().front(), "9");
    EXPECT_EQ(left.back().front(), "4") << "the newest are kept";
}

// --- dead letters --------------------------------------------------------------------------------

class DeadConformance : public StoreConformance {
  protected:
    DeadConformance() {
        bury(1, "a", "abandoned", 300);
        bury(2, "b", "rejected", 100);
        bury(3, "a", "rejected", 200);
        bury(4, "c", "evicted", 400);
    }
    void bury(std::int64_t id, const std::string& key, const std::string& reason,
              store::Millis at) {
        DeadRow row;
        row.item = {.id = id,
                    .key = key,
                    .bytes = 7,
                    .enqueued_at = 5,
                    .tracked = true,
                    .published_at = 6,
                    .stale_at = 7,
                    .source_tag = "tag",
                    .payload = "pay\0oad" + std::string(1, '\0')};
        row.reason = reason;
        if (id != 4) row.batch_id = 9;
        row.attempts = 3;
        row.last_error = id == 4 ? "" : "boom";
        row.died_at = at;
        write([&](Transaction& tx) { tx.bury(row); });
    }
    std::vector<std::int64_t> found(const store::DeadQuery& query) {
        std::vector<std::int64_t> ids;
        for (const auto& row : seen([&](Transaction& tx) { return tx.dead(query); })) {
            ids.push_back(row.item.id);
        }
        const auto count = seen([&](Transaction& tx) { return tx.count_dead(query); });
        if (static_cast<std::int64_t>(ids.size()) < query.limit) {
            EXPECT_EQ(count, static_cast<std::int64_t>(ids.size()));
        }
        return ids;
    }
};

TEST_P(DeadConformance, TheyAreFoundByKeyAndReason) {
    EXPECT_THAT(found({.limit = no_limit}), ElementsAre(2, 3, 1, 4)) << "oldest death first";
    EXPECT_THAT(found({.limit = 2}), ElementsAre(2, 3));
    EXPECT_THAT(found({.reason = "rejected", .limit = no_limit}), ElementsAre(2, 3));
    EXPECT_THAT(found({.key = "a", .limit = no_limit}), ElementsAre(1, 3));
    EXPECT_THAT(found({.key = "a", .reason = "rejected", .limit = no_limit}), ElementsAre(3));
    EXPECT_THAT(found({.key = "a", .limit = 1}), ElementsAre(1));
    EXPECT_THAT(found({.key = "z", .limit = no_limit}), IsEmpty());
    EXPECT_THAT(found({.reason = "z", .limit = no_limit}), IsEmpty());
}

TEST_P(DeadConformance, TheyGoOnAfterAPosition) {
    bury(5, "a", "rejected", 100);  // with item 2
    const auto after = [&](std::int64_t id, store::DeadQuery query = {.limit = no_limit}) {
        const auto died_at = seen([&](Transaction& tx) { return tx.died_at(id); });
        query.after = {.died_at = died_at.value(), .item_id = id};
        std::vector<std::int64_t> found;
        for (const auto& row : seen([&](Transaction& tx) { return tx.dead(query); })) {
            found.push_back(row.item.id);
        }
        return found;
    };
    EXPECT_THAT(after(2), ElementsAre(5, 3, 1, 4)) << "of one instant, by item";
    EXPECT_THAT(after(5), ElementsAre(3, 1, 4));
    EXPECT_THAT(after(5, {.limit = 1}), ElementsAre(3));
    EXPECT_THAT(after(4), IsEmpty());
    EXPECT_THAT(after(2, {.reason = "rejected", .limit = no_limit}), ElementsAre(5, 3));
    EXPECT_THAT(after(1, {.key = "a", .limit = no_limit}), ElementsAre(3, 5))
        << "of a key, by item";
    EXPECT_FALSE(seen([](Transaction& tx) { return tx.died_at(6); }));
}

TEST_P(DeadConformance, TheyKeepTheWholeItem) {
    const auto rows = seen([](Transaction& tx) { return tx.dead({.key = "a", .limit = 1}); });
    ASSERT_EQ(rows.size(), 1U);
    const DeadRow& row = rows.front();
    EXPECT_EQ(row.item.payload, "pay\0oad" + std::string(1, '\0'));
    EXPECT_EQ(row.item.bytes, static_cast<std::int64_t>(row.item.payload.size()));
    EXPECT_EQ(row.item.source_tag, "tag");
    EXPECT_EQ(row.item.enqueued_at, 5);
    EXPECT_TRUE(row.item.tracked);
    EXPECT_EQ(row.item.published_at, 6);
    EXPECT_EQ(row.item.stale_at, 7);
    EXPECT_EQ(row.batch_id, 9);
    EXPECT_EQ(row.attempts, 3);
    EXPECT_EQ(row.last_error, "boom");
    EXPECT_EQ(row.died_at, 300);
    const auto other = seen([](Transaction& tx) { return tx.dead({.key = "c", .limit = 1}); });
    EXPECT_FALSE(other.front().batch_id);
    EXPECT_EQ(other.front().last_error, "");
}

TEST_P(DeadConformance, TheyLeaveByIdAndAge) {
    read([](Transaction& tx) {
        EXPECT_THAT(tx.dead_before(300, no_limit), ElementsAre(2, 3)) << "before, not at";
        EXPECT_THAT(tx.dead_before(no_limit, 3), ElementsAre(2, 3, 1));
        EXPECT_THAT(tx.dead_before(0, no_limit), IsEmpty());
    });
    write([](Transaction& tx) {
        EXPECT_EQ(tx.remove_dead(2), 1);
        EXPECT_EQ(tx.remove_dead(2), 0);
        EXPECT_EQ(tx.count_dead({.limit = no_limit}), 3);
    });
}

// --- many at once --------------------------------------------------------------------------------

// In whatever parts a store takes them.
TEST_P(BatchConformance, ManyRowsAreEachAnswered) {
    std::vector<std::string> keys;
    for (int i = 0; i < 61; ++i) keys.push_back("k" + std::to_string(i));
    std::vector<store::NewRow> rows;
    const auto add = [&](int key) {
        store::NewRow& row = rows.emplace_back();
        row.key = row.payload = keys[static_cast<std::size_t>(key)];
        row.source_tag = "tag";
        row.enqueued_at = 1000 + key;
        row.tracked = key % 2 == 0;
        if (key % 3 == 0) row.published_at = key;
        if (key % 5 == 0) row.stale_at = 5000 + key;
    };
    put("k3", "first", 1);
    for (int i = 0; i < 50; ++i) add(i);  // 3 is resident
    add(40);                              // twice in one call
    for (int i = 50; i < 61; ++i) add(i);
    std::vector<std::optional<std::int64_t>> ids;
    write([&](Transaction& tx) {
        tx.index_keys(true);
        ids = tx.insert_all(rows);
    });
    ASSERT_EQ(ids.size(), rows.size());
    const auto stored =
        seen([](Transaction& tx) { return tx.load(2, no_limit, no_limit, no_limit); });
    ASSERT_EQ(stored.size(), rows.size() - 2);
    std::size_t at = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const bool repeated = i == 3 || i == 50;
        ASSERT_EQ(ids[i].has_value(), !repeated) << i;
        if (repeated) continue;
        EXPECT_EQ(stored[at].id, *ids[i]);
        EXPECT_EQ(stored[at].key, rows[i].key);
        EXPECT_EQ(stored[at].source_tag, "tag");
        EXPECT_EQ(stored[at].payload, rows[i].payload);
        EXPECT_EQ(stored[at].enqueued_at, rows[i].enqueued_at);
        EXPECT_EQ(stored[at].tracked, rows[i].tracked);
        EXPECT_EQ(stored[at].published_at, rows[i].published_at);
        EXPECT_EQ(stored[at].stale_at, rows[i].stale_at);
        EXPECT_GT(stored[at].id, at == 0 ? 0 : stored[at - 1].id);
        ++at;
    }
}

// --- outcomes ------------------------------------------------------------------------------------

TEST_P(BatchConformance, OutcomesComeInTheOrderOfTheItems) {
    write([](Transaction& tx) {
        const std::string result("\0r", 2);
        tx.add_outcomes(std::array<store::NewOutcome, 3>{{
            {.item_id = 3, .key = "a", .reason = "expired", .queued_at = 1, .settled_at = 2},
            {.item_id = 1,
             .key = "a",
             .resolved = true,
             .result = result,
             .published_at = 9,
             .queued_at = 3,
             .settled_at = 4},
            {.item_id = 2, .key = "b", .resolved = true, .queued_at = 5, .settled_at = 6},
        }});
        EXPECT_EQ(tx.count_outcomes(), 3);
    });
    const auto rows = seen([](Transaction& tx) { return tx.outcomes(0, no_limit); });
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].item_id, 1);
    EXPECT_TRUE(rows[0].resolved);
    EXPECT_EQ(rows[0].result, std::string("\0r", 2));
    EXPECT_EQ(rows[0].reason, "");
    EXPECT_EQ(rows[0].published_at, 9);
    EXPECT_EQ(rows[0].queued_at, 3);
    EXPECT_EQ(rows[0].settled_at, 4);
    EXPECT_EQ(rows[1].result, "") << "an empty result is a result";
    EXPECT_FALSE(rows[2].resolved);
    EXPECT_EQ(rows[2].reason, "expired");
    EXPECT_FALSE(rows[2].published_at);
    const auto ids = [](const std::vector<OutcomeRow>& outcomes) {
        std::vector<std::int64_t> all;
        for (const auto& row : outcomes) all.push_back(row.item_id);
        return all;
    };
    read([&](Transaction& tx) {
        EXPECT_THAT(ids(tx.outcomes(1, no_limit)), ElementsAre(2, 3));
        EXPECT_THAT(ids(tx.outcomes(0, 2)), ElementsAre(1, 2));
        EXPECT_THAT(ids(tx.outcomes_of("a")), ElementsAre(1, 3));
        EXPECT_THAT(ids(tx.outcomes_of("z")), IsEmpty());
    });
    write([](Transaction& tx) {
        EXPECT_EQ(tx.remove_outcomes(2, 2), 1);
        EXPECT_EQ(tx.remove_outcomes(2, 2), 0);
        EXPECT_EQ(tx.count_outcomes(), 2);
        EXPECT_EQ(tx.remove_outcomes(1, 3), 2);
    });
}

TEST_P(BatchConformance, ManyOutcomesAreEachTheirItems) {
    constexpr std::int64_t count = 37;
    std::vector<std::string> texts;
    for (std::int64_t i = 0; i < count; ++i) texts.push_back("t-" + std::to_string(i));
    std::vector<store::NewOutcome> added;
    for (std::int64_t i = 0; i < count; ++i) {
        store::NewOutcome& one = added.emplace_back();
        one.item_id = 100 + i;
        one.key = texts[static_cast<std::size_t>(i)];
        one.resolved = i % 3 != 0;
        (one.resolved ? one.result : one.reason) = texts[static_cast<std::size_t>(i)];
        if (i % 2 == 0) one.published_at = i;
        one.queued_at = 1000 + i;
        one.settled_at = 2000 + i;
    }
    write([&](Transaction& tx) { tx.add_outcomes(added); });
    const auto rows = seen([](Transaction& tx) { return tx.outcomes(0, no_limit); });
    ASSERT_EQ(rows.size(), added.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(rows[i].item_id, added[i].item_id);
        EXPECT_EQ(rows[i].key, added[i].key);
        EXPECT_EQ(rows[i].resolved, added[i].resolved);
        EXPECT_EQ(rows[i].reason, added[i].reason);
        EXPECT_EQ(rows[i].result, added[i].result);
        EXPECT_EQ(rows[i].published_at, added[i].published_at);
        EXPECT_EQ(rows[i].queued_at, added[i].queued_at);
        EXPECT_EQ(rows[i].settled_at, added[i].settled_at);
    }
}

INSTANTIATE_TEST_SUITE_P(Stores, BatchConformance, ::testing::ValuesIn(store_kinds()),
                         store_kind_name);
INSTANTIATE_TEST_SUITE_P(Stores, AttemptConformance, ::testing::ValuesIn(store_kinds()),
                         store_kind_name);
INSTANTIATE_TEST_SUITE_P(Stores, DeadConformance, ::testing::ValuesIn(store_kinds()),
                         store_kind_name);

}  // namespace
}  // namespace headpond::test
