// What Admin lists: batches, items, dead letters, page by page; and what is pending.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

namespace headpond::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AdminLists : public QueueTest {
  protected:
    static Batch leased(Queue& queue, const LeaseRequest& request = {}) {
        auto batch = queue.lease(request);
        EXPECT_TRUE(batch);
        return std::move(batch.value());
    }
    static void fail(Batch batch, Ms delay, const std::string& error = "no") {
        Settlement settlement;
        settlement.error = error;
        settlement.delay = delay;
        batch.settle(settlement);
    }
    // Why and when, of each batch.
    static std::vector<std::string> reasons(Queue& queue) {
        std::vector<std::string> all;
        for (const auto& batch : Admin(queue).batches(100).batches) {
            all.push_back(batch.why + ": " + batch.leasable);
        }
        return all;
    }
    static std::vector<std::int64_t> ids(const BatchPage& page) {
        std::vector<std::int64_t> all;
        for (const auto& batch : page.batches) all.push_back(batch.id);
        return all;
    }
    static std::vector<std::string> keys(const std::vector<DeadLetter>& letters) {
        std::vector<std::string> all;
        for (const auto& letter : letters) all.push_back(letter.key);
        return all;
    }
};

// --- batches -------------------------------------------------------------------------------------

TEST_F(AdminLists, ADueBatchIsListedWithItsAttemptsAndItsLastError) {
    Queue queue(options());
    put(queue, {"a", "b"});
    const WallTime created = clock->wall();
    leased(queue).release(Ms{0}, "later");
    clock->advance(Ms{60'000});
    fail(leased(queue), Ms{5'000}, "HTTP 500");
    EXPECT_THAT(reasons(queue), ElementsAre("backing off: in 5s"));
    clock->advance(Ms{4'999});
    EXPECT_THAT(reasons(queue), ElementsAre("backing off: in 1s"));
    clock->advance(Ms{1});
    const auto page = Admin(queue).batches(1);
    EXPECT_FALSE(page.more);
    EXPECT_EQ(page.now, clock->wall());
    ASSERT_EQ(page.batches.size(), 1U);
    const ListedBatch& batch = page.batches.front();
    EXPECT_EQ(batch.id, 1);
    EXPECT_EQ(batch.state, "waiting");
    EXPECT_EQ(batch.items, 2);
    EXPECT_EQ(batch.bytes, 24);
    EXPECT_EQ(batch.attempts, 1);
    EXPECT_EQ(batch.attempts_max, 3);
    EXPECT_EQ(batch.releases, 1);
    EXPECT_EQ(batch.owner, "");
    EXPECT_FALSE(batch.leased_at);
    EXPECT_FALSE(batch.lease_expires_at);
    EXPECT_EQ(batch.not_before, clock->wall());
    EXPECT_EQ(batch.created_at, created);
    EXPECT_EQ(batch.last_error, "HTTP 500");
    EXPECT_EQ(batch.why, "due");
    EXPECT_EQ(batch.leasable, "now");
}

TEST_F(AdminLists, ALeasedBatchSaysWhoHoldsItUntilWhen) {
    Queue queue(options());
    put(queue, {"a", "b"});
    const Batch own = leased(queue, {.items_max = 1, .lease_time = Ms{30'000}});
    const Batch detached = leased(queue, {.lease_time = Ms{60'000}, .detached = true});
    clock->advance(Ms{10'000});
    auto batches = Admin(queue).batches(100).batches;
    ASSERT_EQ(batches.size(), 2U);
    EXPECT_EQ(batches[0].state, "leased");
    EXPECT_EQ(batches[0].owner, RawDatabase(dir / "queue.db").text("SELECT label FROM owners"));
    EXPECT_EQ(batches[0].leased_at, clock->wall() - Ms{10'000});
    EXPECT_EQ(batches[0].lease_expires_at, own.deadline());
    EXPECT_FALSE(batches[0].not_before);
    EXPECT_EQ(batches[0].attempts, 1);
    EXPECT_EQ(batches[1].owner, "detached");
    EXPECT_THAT(reasons(queue), ElementsAre("lease running: in 20s", "lease running: in 50s"));
    clock->advance(Ms{20'000});
    EXPECT_THAT(reasons(queue), ElementsAre("lease overdue: now", "lease running: in 30s"));
    RawDatabase(dir / "queue.db").exec("UPDATE batches SET lease_owner = 99 WHERE id = 1");
    EXPECT_EQ(Admin(queue).batches(1).batches.front().owner, "gone");
}

TEST_F(AdminLists, TheGateSaysWhatItHoldsBackAndUntilWhen) {
    Queue queue(options());
    put(queue, {"a", "b", "c", "d"});
    fail(leased(queue, {.items_max = 1}), Ms{30'000});
    const Batch running = leased(queue, {.items_max = 1, .lease_time = Ms{20'000}});
    EXPECT_EQ(Admin(queue).batches(9).ready_held, 0) << "the gate is open";
    Admin(queue).pause(Ms{10'000}, "quota", "test");
    EXPECT_THAT(reasons(queue), ElementsAre("backing off: in 30s", "lease running: in 20s"));
    auto page = Admin(queue).batches(9);
    EXPECT_EQ(page.ready_held, 2);
    EXPECT_EQ(page.ready_leasable, "in 10s");
    EXPECT_EQ(page.gate_reason, "quota");
    Admin(queue).pause(Ms{40'000}, "quota", "test");
    EXPECT_THAT(reasons(queue), ElementsAre("gate closed: in 40s", "lease running: in 40s"));
    Admin(queue).pause(std::nullopt, "", "test");
    EXPECT_THAT(reasons(queue),
                ElementsAre("gate closed: when reopened", "lease running: when reopened"));
    EXPECT_EQ(Admin(queue).batches(9).ready_leasable, "when reopened");
    Admin(queue).resume("test");
    EXPECT_EQ(Admin(queue).batches(9).ready_held, 0);
}

TEST_F(AdminLists, WhileATrialRunsTheOthersWaitForIt) {
    Queue queue(options());
    put(queue, {"a", "b", "c"});
    Batch first = leased(queue, {.items_max = 1});
    Batch second = leased(queue, {.items_max = 1});
    fail(std::move(first), Ms{0});
    fail(std::move(second), Ms{0});
    Admin(queue).pause(Ms{1'000}, "", "test");
    clock->advance(Ms{1'000});
    EXPECT_EQ(Admin(queue).batches(9).ready_held, 0) << "the next lease is the trial";
    const Batch trial = leased(queue, {.lease_time = Ms{5'000}});
    const auto page = Admin(queue).batches(9);
    ASSERT_EQ(page.batches.size(), 2U);
    for (const auto& batch : page.batches) {
        EXPECT_EQ(batch.why, batch.id == trial.id() ? "lease running" : "gate closed");
        EXPECT_EQ(batch.leasable, "after trial");
    }
    EXPECT_EQ(page.ready_held, 1);
    EXPECT_EQ(page.ready_leasable, "after trial");
    clock->advance(Ms{5'000});
    EXPECT_EQ(Admin(queue).batches(9).ready_held, 0) << "a lapsed trial holds nothing back";
}

TEST_F(AdminLists, ABatchThatHasUsedItsAttemptsSaysSo) {
    Options limited = options();
    limited.attempts_max = 1;
    Queue queue(limited);
    put(queue, {"a", "b"});
    {
        const Batch last = leased(queue, {.lease_time = Ms{1'000}, .detached = true});
        EXPECT_THAT(reasons(queue), ElementsAre("lease running: last attempt"));
    }
    // As a lapsed lease leaves it until its backoff is over.
    const std::string lapse =
        "UPDATE batches SET state = 'waiting', lease_expires_at = NULL, not_before = 1900000000000";
    RawDatabase(dir / "queue.db").exec(lapse);
    EXPECT_THAT(reasons(queue), ElementsAre("attempts used: never"));
    Admin(queue).set("isolate_poison", "yes", "test");
    EXPECT_EQ(Admin(queue).batches(1).batches.front().why, "backing off") << "it is split";
    Admin(queue).set("attempts_max", "2", "test");
    EXPECT_EQ(Admin(queue).batches(1).batches.front().attempts_max, 2);
}

TEST_F(AdminLists, BatchesGoPageByPageThoughOthersEnd) {
    Queue queue(options());
    put(queue, {"a", "b", "c", "d", "e"});
    for (int i = 0; i < 5; ++i) fail(leased(queue, {.items_max = 1}), Ms{60'000});
    auto page = Admin(queue).batches(2);
    EXPECT_THAT(ids(page), ElementsAre(1, 2));
    EXPECT_TRUE(page.more);
    EXPECT_TRUE(queue.cancel("b")) << "the batch that the page ended with";
    page = Admin(queue).batches(2, page.batches.back().id);
    EXPECT_THAT(ids(page), ElementsAre(3, 4));
    EXPECT_TRUE(page.more);
    page = Admin(queue).batches(2, 4);
    EXPECT_THAT(ids(page), ElementsAre(5));
    EXPECT_FALSE(page.more);
    EXPECT_THAT(ids(Admin(queue).batches(2, 5)), IsEmpty());
    EXPECT_THAT(ids(Admin(queue).batches(4)), ElementsAre(1, 3, 4, 5));
    EXPECT_FALSE(Admin(queue).batches(4).more) << "just as many as there are";
}

// --- items, dead letters -------------------------------------------------------------------------

TEST_F(AdminLists, PeekGoesOnAfterAnId) {
    Queue queue(options());
    put(queue, {"a", "b", "c"});
    EXPECT_TRUE(queue.cancel("a"));
    const auto after = [&](std::int64_t id) {
        std::vector<std::string> keys;
        for (const auto& item : Admin(queue).peek(10, id)) keys.push_back(item.key);
        return keys;
    };
    EXPECT_THAT(after(0), ElementsAre("b", "c"));
    EXPECT_THAT(after(1), ElementsAre("b", "c"));
    EXPECT_THAT(after(2), ElementsAre("c"));
    EXPECT_THAT(after(3), IsEmpty());
    EXPECT_THAT(after(std::numeric_limits<std::int64_t>::max()), IsEmpty());
}

TEST_F(AdminLists, DeadLettersGoPageByPageInTheOrderOfTheirDeaths) {
    Options limited = options();
    limited.attempts_max = 1;
    Queue queue(limited);
    put(queue, {"a", "b", "c", "d"});
    // b and c die together, then d, then a.
    Batch first = leased(queue, {.items_max = 1});
    leased(queue, {.items_max = 2}).nack("no");
    clock->advance(Ms{10});
    leased(queue).nack("no");
    clock->advance(Ms{10});
    first.nack("late");
    const Admin admin(queue);
    const auto page = [&](std::int64_t after) { return keys(admin.dead({.limit = 2}, after)); };
    EXPECT_THAT(page(0), ElementsAre("b", "c"));
    EXPECT_THAT(page(2), ElementsAre("c", "d")) << "those that died in the same millisecond";
    EXPECT_THAT(page(3), ElementsAre("d", "a"));
    EXPECT_THAT(page(4), ElementsAre("a"));
    EXPECT_THAT(page(1), IsEmpty());
    EXPECT_THAT(keys(admin.dead({.reason = "rejected"}, 2)), IsEmpty());
    EXPECT_THAT(keys(admin.dead({.key = "d"}, 3)), ElementsAre("d"));
    EXPECT_THAT(keys(admin.dead({.key = "b"}, 2)), IsEmpty());
    try {
        (void)admin.dead({}, 17);
        FAIL() << "no letter has that id";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::misuse);
        EXPECT_NE(std::string(error.what()).find("the item id 17; allowed"), std::string::npos);
    }
}

// --- pending -------------------------------------------------------------------------------------

TEST_F(AdminLists, PendingIsATrackedItemInTheQueue) {
    Queue queue(options());
    put(queue, {"a", "b"});
    put(queue, {"untracked"}, Tracking::untracked);
    const Admin admin(queue);
    EXPECT_TRUE(admin.pending("a"));
    EXPECT_FALSE(admin.pending("untracked"));
    EXPECT_FALSE(admin.pending("nobody"));
    Batch batch = leased(queue);
    EXPECT_TRUE(admin.pending("a")) << "leased";
    batch.ack();
    EXPECT_FALSE(admin.pending("a"));
    EXPECT_EQ(admin.outcome("a")->state, OutcomeState::resolved);
    put(queue, {"a"});
    put(queue, {"b"}, Tracking::untracked);
    EXPECT_TRUE(admin.pending("a")) << "again, the earlier outcome unread";
    EXPECT_FALSE(admin.pending("b")) << "the item in the queue is another, untracked";
}

TEST_F(AdminLists, PendingIsFoundAmongFreeKeys) {
    Options free = options();
    free.keys = Keys::free;
    free.items_max = 5'000;
    Queue queue(free);
    put(queue, {"a"}, Tracking::untracked);
    EXPECT_FALSE(Admin(queue).pending("a"));
    put(queue, std::vector<std::string>(1'999, "other"));
    EXPECT_FALSE(Admin(queue).pending("a"));
    put(queue, {"a"});
    EXPECT_TRUE(Admin(queue).pending("a")) << "the second of that key, past the first rows";
    EXPECT_FALSE(Admin(queue).pending("nobody"));
}

// --- why -----------------------------------------------------------------------------------------

TEST_F(AdminLists, WhyTellsOfTheNewestOfFreeKeysAndOfMappedOnes) {
    Options free = options();
    free.keys = Keys::free;
    free.items_max = 5'000;
    free.batch_items_max = 1;
    Queue queue(free);
    put(queue, {"a"});
    const Batch held = leased(queue);
    const std::string leased = "leased: in batch 1";
    EXPECT_EQ(Admin(queue).why("a").summary.substr(0, leased.size()), leased);
    put(queue, std::vector<std::string>(1'999, "other"));
    put(queue, {"a", "b"});
    const Why why = Admin(queue).why("a");
    EXPECT_TRUE(why.known);
    EXPECT_EQ(why.summary, "ready: in no batch yet, entered 0 s ago; older items of this key: 1");
    EXPECT_EQ(Admin(queue).why("b").summary, "ready: in no batch yet, entered 0 s ago");
    EXPECT_FALSE(Admin(queue).why("nobody").known);

    Options mapped = options();
    mapped.path = dir / "mapped.db";
    mapped.keys = Keys::mapped;
    Queue other(mapped);
    put(other, {"a"});
    EXPECT_EQ(Admin(other).why("a").summary, "ready: in no batch yet, entered 0 s ago");
}

}  // namespace
}  // namespace headpond::test
