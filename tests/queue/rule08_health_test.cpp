// Rule 8: health is the same rows for the shell, the library and the command line, from counters.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <map>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

class Rule08Health : public QueueTest {
  protected:
    static std::map<std::string, HealthRow> rows(Queue& queue) {
        std::map<std::string, HealthRow> by_metric;
        for (const auto& row : queue.health().rows) by_metric[row.metric] = row;
        return by_metric;
    }
};

TEST_F(Rule08Health, HasTheMetricsOfTheDesignInTheirOrder) {
    Queue queue(options());
    std::vector<std::string> metrics;
    for (const auto& row : queue.health().rows) metrics.push_back(row.metric);
    EXPECT_EQ(metrics, (std::vector<std::string>{"size", "bytes", "ready", "waiting", "leased",
                                                 "age_max_s", "age_avg_s", "attempts", "failed",
                                                 "dead", "outcomes", "last_cleanup_s", "ledger",
                                                 "gate", "db_bytes", "wal_bytes", "sqlite"}));
    expect_sound(queue);
}

TEST_F(Rule08Health, TheRowsOfHealthAreThoseOfTheView) {
    Queue queue(options());
    put(queue, {"a", "b"});
    auto batch = queue.lease({.items_max = 1});
    clock->advance(Ms{5'000});
    const Table view = Admin(queue).view("health");
    const Health health = queue.health();
    EXPECT_EQ(view.columns, (std::vector<std::string>{"metric", "value", "limit", "note"}));
    ASSERT_EQ(view.rows.size(), health.rows.size());
    for (std::size_t i = 0; i < view.rows.size(); ++i) {
        const HealthRow& row = health.rows[i];
        EXPECT_EQ(view.rows[i], (std::vector{row.metric, row.value, row.limit, row.note}));
    }
    expect_sound(queue);
}

TEST_F(Rule08Health, NumbersFollowTheItems) {
    Options options = QueueTest::options();
    options.items_max = 10;
    options.batch_items_max = 2;
    options.attempts_max = 1;
    Queue queue(options);
    put(queue, {"a", "b"});
    clock->advance(Ms{2'000});
    put(queue, {"c", "d", "e"});
    clock->advance(Ms{4'000});
    auto dies = queue.lease();
    ASSERT_TRUE(dies);
    dies->nack("no");
    auto waits = queue.lease();
    ASSERT_TRUE(waits);
    waits->release(Ms{60'000}, "busy");
    auto held = queue.lease();
    ASSERT_TRUE(held);
    put(queue, {"f"});
    clock->advance(Ms{1'000});
    const Health health = queue.health();
    EXPECT_EQ(health.items, 4);
    EXPECT_EQ(health.items_max, 10);
    EXPECT_EQ(health.bytes, 4 * 12);
    EXPECT_EQ(health.ready, 1);
    EXPECT_EQ(health.waiting, 2);
    EXPECT_EQ(health.leased, 1);
    EXPECT_DOUBLE_EQ(health.utilization, 0.4);
    EXPECT_EQ(health.age_max, Ms{5'000});
    EXPECT_EQ(health.age_average, Ms{(3 * 5'000 + 1'000) / 4});
    EXPECT_EQ(health.attempts, 2);  // the release took its own off
    EXPECT_EQ(health.failed_batches, 1);
    EXPECT_EQ(health.dead_letters, 2);
    EXPECT_EQ(health.outcomes, 2);
    EXPECT_EQ(health.ledger_difference, 0);
    EXPECT_EQ(health.gate, "open");
    auto row = rows(queue);
    EXPECT_EQ(row["size"].value, "4");
    EXPECT_EQ(row["size"].limit, "10");
    EXPECT_EQ(row["size"].note, "40.0% full, evict_oldest");
    EXPECT_EQ(row["waiting"].value, "2");
    EXPECT_EQ(row["waiting"].note, "next batch in 59s");
    EXPECT_EQ(row["leased"].value, "1");
    EXPECT_EQ(row["age_max_s"].value, "5");
    EXPECT_EQ(row["age_max_s"].limit, "3600");
    EXPECT_EQ(row["age_avg_s"].value, "4");
    EXPECT_EQ(row["attempts"].value, "2");
    EXPECT_EQ(row["failed"].value, "1");
    EXPECT_EQ(row["dead"].value, "2");
    EXPECT_EQ(row["outcomes"].value, "2");
    EXPECT_EQ(row["last_cleanup_s"].value, "7");
    EXPECT_EQ(row["last_cleanup_s"].limit, "900");
    EXPECT_EQ(row["ledger"].value, "0");
    expect_sound(queue);
}

TEST_F(Rule08Health, AnEmptyQueueHasNoAgesAndIsWell) {
    Queue queue(options());
    const Health health = queue.health();
    EXPECT_EQ(health.level, HealthLevel::ok);
    EXPECT_TRUE(health.reasons.empty());
    EXPECT_EQ(health.age_max, Ms{0});
    EXPECT_EQ(health.age_average, Ms{0});
    EXPECT_EQ(rows(queue)["age_max_s"].value, "0");
    expect_sound(queue);
}

TEST_F(Rule08Health, LeasesPastDueAreTold) {
    Queue queue(options());
    put(queue, {"a"});
    const auto held = queue.lease({.lease_time = Ms{1'000}});
    EXPECT_EQ(rows(queue)["leased"].note, "1 batch");
    clock->advance(Ms{1'000});
    EXPECT_EQ(rows(queue)["leased"].note, "1 batch, 1 past due");
    EXPECT_EQ(queue.health().level, HealthLevel::warning);
    expect_sound(queue);
}

TEST_F(Rule08Health, TheLevelFollowsThePolicyWhenFull) {
    Options options = QueueTest::options();
    options.items_max = 10;
    Queue queue(options);
    put(queue, {"1", "2", "3", "4", "5", "6", "7"});
    EXPECT_EQ(queue.health().level, HealthLevel::ok);
    put(queue, {"8"});
    EXPECT_EQ(queue.health().level, HealthLevel::warning);
    put(queue, {"9", "10"});
    EXPECT_EQ(queue.health().level, HealthLevel::warning);
    Admin(queue).set("overflow", "refuse", "test");
    EXPECT_EQ(queue.health().level, HealthLevel::critical);
    EXPECT_EQ(queue.health().reasons, (std::vector<std::string>{"full: newcomers are refused"}));
    expect_sound(queue);
}

TEST_F(Rule08Health, ALedgerThatDoesNotBalanceIsCritical) {
    Queue queue(options());
    put(queue, {"a"});
    RawDatabase raw(dir / "queue.db");
    raw.exec("UPDATE totals SET acked = acked + 1");
    const Health health = queue.health();
    EXPECT_EQ(health.level, HealthLevel::critical);
    EXPECT_EQ(health.ledger_difference, -1);
    EXPECT_EQ(rows(queue)["ledger"].value, "-1");
    raw.exec("UPDATE totals SET acked = acked - 1");
    expect_sound(queue);
}

TEST_F(Rule08Health, TheGateAndTheSizesOfTheFilesAreTold) {
    Queue queue(options());
    put(queue, {"a"});
    Admin(queue).pause(Ms{90'000}, "maintenance", "test");
    clock->advance(Ms{1'500});
    put(queue, {"b"});  // samples the sizes
    clock->advance(Ms{3'000});
    auto row = rows(queue);
    EXPECT_EQ(row["gate"].value, "closed");
    EXPECT_EQ(row["gate"].limit, "86s");
    EXPECT_EQ(row["gate"].note, "maintenance");
    EXPECT_EQ(row["db_bytes"].note, "sampled 3s ago");
    EXPECT_GT(std::stoll(row["db_bytes"].value), 0);
    EXPECT_GT(std::stoll(row["wal_bytes"].value), 0);
    EXPECT_EQ(queue.health().level, HealthLevel::warning);
    expect_sound(queue);
}

TEST_F(Rule08Health, HealthReadsCountersAndNoItems) {
    Queue queue(options());
    put(queue, {"a", "b", "c"});
    RawDatabase raw(dir / "queue.db");
    raw.exec("UPDATE totals SET items = 3000000, waiting_items = 1000000");
    const Health health = queue.health();
    EXPECT_EQ(health.items, 3'000'000);
    EXPECT_EQ(health.ready, 2'000'000);
    raw.exec("UPDATE totals SET items = 3, waiting_items = 0");
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
