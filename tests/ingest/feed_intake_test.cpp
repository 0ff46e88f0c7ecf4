#include "fetch/feed_intake.h"

#include "support/fake_clock.h"
#include "support/http_server.h"
#include "support/temp_dir.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <sstream>

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

namespace headpond::ingest {
namespace {

using namespace std::chrono_literals;
using test::HttpServer;

class FeedIntakeTest : public testing::Test {
  protected:
    FeedIntakeTest() {
        const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
        const auto logger = std::make_shared<spdlog::logger>("test", sink);
        logger->set_pattern("%v");
        spdlog::set_default_logger(logger);
        settings.host_delay = 0ms;
        Options options;
        options.path = dir / "feeds.db";
        options.durability = Durability::process_crash;
        options.log = [](LogLevel, std::string_view) {};
        queue.emplace(options);
    }
    ~FeedIntakeTest() override { spdlog::set_default_logger(logger_before); }

    std::string url() const { return server.address("/feed"); }
    // A new run on the same file.
    FeedIntake& begin() {
        intake.reset();
        intake.emplace(std::vector{feed_source(url())}, settings, system_clock(), random);
        intake->attach(*queue);
        intake->start({});
        return *intake;
    }
    // What the table says of the feed.
    FeedRow row() {
        std::optional<FeedRow> found;
        queue->transact(
            [&](Transaction& transaction) { found = FeedsTable(transaction).find(url()); });
        return found.value_or(FeedRow{});
    }
    std::string condition_of_last_request() const {
        return server.requests().back().get_header_value("If-None-Match");
    }

    static constexpr Ms patience{60'000};
    test::TempDir dir;
    std::ostringstream log;
    std::shared_ptr<spdlog::logger> logger_before = spdlog::default_logger();
    FetchSettings settings;
    std::shared_ptr<Random> random = std::make_shared<test::FakeRandom>();
    std::optional<Queue> queue;
    std::atomic<int> status{200};
    std::atomic<bool> cut_off{false};
    HttpServer server{[this](const httplib::Request&, httplib::Response& response) {
        response.status = status;
        response.set_header("ETag", "\"1\"");
        std::string feed =
            "<rss version='2.0'><channel><title>t</title><item><title>a</title>"
            "<pubDate>never</pubDate></item>";
        feed += cut_off ? "<item><title>b" : "</channel></rss>";
        response.set_content(feed, "text/xml");
    }};
    std::optional<FeedIntake> intake;
};

TEST_F(FeedIntakeTest, ValidatorsAreKeptWhenAllIsStoredAndNotBefore) {
    const auto arrival = begin().next(patience);
    ASSERT_TRUE(arrival);
    EXPECT_EQ(arrival->feed.alerts.size(), 1U);
    EXPECT_EQ(arrival->answer.body, "");
    intake->storing(*arrival);
    // Killed here: all alerts may be stored.
    const auto again = begin().next(patience);
    ASSERT_TRUE(again);
    EXPECT_EQ(condition_of_last_request(), "");
    intake->storing(*again);
    EXPECT_FALSE(intake->stored(*again, {}, true));
    EXPECT_EQ(row().validators.etag, "\"1\"");
    // The server sends the body all the same: from here on it is being stored anew.
    const auto third = begin().next(patience);
    ASSERT_TRUE(third);
    EXPECT_EQ(condition_of_last_request(), "\"1\"");
    intake->storing(*third);
    EXPECT_EQ(row().validators, Validators{});
    (void)begin().next(patience);
    EXPECT_EQ(condition_of_last_request(), "");
}

// Where neither its length nor its chunks tell, a cut shows in the XML alone.
TEST_F(FeedIntakeTest, ABodyThatIsCutOffLeavesTheNextRequestUnconditional) {
    cut_off = true;
    const auto arrival = begin().next(patience);
    ASSERT_TRUE(arrival);
    EXPECT_EQ(arrival->feed.alerts.size(), 1U);
    EXPECT_FALSE(intake->stored(*arrival, {}, true));
    EXPECT_EQ(row().validators, Validators{});
    EXPECT_EQ(row().failures, 0);
}

TEST_F(FeedIntakeTest, AlertsLeftOutOrASignalLeaveTheNextRequestUnconditional) {
    auto arrival = begin().next(patience);
    ASSERT_TRUE(arrival);
    EXPECT_TRUE(intake->stored(*arrival, {.alerts = 1, .disk = true}, false));
    EXPECT_EQ(row().validators, Validators{});
    EXPECT_EQ(row().last_error, "1 alerts were not taken: no room on disk");
    EXPECT_EQ(row().failures, 0);
    arrival = begin().next(patience);
    ASSERT_TRUE(arrival);
    EXPECT_EQ(condition_of_last_request(), "");
    EXPECT_FALSE(intake->stored(*arrival, {}, false));
    EXPECT_EQ(row().validators, Validators{});
}

TEST_F(FeedIntakeTest, WhatTheCallerCouldNotStoreIsAskedForAgain) {
    settings.follow = 1ms;
    for (int i = 0; i < 3; ++i) {
        const auto arrival = i == 0 ? begin().next(patience) : intake->next(patience);
        ASSERT_TRUE(arrival) << i;
        EXPECT_EQ(condition_of_last_request(), "") << i;
    }
}

TEST_F(FeedIntakeTest, AFeedThatFailsIsToldOnceAndWhenItWorks) {
    settings.follow = 1ms;
    status = 500;
    begin();
    while (row().failures < 3) EXPECT_FALSE(intake->next(patience));
    EXPECT_TRUE(intake->failed());
    EXPECT_EQ(row().status, 500);
    EXPECT_EQ(row().last_error.find("answered 500"), 0U);
    status = 200;
    auto arrival = intake->next(patience);
    while (!arrival) arrival = intake->next(patience);
    intake->storing(*arrival);
    EXPECT_FALSE(intake->stored(*arrival, {}, true));
    EXPECT_EQ(row().failures, 0);
    EXPECT_EQ(row().last_error, "");
    const std::string said = log.str();
    EXPECT_NE(said.find(url() + ": answered 500"), std::string::npos) << said;
    EXPECT_NE(said.find(url() + " works again after "), std::string::npos) << said;
    // Those two and the warning of the date, however often it is read.
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 3) << said;
    for (int i = 0; i < 3; ++i) {
        arrival = intake->next(patience);
        ASSERT_TRUE(arrival);
        intake->storing(*arrival);
        EXPECT_FALSE(intake->stored(*arrival, {}, true));
    }
    EXPECT_EQ(log.str(), said);
}

TEST_F(FeedIntakeTest, ARowThatSomebodySpoiltKeepsNoFeedAwayForLong) {
    settings.follow = 50ms;
    queue->transact([&](Transaction& transaction) {
        FeedsTable table(transaction);
        table.create();
        table.put({.url = url(),
                   .validators = {},
                   .checked_at = {},
                   .next_at = WallTime{Ms{9'000'000'000'000}},
                   .status = {},
                   .failures = -7,
                   .last_error = {},
                   .alerts = {}});
    });
    EXPECT_TRUE(begin().next(patience));
}

}  // namespace
}  // namespace headpond::ingest
