// The six areas of the suite of the original ingester, each on a real file: cleanup of stale buffer
// items, the size limit, retries and failed batches, stale markers, health metrics, and processing.
#include "support/queue_fixture.h"

#include <headpond/processor.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class SixAreas : public QueueTest {
  protected:
    // The limits of the original's environment.
    Options original() {
        Options options = QueueTest::options();
        options.items_max = 1000;
        options.age_max = Ms{3'600'000};
        options.cleanup_interval = Ms{900'000};
        options.attempts_max = 3;
        options.pending_max = Ms{7'200'000};
        options.batch_items_due = 10;
        options.batch_linger = Ms{300'000};
        return options;
    }
    static Keys alerts(int first, int last) {
        Keys keys;
        for (int i = first; i <= last; ++i) keys.push_back("alert-" + std::to_string(i));
        return keys;
    }
    static Settlement all_located(std::span<const Item> items) {
        Settlement settlement;
        for (const Item& item : items) {
            settlement.acked.push_back({.item_id = item.id, .result = "51.5,-0.1"});
        }
        return settlement;
    }
};

// _cleanup_stale_buffer_items
TEST_F(SixAreas, StaleBufferItemsAreRemovedAndFreshOnesStay) {
    Queue queue(original());
    put(queue, alerts(1, 3));
    clock->advance(Ms{3'500'000});
    put(queue, alerts(4, 5));
    clock->advance(Ms{100'001});
    EXPECT_EQ(queue.cleanup().expired, 3);
    EXPECT_EQ(resident(queue), alerts(4, 5));
    EXPECT_TRUE(logged("[Moonshot] Removed 3 stale buffer items"));
    expect_sound(queue);
}

TEST_F(SixAreas, AnEmptyBufferHasNothingToRemove) {
    Queue queue(original());
    const CleanupReport report = queue.cleanup();
    EXPECT_EQ(report.expired + report.stale + report.evicted + report.reclaimed, 0);
    expect_sound(queue);
}

// _enforce_buffer_size_limit
TEST_F(SixAreas, TheSizeLimitKeepsTheNewestAlerts) {
    Queue queue(original());
    put(queue, alerts(1, 1'200));
    EXPECT_EQ(resident(queue), alerts(201, 1'200));
    EXPECT_EQ(queue.outcomes(1'000).size(), 200U);  // none is lost unseen
    expect_sound(queue);
}

// _should_retry_batch, _increment_retry_count, _cleanup_failed_batches
TEST_F(SixAreas, ABatchIsRetriedUntilItsRetriesAreUsedAndThenCleared) {
    Queue queue(original());
    put(queue, alerts(1, 15));
    std::int64_t id = 0;
    for (int attempt = 1; attempt <= 3; ++attempt) {
        clock->advance(Ms{300'000});
        auto batch = queue.lease();
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->attempt(), attempt);
        EXPECT_EQ(batch->items().size(), 15U);
        id = batch->id();
        EXPECT_EQ(batch->nack("HTTP 500").abandoned, attempt == 3);
    }
    EXPECT_TRUE(logged("[Moonshot] Batch batch_" + std::to_string(id) +
                       " permanently failed, cleared 15 items"));
    EXPECT_TRUE(resident(queue).empty());
    for (const auto& outcome : queue.outcomes(100)) EXPECT_EQ(outcome.reason, "abandoned");
    expect_sound(queue);
}

TEST_F(SixAreas, RetryCountsSurviveARestart) {
    for (int attempt = 1; attempt <= 3; ++attempt) {
        Queue queue(original());
        if (attempt == 1) put(queue, alerts(1, 2));
        clock->advance(Ms{300'000});
        auto batch = queue.lease();
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->attempt(), attempt);
        batch->nack("HTTP 500");
        expect_sound(queue);
    }
    Queue queue(original());
    EXPECT_EQ(counter(queue, "abandoned"), 2);
}

// _clean_stale_batch_markers
TEST_F(SixAreas, MarkersOlderThanTwoHoursAreCleanedAndTheAlertGetsItsFallback) {
    Options options = original();
    options.age_max = Ms{24LL * 3600 * 1000};
    Queue queue(options);
    put(queue, alerts(1, 2));
    clock->advance(Ms{7'200'001});
    put(queue, alerts(3, 3));
    queue.cleanup();
    EXPECT_TRUE(logged("[Moonshot] Cleaned 2 stale batch markers from alerts"));
    EXPECT_EQ(resident(queue), alerts(3, 3));
    for (const auto& outcome : queue.outcomes(10)) {
        EXPECT_EQ(outcome.state, OutcomeState::fallback);
        EXPECT_EQ(outcome.reason, "stale");
    }
    expect_sound(queue);
}

TEST_F(SixAreas, MarkersCountFromPublishingWhereTheFileSaysSo) {
    Options options = original();
    options.stale_from = StaleFrom::published;
    Queue queue(options);
    const WallTime published = clock->wall() - Ms{7'200'001};
    ASSERT_EQ(queue.enqueue({.key = "old",
                             .payload = "x",
                             .tracking = Tracking::tracked,
                             .published_at = published}),
              Enqueued::stored);
    EXPECT_EQ(queue.cleanup().stale, 1);
    expect_sound(queue);
}

// _get_buffer_health_metrics
TEST_F(SixAreas, HealthMetricsAreSizeUtilizationAgeAndFailedBatches) {
    Queue queue(original());
    put(queue, alerts(1, 45));
    clock->advance(Ms{123'400});
    const Health health = queue.health();
    EXPECT_EQ(health.items, 45);
    EXPECT_EQ(health.items_max, 1000);
    EXPECT_DOUBLE_EQ(health.utilization, 0.045);
    EXPECT_EQ(health.age_max, Ms{123'400});
    EXPECT_EQ(health.age_average, Ms{123'400});
    EXPECT_EQ(health.failed_batches, 0);
    expect_sound(queue);
}

// _process_location_batch, _process_location_batch_sync
TEST_F(SixAreas, ProcessingTakesABatchWhenTenAlertsWaitOrTheOldestHasWaitedLongEnough) {
    Queue queue(original());
    int handled = 0;
    Processor processor(queue, [&](std::span<const Item> items, const std::stop_token&) {
        handled += static_cast<int>(items.size());
        return all_located(items);
    });
    put(queue, alerts(1, 9));
    EXPECT_FALSE(processor.run_once().processed);
    put(queue, alerts(10, 10));
    const RunReport report = processor.run_once();
    EXPECT_TRUE(report.processed);
    EXPECT_EQ(report.items, 10);
    EXPECT_EQ(report.attempt, 1);
    EXPECT_EQ(report.settled.acked, 10);
    put(queue, alerts(11, 11));
    EXPECT_FALSE(processor.run_once().processed);
    clock->advance(Ms{300'000});
    EXPECT_TRUE(processor.run_once().processed);
    EXPECT_EQ(handled, 11);
    EXPECT_EQ(queue.outcomes(100).size(), 11U);
    expect_sound(queue);
}

TEST_F(SixAreas, ProcessingClearsTheBufferOnlyOnSuccess) {
    Options options = original();
    options.backoff_base = Ms{0};
    Queue queue(options);
    bool fails = true;
    Processor processor(queue, [&](std::span<const Item> items, const std::stop_token&) {
        if (fails) throw std::runtime_error("connection refused");
        return all_located(items);
    });
    put(queue, alerts(1, 10));
    EXPECT_TRUE(processor.run_once().processed);
    EXPECT_EQ(resident(queue), alerts(1, 10));
    EXPECT_EQ(Admin(queue).view("errors").rows[0][0], "connection refused");
    fails = false;
    const RunReport again = processor.run_once();
    EXPECT_EQ(again.attempt, 2);
    EXPECT_TRUE(resident(queue).empty());
    expect_sound(queue);
}

TEST_F(SixAreas, ProcessingCleansUpBeforeItLeases) {
    Queue queue(original());
    int handled = 0;
    Processor processor(queue, [&](std::span<const Item> items, const std::stop_token&) {
        handled += static_cast<int>(items.size());
        return all_located(items);
    });
    put(queue, alerts(1, 10));
    clock->advance(Ms{3'600'001});
    EXPECT_FALSE(processor.run_once().processed);
    EXPECT_EQ(handled, 0);
    EXPECT_EQ(counter(queue, "expired"), 10);
    expect_sound(queue);
}

TEST_F(SixAreas, ProcessingDoesNotRetryABatchWhoseRetriesAreUsed) {
    Options options = original();
    options.backoff_base = Ms{0};
    Queue queue(options);
    int calls = 0;
    Processor processor(queue, [&](std::span<const Item>, const std::stop_token&) -> Settlement {
        ++calls;
        throw std::runtime_error("always");
    });
    put(queue, alerts(1, 10));
    for (int i = 0; i < 5; ++i) processor.run_once();
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(counter(queue, "abandoned"), 10);
    expect_sound(queue);
}

TEST_F(SixAreas, AHandlerMayNotKeepItems) {
    Queue queue(original());
    Processor processor(queue, [](std::span<const Item>, const std::stop_token&) {
        Settlement settlement;
        settlement.rest = Rest::keep;
        return settlement;
    });
    put(queue, alerts(1, 10));
    EXPECT_TRUE(processor.run_once().processed);
    EXPECT_EQ(counter(queue, "leased_items"), 0);
    EXPECT_EQ(counter(queue, "waiting_items"), 10);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
