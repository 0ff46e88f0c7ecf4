// Rule 2: items older than age_max expire, at most once an interval.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <string>
#include <vector>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class Rule02Age : public QueueTest {
  protected:
    Options aging() {
        Options options = QueueTest::options();
        options.age_max = Ms{10'000};
        options.cleanup_interval = Ms{60'000};
        return options;
    }
};

TEST_F(Rule02Age, DefaultsAreAnHourAndFifteenMinutes) {
    Queue queue(options());
    EXPECT_EQ(queue.options().age_max, Ms{3'600'000});
    EXPECT_EQ(queue.options().cleanup_interval, Ms{900'000});
    expect_sound(queue);
}

TEST_F(Rule02Age, OlderThanAgeMaxExpiresAndExactlyThatOldDoesNot) {
    Queue queue(aging());
    put(queue, {"a"});
    clock->advance(Ms{1});
    put(queue, {"b"});
    clock->advance(Ms{10'000});
    EXPECT_EQ(queue.cleanup().expired, 1);
    EXPECT_EQ(resident(queue), (Keys{"b"}));
    EXPECT_EQ(counter(queue, "expired"), 1);
    const auto outcomes = queue.outcomes(10);
    ASSERT_EQ(outcomes.size(), 1U);
    EXPECT_EQ(outcomes[0].key, "a");
    EXPECT_EQ(outcomes[0].reason, "expired");
    expect_sound(queue);
}

TEST_F(Rule02Age, AnEnqueueCleansUpOnlyWhenTheIntervalHasPassed) {
    Queue queue(aging());
    put(queue, {"a"});
    clock->advance(Ms{59'999});
    put(queue, {"b"});
    EXPECT_EQ(resident(queue), (Keys{"a", "b"}));
    clock->advance(Ms{1});
    put(queue, {"c"});
    EXPECT_EQ(resident(queue), (Keys{"b", "c"}));
    expect_sound(queue);
}

TEST_F(Rule02Age, ALeaseCleansUpWhenTheIntervalHasPassed) {
    Queue queue(aging());
    put(queue, {"a"});
    clock->advance(Ms{55'000});
    put(queue, {"b"});
    clock->advance(Ms{5'000});
    const auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (Keys{"b"}));
    expect_sound(queue);
}

TEST_F(Rule02Age, BetweenTwoCleanupsAnItemPastItsAgeMayStillBeLeased) {
    Queue queue(aging());
    put(queue, {"a"});
    clock->advance(Ms{59'999});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (Keys{"a"}));
    EXPECT_EQ(batch->ack().acked, 1);
    expect_sound(queue);
}

TEST_F(Rule02Age, TheIntervalIsOneForAllQueuesOfTheFile) {
    Queue one(aging());
    Queue other(aging());
    put(one, {"a"});
    clock->advance(Ms{60'000});
    put(one, {"b"});  // cleans up
    EXPECT_EQ(resident(one), (Keys{"b"}));
    clock->advance(Ms{59'999});
    put(other, {"c"});  // its own last look was long ago, the file's last cleanup was not
    EXPECT_EQ(resident(one), (Keys{"b", "c"}));
    clock->advance(Ms{1});
    put(other, {"d"});
    EXPECT_EQ(resident(one), (Keys{"c", "d"}));
    expect_sound(one);
}

TEST_F(Rule02Age, TheTimeOfTheLastCleanupSurvivesReopening) {
    {
        Queue queue(aging());
        put(queue, {"a"});
    }
    clock->advance(Ms{59'000});
    Queue queue(aging());
    put(queue, {"b"});
    EXPECT_EQ(resident(queue), (Keys{"a", "b"}));
    clock->advance(Ms{1'000});
    put(queue, {"c"});
    EXPECT_EQ(resident(queue), (Keys{"b", "c"}));
    expect_sound(queue);
}

TEST_F(Rule02Age, CleanupByHandAlwaysRuns) {
    Queue queue(aging());
    put(queue, {"a"});
    clock->advance(Ms{10'001});
    EXPECT_EQ(queue.cleanup().expired, 1);
    EXPECT_EQ(queue.cleanup().expired, 0);
    put(queue, {"b"});
    clock->advance(Ms{10'001});
    EXPECT_EQ(queue.cleanup().expired, 1);
    expect_sound(queue);
}

TEST_F(Rule02Age, WaitingItemsExpireAndLeasedOnesDoNot) {
    Options options = aging();
    options.batch_items_max = 2;
    options.lease_time = Ms{3'600'000};
    Queue queue(options);
    put(queue, {"a", "b", "c", "d", "e"});
    auto held = queue.lease();
    ASSERT_TRUE(held);
    queue.lease()->nack("no");
    clock->advance(Ms{10'001});
    EXPECT_EQ(queue.cleanup().expired, 3);  // the waiting c and d, the ready e
    EXPECT_EQ(resident(queue), (Keys{"a", "b"}));
    held->nack("no");
    EXPECT_EQ(queue.cleanup().expired, 2);
    EXPECT_TRUE(resident(queue).empty());
    expect_sound(queue);
}

TEST_F(Rule02Age, OfAWaitingBatchTheOldPartExpires) {
    Queue queue(aging());
    put(queue, {"a", "b"});
    clock->advance(Ms{9'000});
    put(queue, {"c"});
    queue.lease()->nack("no");
    clock->advance(Ms{1'001});
    EXPECT_EQ(queue.cleanup().expired, 2);
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (Keys{"c"}));
    EXPECT_EQ(batch->attempt(), 2);
    expect_sound(queue);
}

TEST_F(Rule02Age, TransactionsOfACleanupAreBoundedAndItRepeatsUntilDone) {
    Options options = aging();
    options.cleanup_rows = 3;
    Queue queue(options);
    Keys keys;
    for (int i = 0; i < 10; ++i) keys.push_back("k" + std::to_string(i));
    put(queue, keys);
    clock->advance(Ms{10'001});
    RawDatabase raw(dir / "queue.db");
    raw.exec(
        "CREATE TABLE per_commit (left INTEGER);"
        "CREATE TRIGGER watch AFTER UPDATE OF expired ON totals WHEN NEW.expired <> OLD.expired "
        "BEGIN INSERT INTO per_commit VALUES (NEW.expired - OLD.expired); END");
    EXPECT_EQ(queue.cleanup().expired, 10);
    EXPECT_EQ(raw.integer("SELECT max(left) FROM per_commit"), 3);
    EXPECT_EQ(raw.integer("SELECT sum(left) FROM per_commit"), 10);
    raw.exec("DROP TRIGGER watch");
    expect_sound(queue);
}

TEST_F(Rule02Age, AgeIsCheckedBeforeStaleness) {
    Options options = aging();
    options.pending_max = Ms{5'000};
    Queue queue(options);
    put(queue, {"a"});
    clock->advance(Ms{5'000});
    put(queue, {"b"});
    clock->advance(Ms{5'001});
    const CleanupReport report = queue.cleanup();
    EXPECT_EQ(report.expired, 1);  // `a` is past both
    EXPECT_EQ(report.stale, 1);
    const auto outcomes = queue.outcomes(10);
    ASSERT_EQ(outcomes.size(), 2U);
    EXPECT_EQ(outcomes[0].reason, "expired");
    EXPECT_EQ(outcomes[1].reason, "stale");
    expect_sound(queue);
}

TEST_F(Rule02Age, ExpiredItemsBecomeDeadLettersOnlyByOption) {
    Options options = aging();
    Queue queue(options);
    put(queue, {"a"});
    clock->advance(Ms{10'001});
    queue.cleanup();
    EXPECT_EQ(Admin(queue).count_dead({}), 0);
    Admin(queue).set("keep_dropped", "yes", "test");
    put(queue, {"b"});
    clock->advance(Ms{10'001});
    queue.cleanup();
    const auto dead = Admin(queue).dead({});
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].key, "b");
    EXPECT_EQ(dead[0].reason, "expired");
    EXPECT_EQ(dead[0].payload, "payload of b");
    EXPECT_FALSE(dead[0].batch);
    expect_sound(queue);
}

TEST_F(Rule02Age, ACleanupDropsOldDeadLettersOutcomesAndAttempts) {
    Options options = aging();
    options.dead_max = 1;
    options.outcomes_max = 100;
    options.outcome_age_max = Ms{20'000};
    options.dead_age_max = Ms{20'000};
    options.attempts_kept = 2;
    Queue queue(options);
    for (const char* key : {"a", "b", "c"}) {
        put(queue, {key});
        auto batch = queue.lease();
        ASSERT_TRUE(batch);
        Settlement settlement;
        settlement.rejected = {{.key = key, .reason = "bad"}};
        EXPECT_EQ(batch->settle(settlement).rejected, 1);
    }
    EXPECT_EQ(Admin(queue).count_dead({}), 1);  // dead_max holds at once
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT count(*) FROM attempts"), 2);
    clock->advance(Ms{20'001});
    const CleanupReport report = queue.cleanup();
    EXPECT_EQ(report.dead_dropped, 1);
    EXPECT_EQ(report.outcomes_dropped, 3);
    EXPECT_EQ(Admin(queue).count_dead({}), 0);
    EXPECT_EQ(counter(queue, "dead_letters"), 0);
    EXPECT_TRUE(queue.outcomes(10).empty());
    expect_sound(queue);
}

TEST_F(Rule02Age, ACleanupRecountsHandEdits) {
    Queue queue(aging());
    put(queue, {"a", "b", "c", "d"});
    RawDatabase(dir / "queue.db").exec("DELETE FROM items WHERE key IN ('a', 'c')");
    EXPECT_EQ(Admin(queue).check().ok(), false);
    const CleanupReport report = queue.cleanup();
    EXPECT_TRUE(report.recounted);
    EXPECT_EQ(report.edited, -2);
    EXPECT_EQ(counter(queue, "items"), 2);
    EXPECT_EQ(counter(queue, "edited"), -2);
    expect_sound(queue);
}

TEST_F(Rule02Age, TheRowsDecideWhetherACleanupRecounts) {
    constexpr int rows = 110'000;
    Options many = options();
    many.items_max = rows;
    many.overflow = Overflow::refuse;
    Queue queue(many);
    for (int first = 0; first < rows; first += 10'000) {
        Keys keys;
        for (int i = first; i < first + 10'000; ++i) keys.push_back(std::to_string(i));
        put(queue, keys, Tracking::untracked);
    }
    EXPECT_FALSE(queue.cleanup().recounted);
    RawDatabase(dir / "queue.db").exec("DELETE FROM items WHERE id > 100000");
    CleanupReport report = queue.cleanup();
    EXPECT_TRUE(report.recounted);
    EXPECT_EQ(report.edited, -10'000);
    EXPECT_EQ(counter(queue, "items"), 100'000);
    RawDatabase(dir / "queue.db").exec("DELETE FROM items");
    report = queue.cleanup();
    EXPECT_TRUE(report.recounted);
    EXPECT_EQ(report.edited, -100'000);
    EXPECT_EQ(counter(queue, "items"), 0);
    EXPECT_EQ(put(queue, {"new"}), std::vector{Enqueued::stored});
    expect_sound(queue);
}

TEST_F(Rule02Age, AnIntervalThatAnotherShortenedHoldsForTheNextCall) {
    Queue queue(aging());
    put(queue, {"old"});
    clock->advance(Ms{11'000});
    Queue other(QueueTest::options());
    Admin(other).set("cleanup_interval", "1", "test");
    put(queue, {"new"});
    EXPECT_EQ(resident(queue), (std::vector<std::string>{"new"}));
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
