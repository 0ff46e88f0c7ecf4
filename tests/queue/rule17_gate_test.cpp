// Rule 17: one row stops leasing for everybody.
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/watched_clock.h"

#include <future>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class Rule17Gate : public QueueTest {
  protected:
    Options breaking() {
        Options options = QueueTest::options();
        options.breaker_failures = 3;
        options.breaker_closed = Ms{30'000};
        options.breaker_closed_max = Ms{100'000};
        options.batch_items_max = 1;
        options.attempts_max = 100;
        return options;
    }
    static Batch leased(Queue& queue) {
        auto batch = queue.lease();
        if (!batch) throw std::runtime_error("nothing to lease");
        return std::move(*batch);
    }
    // A queue of ten items whose gate is half-open.
    void to_half_open(Queue& queue) {
        put(queue, {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"});
        Admin(queue).pause(Ms{1'000}, "test", "test");
        clock->advance(Ms{1'000});
        ASSERT_EQ(Admin(queue).gate().state, "half_open");
    }
};

TEST_F(Rule17Gate, PauseStopsLeasingUntilItsTimeAndChargesNothing) {
    Queue queue(options());
    Queue other(options());
    put(queue, {"a"});
    Admin(queue).pause(Ms{60'000}, "maintenance", "ops");
    const Gate gate = Admin(other).gate();
    EXPECT_EQ(gate.state, "closed");
    EXPECT_EQ(gate.until, clock->wall() + Ms{60'000});
    EXPECT_EQ(gate.reason, "maintenance");
    EXPECT_EQ(gate.changed_by, "ops");
    clock->advance(Ms{59'999});
    EXPECT_FALSE(queue.lease());
    EXPECT_FALSE(other.lease());
    EXPECT_FALSE(other.lease({.wait = Ms{5}}));
    EXPECT_EQ(counter(queue, "attempts"), 0);
    clock->advance(Ms{1});
    EXPECT_EQ(Admin(queue).gate().state, "half_open");
    EXPECT_TRUE(other.lease());
    expect_sound(queue);
}

TEST_F(Rule17Gate, PauseWithoutTimeLastsUntilResume) {
    Queue queue(options());
    put(queue, {"a"});
    Admin(queue).pause(std::nullopt, "quota", "ops");
    clock->advance(Ms{24LL * 3600 * 1000});
    put(queue, {"b"});
    EXPECT_FALSE(queue.lease());
    EXPECT_FALSE(Admin(queue).gate().until);
    Admin(queue).resume("boss");
    EXPECT_EQ(Admin(queue).gate().state, "open");
    EXPECT_EQ(Admin(queue).gate().changed_by, "boss");
    EXPECT_TRUE(queue.lease());
    expect_sound(queue);
}

TEST_F(Rule17Gate, ResumeWakesALeaseThatWaits) {
    auto watched = std::make_shared<WatchedClock>(clock);
    Options options = QueueTest::options();
    options.clock = watched;
    Queue queue(options);
    put(queue, {"a"});
    Admin(queue).pause(std::nullopt, "quota", "ops");
    auto answer = std::async(std::launch::async,
                             [&] { return queue.lease({.wait = Ms{60'000}}).has_value(); });
    watched->wait_for_looks(2);
    Admin(queue).resume("ops");
    EXPECT_TRUE(answer.get());
    expect_sound(queue);
}

TEST_F(Rule17Gate, ASettlementMayCloseTheGateForRetryAfter) {
    Queue queue(options());
    Queue other(options());
    put(queue, {"a", "b"});
    auto batch = leased(queue);
    Settlement settlement;
    settlement.rest = Rest::release;
    settlement.error = "429";
    settlement.close_gate = GateClosure{.duration = Ms{17'000}, .reason = "Retry-After 17"};
    batch.settle(settlement);
    const Gate gate = Admin(other).gate();
    EXPECT_EQ(gate.state, "closed");
    EXPECT_EQ(gate.until, clock->wall() + Ms{17'000});
    EXPECT_EQ(gate.reason, "Retry-After 17");
    clock->advance(Ms{16'999});
    EXPECT_FALSE(other.lease());
    clock->advance(Ms{1});
    EXPECT_TRUE(other.lease());
    expect_sound(queue);
}

TEST_F(Rule17Gate, AClosureThatLastsLongerStands) {
    Options options = breaking();
    Queue queue(options);
    put(queue, {"a", "b"});
    auto first = leased(queue);
    auto second = leased(queue);
    Admin(queue).pause(Ms{60'000}, "by hand", "ops");
    Settlement settlement;
    settlement.rest = Rest::release;
    settlement.close_gate = GateClosure{.duration = Ms{1'000}, .reason = "429"};
    first.settle(settlement);
    EXPECT_EQ(Admin(queue).gate().reason, "by hand");
    settlement.close_gate = GateClosure{.duration = std::nullopt, .reason = "quota"};
    second.settle(settlement);
    EXPECT_EQ(Admin(queue).gate().reason, "quota");
    EXPECT_FALSE(Admin(queue).gate().until);
    expect_sound(queue);
}

TEST_F(Rule17Gate, TheBreakerClosesAfterThatManyReleasesInARow) {
    Queue queue(breaking());
    put(queue, {"a", "b", "c", "d"});
    leased(queue).release(Ms{60'000}, "503");
    leased(queue).release(Ms{60'000}, "503");
    EXPECT_EQ(Admin(queue).gate().state, "open");
    leased(queue).release(Ms{60'000}, "503");
    const Gate gate = Admin(queue).gate();
    EXPECT_EQ(gate.state, "closed");
    EXPECT_EQ(gate.until, clock->wall() + Ms{30'000});
    EXPECT_FALSE(queue.lease());
    expect_sound(queue);
}

TEST_F(Rule17Gate, AnAnswerInBetweenStartsTheCountAnew) {
    Queue queue(breaking());
    put(queue, {"1", "2", "3", "4", "5", "6", "7", "8"});
    for (const bool nack : {true, false}) {
        leased(queue).release(Ms{60'000}, "503");
        leased(queue).release(Ms{60'000}, "503");
        if (nack) {
            leased(queue).nack("bad request: the service did answer");
        } else {
            leased(queue).ack();
        }
        EXPECT_EQ(Admin(queue).gate().state, "open");
    }
    expect_sound(queue);
}

TEST_F(Rule17Gate, ANackNeverTripsTheBreaker) {
    Queue queue(breaking());
    put(queue, {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"});
    for (int i = 0; i < 10; ++i) {
        auto batch = queue.lease();
        ASSERT_TRUE(batch);
        Settlement settlement;
        settlement.delay = Ms{3'600'000};
        batch->settle(settlement);
    }
    EXPECT_EQ(Admin(queue).gate().state, "open");
    expect_sound(queue);
}

TEST_F(Rule17Gate, HalfOpenLetsOneBatchDecide) {
    Queue queue(breaking());
    Queue other(breaking());
    to_half_open(queue);
    auto trial = leased(queue);
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT trial_batch_id FROM gate"), trial.id());
    EXPECT_FALSE(queue.lease());
    EXPECT_FALSE(other.lease());
    trial.ack();
    EXPECT_EQ(Admin(queue).gate().state, "open");
    EXPECT_TRUE(other.lease());
    expect_sound(queue);
}

TEST_F(Rule17Gate, ATrialsAckRejectNackOrSplitOpensTheGate) {
    int n = 0;
    for (const Rest rest : {Rest::ack, Rest::nack, Rest::split, Rest::release}) {
        Options options = breaking();
        options.path = dir / ("q" + std::to_string(n++) + ".db");
        options.batch_items_max = 2;
        Queue queue(options);
        to_half_open(queue);
        auto trial = leased(queue);
        Settlement settlement;
        settlement.rest = rest;
        if (rest == Rest::release) {  // an item was answered: the service is there
            settlement.rejected = {{.item_id = trial.items()[0].id, .reason = "bad"}};
        }
        trial.settle(settlement);
        EXPECT_EQ(Admin(queue).gate().state, "open") << n;
        expect_sound(queue);
    }
}

TEST_F(Rule17Gate, ATrialThatIsKeptDecidesNothingYet) {
    Queue queue(breaking());
    to_half_open(queue);
    auto trial = leased(queue);
    Settlement settlement;
    settlement.rest = Rest::keep;
    trial.settle(settlement);
    EXPECT_EQ(Admin(queue).gate().state, "half_open");
    EXPECT_FALSE(queue.lease());
    trial.ack();
    EXPECT_TRUE(queue.lease());
    expect_sound(queue);
}

TEST_F(Rule17Gate, ATrialsReleaseClosesItAgainForLonger) {
    Queue queue(breaking());
    put(queue, {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"});
    for (int i = 0; i < 3; ++i) leased(queue).release(Ms{3'000'000}, "503");
    for (const std::int64_t closed : {30'000, 60'000, 100'000, 100'000}) {
        EXPECT_EQ(Admin(queue).gate().until, clock->wall() + Ms{closed});
        clock->advance(Ms{closed - 1});
        EXPECT_FALSE(queue.lease());
        clock->advance(Ms{1});
        leased(queue).release(Ms{3'000'000}, "503");
        EXPECT_EQ(Admin(queue).gate().state, "closed");
    }
    clock->advance(Ms{100'000});
    leased(queue).ack();
    EXPECT_EQ(Admin(queue).gate().state, "open");
    for (int i = 0; i < 3; ++i) leased(queue).release(Ms{3'000'000}, "503");
    EXPECT_EQ(Admin(queue).gate().until, clock->wall() + Ms{30'000});  // it starts anew
    expect_sound(queue);
}

TEST_F(Rule17Gate, AfterATrialThatLapsedTheNextLeaseIsTheTrial) {
    Queue queue(breaking());
    Queue other(breaking());
    to_half_open(queue);
    auto lost = queue.lease({.lease_time = Ms{5'000}});
    ASSERT_TRUE(lost);
    clock->advance(Ms{4'999});
    EXPECT_FALSE(other.lease());
    clock->advance(Ms{1});
    auto trial = other.lease();
    ASSERT_TRUE(trial);
    EXPECT_EQ(Admin(queue).gate().state, "half_open");
    EXPECT_FALSE(queue.lease());
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT trial_batch_id FROM gate"),
              trial->id());
    trial->ack();
    EXPECT_EQ(Admin(queue).gate().state, "open");
    expect_sound(queue);
}

TEST_F(Rule17Gate, AfterATrialThatIsGoneTheNextLeaseIsTheTrial) {
    Options options = breaking();
    options.attempts_max = 1;
    Queue queue(options);
    to_half_open(queue);
    auto lost = queue.lease({.lease_time = Ms{5'000}});
    ASSERT_TRUE(lost);
    clock->advance(Ms{310'000});  // abandoned when it comes due
    put(queue, {"11"});
    auto trial = queue.lease();
    ASSERT_TRUE(trial);
    EXPECT_EQ(counter(queue, "abandoned"), 1);
    EXPECT_EQ(Admin(queue).gate().state, "half_open");
    EXPECT_FALSE(queue.lease());
    expect_sound(queue);
}

TEST_F(Rule17Gate, BatchesLeasedBeforeDoNotDecideForTheTrial) {
    Queue queue(breaking());
    put(queue, {"early"});
    auto early = leased(queue);
    to_half_open(queue);
    auto trial = leased(queue);
    early.release(Ms{0}, "503");
    EXPECT_EQ(Admin(queue).gate().state, "half_open");
    EXPECT_FALSE(queue.lease());
    trial.ack();
    EXPECT_EQ(Admin(queue).gate().state, "open");
    expect_sound(queue);
}

TEST_F(Rule17Gate, ReleasesWhileClosedDoNotProlongIt) {
    Queue queue(breaking());
    put(queue, {"a", "b", "c", "d"});
    std::vector<Batch> held;
    for (int i = 0; i < 4; ++i) held.push_back(leased(queue));
    for (int i = 0; i < 3; ++i) held[static_cast<std::size_t>(i)].release(Ms{0}, "503");
    const auto until = Admin(queue).gate().until;
    clock->advance(Ms{10'000});
    held[3].release(Ms{0}, "503");
    EXPECT_EQ(Admin(queue).gate().until, until);
    expect_sound(queue);
}

TEST_F(Rule17Gate, ExpiryAndEnqueueGoOnWhileClosed) {
    Options options = QueueTest::options();
    options.age_max = Ms{10'000};
    options.attempts_max = 1;
    Queue queue(options);
    put(queue, {"a"});
    Admin(queue).pause(std::nullopt, "quota", "ops");
    clock->advance(Ms{10'001});
    EXPECT_EQ(queue.cleanup().expired, 1);
    EXPECT_EQ(put(queue, {"b"}), std::vector{Enqueued::stored});
    EXPECT_TRUE(queue.cancel("b"));
    expect_sound(queue);
}

TEST_F(Rule17Gate, BatchesLeasedBeforeMayBeSettledAndExtendedWhileClosed) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = leased(queue);
    Admin(queue).pause(std::nullopt, "quota", "ops");
    EXPECT_FALSE(batch.extend(Ms{60'000}).fenced);
    EXPECT_EQ(batch.ack().acked, 1);
    EXPECT_EQ(Admin(queue).gate().state, "closed");
    expect_sound(queue);
}

TEST_F(Rule17Gate, AFlushStopsAtAClosedGateAndIsNotForgotten) {
    Queue queue(options());
    put(queue, {"a"});
    Admin(queue).pause(std::nullopt, "quota", "ops");
    queue.flush();
    EXPECT_FALSE(queue.lease({.when = When::due}));
    Admin(queue).resume("ops");
    EXPECT_TRUE(queue.lease({.when = When::due}));  // due until it is leased
    expect_sound(queue);
}

TEST_F(Rule17Gate, TheStuckViewAndHealthSayThatTheGateIsClosed) {
    Queue queue(options());
    put(queue, {"a", "b"});
    Admin(queue).pause(Ms{60'000}, "maintenance", "ops");
    const Table stuck = Admin(queue).view("stuck");
    ASSERT_EQ(stuck.rows.size(), 1U);
    EXPECT_EQ(stuck.rows[0],
              (std::vector<std::string>{"", "2", "gate closed", "in 60s", "maintenance"}));
    EXPECT_EQ(queue.health().gate, "closed");
    expect_sound(queue);
}

TEST_F(Rule17Gate, TheGateMayBeChangedByHand) {
    Queue queue(options());
    put(queue, {"a"});
    RawDatabase raw(dir / "queue.db");
    raw.exec("UPDATE gate SET state = 'closed', until = NULL, reason = 'by hand'");
    EXPECT_FALSE(queue.lease());
    raw.exec("UPDATE gate SET state = 'open'");
    EXPECT_TRUE(queue.lease());
    EXPECT_NE(raw.try_exec("UPDATE gate SET state = 'ajar'"), SQLITE_OK);
    expect_sound(queue);
}

TEST_F(Rule17Gate, APauseOfNoTimeIsMisuse) {
    Queue queue(options());
    EXPECT_THROW(Admin(queue).pause(Ms{0}, "x", "y"), Error);
    EXPECT_EQ(Admin(queue).gate().state, "open");
    expect_sound(queue);
}

TEST_F(Rule17Gate, AFailedTrialClosesForLongerThanAPauseBeforeIt) {
    Queue queue(breaking());
    put(queue, {"a"});
    Admin(queue).pause(Ms{40'000}, "test", "test");
    clock->advance(Ms{40'000});
    leased(queue).release(Ms{0}, "down");
    clock->advance(Ms{79'999});
    EXPECT_EQ(Admin(queue).gate().state, "closed");
    clock->advance(Ms{1});
    leased(queue).release(Ms{0}, "down");  // up to breaker_closed_max
    clock->advance(Ms{99'999});
    EXPECT_EQ(Admin(queue).gate().state, "closed");
    clock->advance(Ms{1});
    EXPECT_EQ(Admin(queue).gate().state, "half_open");
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
