#include "fetch/feed_reader.h"

#include "support/http_server.h"
#include "support/temp_dir.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <set>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using namespace std::chrono_literals;
using Result = FeedSchedule::Result;
using test::HttpServer;

constexpr Ms patience{60'000};

// Sees how many requests are under way at once, and how long it has none.
class Watch {
  public:
    using Time = std::chrono::steady_clock::time_point;
    void begin() {
        const std::lock_guard lock(mutex_);
        const Time now = std::chrono::steady_clock::now();
        if (requests_++ > 0 && now - end_ < gap_) gap_ = now - end_;
        most_ = std::max(most_, ++under_way_);
    }
    void end() {
        const std::lock_guard lock(mutex_);
        --under_way_;
        end_ = std::chrono::steady_clock::now();
    }
    int most() const { return most_; }
    std::chrono::steady_clock::duration gap() const { return gap_; }

  private:
    std::mutex mutex_;  // guards all
    int under_way_ = 0, most_ = 0, requests_ = 0;
    Time end_;
    std::chrono::steady_clock::duration gap_ = 1h;
};

class FeedReaderTest : public testing::Test {
  protected:
    void add(const std::string& name) { feeds.push_back({.source = feed_source(name)}); }
    void start() {
        reader.emplace(std::move(feeds), settings, system_clock(), system_random(),
                       stop.get_token());
    }
    FeedAnswer next() {
        auto answer = reader->next(patience);
        EXPECT_TRUE(answer);
        return answer.value_or(FeedAnswer{});
    }

    FetchSettings settings;
    std::vector<ReaderFeed> feeds;
    std::stop_source stop;
    std::optional<FeedReader> reader;
};

TEST_F(FeedReaderTest, AHostIsAskedOneByOneWithPauses) {
    Watch watch;
    HttpServer server([&](const httplib::Request&, httplib::Response& response) {
        watch.begin();
        response.set_content("body", "text/xml");
        watch.end();
    });
    settings.host_delay = 50ms;
    for (int i = 0; i < 6; ++i) add(server.address("/" + std::to_string(i)));
    start();
    std::set<std::size_t> seen;
    while (!reader->done()) {
        const auto answer = next();
        EXPECT_EQ(answer.body, "body");
        seen.insert(answer.feed);
        reader->finish(answer.feed, Result::good, {});
    }
    EXPECT_EQ(seen.size(), 6U);
    EXPECT_EQ(watch.most(), 1);
    EXPECT_GE(watch.gap(), 50ms);
    EXPECT_EQ(server.requests().size(), 6U);
}

TEST_F(FeedReaderTest, HostsAreAskedInParallel) {
    std::atomic<int> arrived{0};
    const auto wait_for_all = [&](const httplib::Request&, httplib::Response& response) {
        ++arrived;
        while (arrived < 3) std::this_thread::yield();
        response.set_content("body", "text/xml");
    };
    HttpServer one(wait_for_all), two(wait_for_all), three(wait_for_all);
    for (const auto* server : {&one, &two, &three}) add(server->address());
    start();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(next().error, "");
    EXPECT_TRUE(reader->done());
    EXPECT_FALSE(reader->next(patience));
}

TEST_F(FeedReaderTest, NothingIsAskedWhileWhatCameIsNotTaken) {
    std::atomic<int> asked{0};
    HttpServer server([&](const httplib::Request&, httplib::Response& response) {
        ++asked;
        response.set_content(std::string(1'000'000, 'x'), "application/octet-stream");
    });
    settings.bytes_max = 1'500'000;
    settings.host_delay = 0ms;
    for (int i = 0; i < 20; ++i) add(server.address("/" + std::to_string(i)));
    start();
    // Two bodies are more than the limit: of one host a third is never asked for.
    for (int taken = 0; taken < 20; ++taken) {
        EXPECT_LE(asked, taken + 2);
        const auto answer = next();
        reader->finish(answer.feed, Result::good, {});
    }
    EXPECT_TRUE(reader->done());
}

TEST_F(FeedReaderTest, AFeedIsAskedAgainOnlyWhenItIsFinished) {
    HttpServer server([](const httplib::Request& request, httplib::Response& response) {
        response.set_content(request.get_header_value("If-None-Match"), "text/xml");
    });
    settings.follow = 1ms;
    settings.host_delay = 0ms;
    add(server.address());
    start();
    for (const std::string etag : {"", "\"1\"", "\"2\""}) {
        const auto answer = next();
        EXPECT_EQ(answer.body, etag);
        EXPECT_FALSE(reader->next(0ms));
        EXPECT_FALSE(reader->done());
        const std::string following = etag.empty() ? "\"1\"" : "\"2\"";
        reader->finish(answer.feed, Result::good, {.etag = following, .last_modified = {}});
    }
}

TEST_F(FeedReaderTest, AHostThatWantsALongPauseIsLeftAlone) {
    HttpServer server([](const httplib::Request&, httplib::Response& response) {
        response.status = 429;
        response.set_header("Retry-After", "3600");
    });
    settings.host_delay = 0ms;
    for (const char* path : {"/1", "/2", "/3"}) add(server.address(path));
    start();
    std::vector<std::string> errors;
    while (!reader->done()) errors.push_back(next().error);
    ASSERT_EQ(errors.size(), 3U);
    EXPECT_EQ(errors[0].find("answered 429"), 0U) << errors[0];
    for (const auto& error : {errors[1], errors[2]}) {
        EXPECT_EQ(error.find("not asked: its host wants to be left alone for 3"), 0U) << error;
    }
    EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(FeedReaderTest, AStopEndsARequestUnderWay) {
    std::atomic<bool> asked{false};
    HttpServer* running = nullptr;
    HttpServer server([&](const httplib::Request&, httplib::Response&) {
        asked = true;
        while (!running->stopping()) std::this_thread::yield();
    });
    running = &server;
    add(server.address());
    start();
    while (!asked) std::this_thread::yield();
    stop.request_stop();
    EXPECT_FALSE(reader->next(patience));
    reader.reset();
}

}  // namespace
}  // namespace headpond::ingest
