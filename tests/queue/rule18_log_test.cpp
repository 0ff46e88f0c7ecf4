// Rule 18: the lines that operators know, and nothing of the payloads.
#include "support/queue_fixture.h"

#include <algorithm>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

class Rule18Log : public QueueTest {
  protected:
    // How often a line of exactly this form was logged.
    std::ptrdiff_t times(const std::string& line) {
        const std::lock_guard lock(lines_mutex);
        return std::count(lines.begin(), lines.end(), line);
    }
    static std::vector<std::string> numbered(int count) {
        std::vector<std::string> keys;
        for (int i = 0; i < count; ++i) keys.push_back("k" + std::to_string(i));
        return keys;
    }
};

TEST_F(Rule18Log, TheHealthLineKeepsItsExactForm) {
    Queue queue(options());
    put(queue, {"oldest"});
    clock->advance(Ms{123'400});
    put(queue, numbered(44));
    queue.log_health();
    EXPECT_EQ(times("[Moonshot] Buffer health: size=45/1000, utilization=4.5%, max_age=123.4s, "
                    "failed_batches=0"),
              1);
    expect_sound(queue);
}

TEST_F(Rule18Log, TheHealthLineOfAnEmptyQueueAndAfterAFailure) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    options.items_max = 3;
    Queue queue(options);
    put(queue, {"a"});
    queue.lease()->nack("no");
    queue.log_health();
    EXPECT_EQ(times("[Moonshot] Buffer health: size=0/3, utilization=0.0%, max_age=0.0s, "
                    "failed_batches=1"),
              1);
    put(queue, {"b"});
    queue.log_health();
    EXPECT_EQ(times("[Moonshot] Buffer health: size=1/3, utilization=33.3%, max_age=0.0s, "
                    "failed_batches=1"),
              1);
    expect_sound(queue);
}

TEST_F(Rule18Log, RemovedStaleBufferItems) {
    Queue queue(options());
    put(queue, {"a", "b", "c"});
    clock->advance(Ms{3'600'001});
    queue.cleanup();
    EXPECT_EQ(times("[Moonshot] Removed 3 stale buffer items"), 1);
    queue.cleanup();
    EXPECT_EQ(times("[Moonshot] Removed 0 stale buffer items"), 0);
    expect_sound(queue);
}

TEST_F(Rule18Log, TheCleanupOfABoundedTransactionLogsTheSumOnce) {
    Options options = QueueTest::options();
    options.cleanup_rows = 2;
    Queue queue(options);
    put(queue, numbered(7));
    clock->advance(Ms{3'600'001});
    put(queue, {"new"});  // the interval has passed
    EXPECT_EQ(times("[Moonshot] Removed 7 stale buffer items"), 1);
    expect_sound(queue);
}

TEST_F(Rule18Log, ABatchThatPermanentlyFailed) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    Queue queue(options);
    put(queue, numbered(15));
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    batch->nack("no");
    EXPECT_EQ(times("[Moonshot] Batch batch_" + std::to_string(batch->id()) +
                    " permanently failed, cleared 15 items"),
              1);
    expect_sound(queue);
}

TEST_F(Rule18Log, ABatchLeftWithoutItemsDidNotFail) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    Queue queue(options);
    put(queue, {"a"});
    Settlement settlement;
    settlement.rejected = {{.key = "a", .reason = "bad"}};
    queue.lease()->settle(settlement);
    for (const auto& line : lines) EXPECT_EQ(line.find("permanently failed"), std::string::npos);
    expect_sound(queue);
}

TEST_F(Rule18Log, CleanedStaleBatchMarkers) {
    Queue queue(options());
    Admin(queue).set("age_max", "86400", "test");
    put(queue, {"a", "b"});
    clock->advance(Ms{7'200'001});
    queue.cleanup();
    EXPECT_EQ(times("[Moonshot] Cleaned 2 stale batch markers from alerts"), 1);
    expect_sound(queue);
}

TEST_F(Rule18Log, TheTagIsAnOption) {
    Options options = QueueTest::options();
    options.log_tag = "News";
    Queue queue(options);
    queue.log_health();
    EXPECT_EQ(times("[News] Buffer health: size=0/1000, utilization=0.0%, max_age=0.0s, "
                    "failed_batches=0"),
              1);
    for (const auto& line : lines) EXPECT_TRUE(line.starts_with("[News] ")) << line;
    expect_sound(queue);
}

TEST_F(Rule18Log, LevelsTellRoutineFromFailure) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    std::vector<std::pair<LogLevel, std::string>> seen;
    options.log = [&](LogLevel level, std::string_view line) { seen.emplace_back(level, line); };
    Queue queue(options);
    put(queue, {"a"});
    queue.lease()->nack("no");
    put(queue, {"b"});
    clock->advance(Ms{3'600'001});
    queue.cleanup();
    bool failed = false;
    bool removed = false;
    for (const auto& [level, line] : seen) {
        if (line.find("permanently failed") != std::string::npos) {
            failed = true;
            EXPECT_EQ(level, LogLevel::error);
        }
        if (line.find("Removed 1 ") != std::string::npos) {
            removed = true;
            EXPECT_EQ(level, LogLevel::info);
        }
    }
    EXPECT_TRUE(failed && removed);
    expect_sound(queue);
}

TEST_F(Rule18Log, PayloadsAndResultsAreNeverLogged) {
    const std::string secret = "SECRET-api-key";
    Options options = QueueTest::options();
    options.items_max = 3;
    options.attempts_max = 1;
    options.payload_bytes_max = 50;
    Queue queue(options);
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 5; ++i) {
            const std::string key = "k" + std::to_string(i);
            (void)queue.enqueue({.key = key, .payload = secret, .tracking = Tracking::tracked});
        }
        auto batch = queue.lease({.items_max = 2});
        ASSERT_TRUE(batch);
        Settlement settlement;
        settlement.acked = {{.item_id = batch->items()[0].id, .result = secret}};
        settlement.acked.push_back(settlement.acked[0]);
        try {
            batch->settle(settlement);
        } catch (const Error& error) {
            EXPECT_EQ(std::string(error.what()).find(secret), std::string::npos);
        }
        settlement.acked.pop_back();
        batch->settle(settlement);
        (void)queue.lease();  // dropped
        clock->advance(Ms{3'600'001});
        queue.cleanup();
        queue.log_health();
    }
    EXPECT_GT(lines.size(), 5U);
    for (const auto& line : lines) EXPECT_EQ(line.find(secret), std::string::npos) << line;
    expect_sound(queue);
}

TEST_F(Rule18Log, TheLogMayCallTheQueueBecauseNoLockIsHeld) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    Queue* self = nullptr;
    std::int64_t seen = -1;
    options.log = [&](LogLevel, std::string_view line) {
        if (self != nullptr && line.find("permanently") != std::string_view::npos) {
            seen = self->health().failed_batches;  // after the commit
        }
    };
    Queue queue(options);
    self = &queue;
    put(queue, {"a"});
    queue.lease()->nack("no");
    EXPECT_EQ(seen, 1);
    expect_sound(queue);
}

// The caller would take what is done for undone, and do it again.
TEST_F(Rule18Log, ALogThatThrowsDoesNotMakeADoneCallFail) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    int thrown = 0;
    options.log = [&](LogLevel, std::string_view) {
        ++thrown;
        throw std::runtime_error("the logger is gone");
    };
    Queue queue(options);
    put(queue, {"a"});
    auto batch = queue.lease();
    thrown = 0;
    EXPECT_NO_THROW((void)batch->nack("no"));  // says that it failed permanently
    EXPECT_NO_THROW((void)queue.cleanup());
    EXPECT_NO_THROW(queue.log_health());
    EXPECT_GE(thrown, 3);
    EXPECT_EQ(queue.health().failed_batches, 1);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
