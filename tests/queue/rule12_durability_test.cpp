// Rule 12: two levels of durability, and group commit.
#include "support/child_process.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <string>
#include <thread>
#include <vector>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class Rule12Durability : public QueueTest, public ::testing::WithParamInterface<Durability> {
  protected:
    Options durable() {
        Options options = QueueTest::options();
        options.durability = GetParam();
        return options;
    }
};

INSTANTIATE_TEST_SUITE_P(Levels, Rule12Durability,
                         ::testing::Values(Durability::power_loss, Durability::process_crash),
                         [](const auto& one) {
                             return one.param == Durability::power_loss ? "power_loss"
                                                                        : "process_crash";
                         });

TEST_P(Rule12Durability, AWholeLifeOfItemsOfEveryEnd) {
    Options options = durable();
    options.items_max = 6;
    options.attempts_max = 2;
    options.batch_items_max = 4;
    options.backoff_base = Ms{0};
    options.age_max = Ms{60'000};
    Queue queue(options);
    put(queue, {"a", "b", "c", "d", "e", "f", "g"});  // evicts a
    auto batch = queue.lease();                       // b c d e
    ASSERT_TRUE(batch);
    EXPECT_FALSE(batch->extend(Ms{30'000}).fenced);
    Settlement settlement;
    settlement.acked = {{.key = "b"}};
    settlement.rejected = {{.key = "c", .reason = "bad"}};
    settlement.rest = Rest::split;
    batch->settle(settlement);
    queue.lease()->nack("no");           // d
    queue.lease()->release(Ms{0}, "x");  // e or d, whichever is due first
    clock->advance(Ms{1'000});
    while (auto rest = queue.lease()) rest->nack("no");
    EXPECT_TRUE(resident(queue).empty());
    put(queue, {"late"});
    clock->advance(Ms{60'001});
    EXPECT_EQ(queue.cleanup().expired, 1);
    EXPECT_EQ(queue.outcomes(100).size(), 8U);
    EXPECT_EQ(counter(queue, "acked"), 1);
    EXPECT_EQ(counter(queue, "rejected"), 1);
    EXPECT_EQ(counter(queue, "evicted"), 1);
    EXPECT_EQ(counter(queue, "abandoned"), 4);
    expect_sound(queue);
}

TEST_P(Rule12Durability, ALeaseThatMustAbandonOrDropIsBegunAgainAndDoesBoth) {
    Options options = durable();
    options.attempts_max = 1;
    options.backoff_base = Ms{0};
    Queue queue(options);
    put(queue, {"dies"});
    const auto lapses = queue.lease({.lease_time = Ms{1'000}});
    ASSERT_TRUE(lapses);
    clock->advance(Ms{1'000});
    put(queue, {"next"});
    auto batch = queue.lease();  // begins unsynced; must bury first
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (Keys{"next"}));
    EXPECT_EQ(counter(queue, "abandoned"), 1);
    EXPECT_EQ(counter(queue, "attempts"), 2);  // each charged once though the second ran twice
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT count(*) FROM attempts"), 2);
    expect_sound(queue);
}

TEST_P(Rule12Durability, WhatWasAnsweredSurvivesAKill) {
    ChildProcess child([this](const ChildProcess::Parent& parent) {
        parent.receive();
        Queue queue(durable());
        put(queue, {"a", "b"});
        auto batch = queue.lease({.items_max = 1});
        const bool acked = batch && batch->ack().acked == 1;
        parent.send(acked ? "done" : "failed");
        parent.hold();
    });
    child.send("go");
    ASSERT_EQ(child.receive(), "done");
    child.kill();
    Queue queue(durable());
    EXPECT_EQ(resident(queue), (Keys{"b"}));
    ASSERT_EQ(queue.outcomes(10).size(), 1U);
    EXPECT_EQ(queue.outcomes(10)[0].key, "a");
    expect_sound(queue);
}

TEST_P(Rule12Durability, EightThreadsEachGetTheirOwnAnswers) {
    Options options = durable();
    options.payload_bytes_max = 100;
    options.items_max = 100'000;
    Queue queue(options);
    put(queue, {"taken"});
    constexpr int threads = 8;
    constexpr int rounds = 40;
    std::barrier start(threads);
    std::atomic<int> wrong{0};
    const auto work = [&](int me) {
        start.arrive_and_wait();
        const std::string big(101, 'x');
        for (int i = 0; i < rounds; ++i) {
            const std::string key = std::to_string(me) + "/" + std::to_string(i);
            wrong += queue.enqueue({.key = key, .payload = key}) != Enqueued::stored;
            wrong += queue.enqueue({.key = "taken"}) != Enqueued::duplicate;
            wrong += queue.enqueue({.key = key + "big", .payload = big}) != Enqueued::too_large;
            wrong += !queue.settle("1-0123456789abcdef", {.rest = Rest::ack}).fenced;
        }
    };
    {
        std::vector<std::jthread> all;
        for (int i = 0; i < threads; ++i) all.emplace_back(work, i);
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(counter(queue, "enqueued"), 1 + threads * rounds);
    EXPECT_EQ(counter(queue, "duplicates"), threads * rounds);
    EXPECT_EQ(counter(queue, "refused"), threads * rounds);
    expect_sound(queue);
}

// A member of a group that fails takes nothing of the others with it.
TEST_P(Rule12Durability, EightThreadsEachGetTheirOwnErrors) {
    Options options = durable();
    options.batch_items_max = 2;
    options.items_max = 100'000;
    Queue queue(options);
    constexpr int threads = 8;
    constexpr int rounds = 25;
    Keys keys;
    for (int i = 0; i < threads * rounds * 2; ++i) keys.push_back("k" + std::to_string(i));
    put(queue, keys);
    std::barrier start(threads);
    std::atomic<int> misused{0};
    std::atomic<int> acked{0};
    std::atomic<int> wrong{0};
    const auto work = [&](int me) {
        start.arrive_and_wait();
        for (int i = 0; i < rounds; ++i) {
            auto batch = queue.lease();
            if (!batch) {
                ++wrong;
                continue;
            }
            const auto id = batch->items()[0].id;
            Settlement settlement;
            settlement.rest = Rest::ack;
            if ((me + i) % 2 == 0) {
                settlement.acked = {{.item_id = id}, {.item_id = id}};
                try {
                    batch->settle(settlement);
                    ++wrong;
                } catch (const Error& error) {
                    wrong += error.code() != ErrorCode::misuse;
                    wrong += error.message().find(std::to_string(id)) == std::string::npos;
                    ++misused;
                }
            }
            settlement.acked.clear();
            acked += static_cast<int>(batch->settle(settlement).acked);
        }
    };
    {
        std::vector<std::jthread> all;
        for (int i = 0; i < threads; ++i) all.emplace_back(work, i);
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(misused, threads * rounds / 2);
    EXPECT_EQ(acked, threads * rounds * 2);
    EXPECT_TRUE(resident(queue).empty());
    EXPECT_EQ(queue.outcomes(10'000).size(), static_cast<std::size_t>(threads * rounds * 2));
    expect_sound(queue);
}

TEST_P(Rule12Durability, ThreadsThatLeaseNeverShareAnItem) {
    Options options = durable();
    options.batch_items_max = 3;
    Queue queue(options);
    Keys keys;
    for (int i = 0; i < 240; ++i) keys.push_back("k" + std::to_string(i));
    put(queue, keys);
    std::mutex mutex;
    Keys seen;
    const auto work = [&] {
        while (auto batch = queue.lease()) {
            const auto mine = keys_of(*batch);
            batch->ack();
            const std::lock_guard lock(mutex);
            seen.insert(seen.end(), mine.begin(), mine.end());
        }
    };
    {
        std::vector<std::jthread> all;
        for (int i = 0; i < 8; ++i) all.emplace_back(work);
    }
    std::sort(seen.begin(), seen.end());
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(seen, keys);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
