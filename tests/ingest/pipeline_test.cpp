#include "pipeline.h"

#include "holdups.h"
#include "report.h"
#include "support/temp_dir.h"
#include "tables/alerts_table.h"

#include <headpond/admin.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

namespace headpond::ingest {
namespace {

// Fails, or places everything in Lima.
class SwitchedResolver final : public Resolver {
  public:
    std::string_view name() const override { return "switched"; }
    Settlement resolve(std::span<const Item> items, const std::stop_token& /*stop*/) override {
        if (!works) throw std::runtime_error("out of order");
        Settlement settlement;
        for (const Item& item : items) {
            const Location lima{.latitude = -12.05,
                                .longitude = -77.04,
                                .name = "Lima",
                                .country = "PE",
                                .confidence = "high",
                                .method = "gazetteer_batch",
                                .basis = "title"};
            settlement.acked.push_back(
                {.item_id = item.id, .key = item.key, .result = to_result(lima)});
        }
        return settlement;
    }
    bool works = false;
};

class PipelineRun : public testing::Test {
  protected:
    PipelineRun() {
        const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
        const auto logger = std::make_shared<spdlog::logger>("test", sink);
        logger->set_pattern("%v");
        spdlog::set_default_logger(logger);
        open();
    }
    ~PipelineRun() override { spdlog::set_default_logger(logger_before); }

    void open() {
        queue.emplace(options());
        pipeline.emplace(*queue, resolver, false);
        pipeline->open();
    }
    void reopen() {
        pipeline.reset();
        queue.reset();
        open();
    }
    Options options() const {
        Options options;
        options.path = dir / "run.db";
        options.durability = Durability::process_crash;
        options.attempts_max = 1;
        options.log = [](LogLevel, std::string_view) {};
        return options;
    }
    // The alerts' titles are their numbers.
    static Feed feed(int first, int count) {
        std::string xml = "<rss version='2.0'><channel><title>one</title>";
        for (int i = first; i < first + count; ++i) {
            xml += "<item><title>" + std::to_string(i) + "</title></item>";
        }
        return parse_feed(xml + "</channel></rss>", {});
    }
    // Method and reason of each alert, by title.
    std::string rows() {
        std::vector<std::string> all;
        queue->transact([&](Transaction& transaction) {
            all.clear();
            AlertsTable(transaction).each([&](const AlertRow& row) {
                all.push_back(row.alert.title + ' ' + row.method + ' ' + row.reason);
            });
        });
        std::sort(all.begin(), all.end());
        std::string text;
        for (const std::string& one : all) text += one + '\n';
        return text;
    }
    void abandon(int first, int count) {
        resolver.works = false;
        (void)pipeline->take(feed(first, count), {});
        EXPECT_TRUE(pipeline->drain({}));
        resolver.works = true;
    }

    test::TempDir dir;
    std::ostringstream log;
    std::shared_ptr<spdlog::logger> logger_before = spdlog::default_logger();
    SwitchedResolver resolver;
    std::optional<Queue> queue;
    std::optional<Pipeline> pipeline;
};

TEST_F(PipelineRun, ARedrivenAlertIsPendingAgainInTheNextRun) {
    abandon(1, 2);
    EXPECT_EQ(rows(), "1 fallback abandoned\n2 fallback abandoned\n");
    EXPECT_EQ(Admin(*queue).redrive({}).redriven, 2);
    reopen();
    EXPECT_EQ(rows(), "1 batch_pending \n2 batch_pending \n");
    EXPECT_EQ(pipeline->counts().resumed, 2);
    EXPECT_EQ(pipeline->counts().lost, 0);
    EXPECT_TRUE(pipeline->drain({}));
    EXPECT_EQ(rows(), "1 gazetteer_batch title\n2 gazetteer_batch title\n");
}

TEST_F(PipelineRun, ARedrivenAlertThatFailsAgainIsAFallbackAgain) {
    abandon(1, 1);
    EXPECT_EQ(Admin(*queue).redrive({}).redriven, 1);
    resolver.works = false;
    reopen();
    EXPECT_TRUE(pipeline->drain({}));
    EXPECT_EQ(rows(), "1 fallback abandoned\n");
}

TEST_F(PipelineRun, ARedriveWhileItRunsReplacesTheFallback) {
    abandon(1, 1);
    EXPECT_EQ(Admin(*queue).redrive({}).redriven, 1);
    (void)pipeline->take(feed(2, 1), {});
    EXPECT_TRUE(pipeline->drain({}));
    EXPECT_EQ(rows(), "1 gazetteer_batch title\n2 gazetteer_batch title\n");
    EXPECT_TRUE(queue->outcomes(10).empty());
}

TEST_F(PipelineRun, AFallbackNeverReplacesAResolvedAlert) {
    resolver.works = true;
    const Feed one = feed(1, 1);
    (void)pipeline->take(one, {});
    EXPECT_TRUE(pipeline->drain({}));
    EXPECT_EQ(queue->enqueue({.key = one.alerts[0].uuid,
                              .source_tag = "again",
                              .payload = "{}",
                              .tracking = Tracking::tracked}),
              Enqueued::stored);
    abandon(2, 1);
    EXPECT_EQ(rows(), "1 gazetteer_batch title\n2 fallback abandoned\n");
    EXPECT_TRUE(queue->outcomes(10).empty());
}

// --- what the run counts ------------------------------------------------------------------------

TEST_F(PipelineRun, AFeedReadAgainCountsNoAlertTwice) {
    resolver.works = true;
    for (int reading = 0; reading < 3; ++reading) {
        (void)pipeline->take(feed(1, 120), {});
        EXPECT_TRUE(pipeline->drain({}));
    }
    EXPECT_EQ(summarise(*pipeline).counts.alerts, 120);
    EXPECT_EQ(summarise(*pipeline).counts.by_batch, 120);
    EXPECT_EQ(pipeline->counts().known, 0);
    reopen();
    for (int reading = 0; reading < 3; ++reading) (void)pipeline->take(feed(1, 120), {});
    EXPECT_EQ(summarise(*pipeline).counts.by_batch, 120);
    EXPECT_EQ(pipeline->counts().known, 120);
}

TEST_F(PipelineRun, ARedrivenAlertCountsAsWhatItBecame) {
    abandon(1, 2);
    EXPECT_EQ(summarise(*pipeline).counts.abandoned, 2);
    EXPECT_EQ(Admin(*queue).redrive({}).redriven, 2);
    (void)pipeline->take(feed(3, 1), {});
    EXPECT_TRUE(pipeline->drain({}));
    const Counts counts = summarise(*pipeline).counts;
    EXPECT_EQ(counts.alerts, 3);
    EXPECT_EQ(counts.by_batch, 3);
    EXPECT_EQ(counts.fallback, 0);
    EXPECT_EQ(counts.abandoned, 0);
}

TEST_F(PipelineRun, WhatAnotherProcessMadeOfAnAlertCounts) {
    (void)pipeline->take(feed(1, 3), {});
    Queue other_queue(options());
    SwitchedResolver other_resolver;
    other_resolver.works = true;
    Pipeline other(other_queue, other_resolver, false);
    other.open();
    EXPECT_EQ(other.counts().resumed, 3);
    // Both met them while they were pending; one places them.
    EXPECT_EQ(summarise(*pipeline).counts.pending, 3);
    EXPECT_TRUE(other.drain({}));
    for (Pipeline* one : {&other, &*pipeline}) {
        const Counts counts = summarise(*one).counts;
        EXPECT_EQ(counts.alerts, 3);
        EXPECT_EQ(counts.by_batch, 3);
        EXPECT_EQ(counts.pending, 0);
    }
}

TEST_F(PipelineRun, AKnownAlertCountsAsWhatTheTableSays) {
    abandon(1, 2);
    (void)pipeline->take(feed(3, 2), {});
    EXPECT_TRUE(pipeline->drain({}));
    reopen();
    (void)pipeline->take(feed(1, 4), {});
    const Counts counts = summarise(*pipeline).counts;
    EXPECT_EQ(counts.alerts, 4);
    EXPECT_EQ(counts.abandoned, 2);
    EXPECT_EQ(counts.by_batch, 2);
    EXPECT_EQ(pipeline->counts().known, 4);
}

// --- holdups -------------------------------------------------------------------------------------

TEST_F(PipelineRun, ABatchThatAnotherHoldsIsToldOnce) {
    const Feed three = feed(1, 3);
    (void)pipeline->take(three, {});
    Options same = options();
    same.label = "web\n1";
    Queue other(same);
    const auto batch = other.lease();
    ASSERT_TRUE(batch);
    Holdups holdups(*queue);
    EXPECT_FALSE(holdups.look({"another alert"}));
    EXPECT_EQ(log.str(), "");
    for (int look = 0; look < 2; ++look) EXPECT_FALSE(holdups.look({three.alerts[1].uuid}));
    const std::string said = log.str();
    EXPECT_EQ(said.find("Waiting for batch 1: web"), 0U) << said;
    EXPECT_NE(said.find(" holds its 3 items until 2"), std::string::npos) << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST_F(PipelineRun, AFullQueueWaitsForWhoeverHoldsABatch) {
    EXPECT_EQ(queue->enqueue({.key = "theirs", .source_tag = "", .payload = ""}), Enqueued::stored);
    const auto batch = queue->lease({.detached = true});
    ASSERT_TRUE(batch);
    Holdups holdups(*queue);
    EXPECT_FALSE(holdups.look({}));
    EXPECT_EQ(log.str(), "");
    EXPECT_FALSE(holdups.look({}, Holdups::Of::any_batch));
    EXPECT_EQ(log.str().find("Waiting for batch 1: detached holds its 1 items until 2"), 0U)
        << log.str();
}

}  // namespace
}  // namespace headpond::ingest
