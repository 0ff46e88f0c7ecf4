#include "fetch/feed_request.h"

#include "support/fake_clock.h"
#include "support/http_server.h"
#include "support/raw_server.h"
#include "support/temp_dir.h"

#include <fstream>
#include <utility>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using namespace std::chrono_literals;
using test::HttpServer;
using test::RawServer;

class FeedRequest : public testing::Test {
  protected:
    FeedAnswer ask(const std::string& name, const Validators& validators = {}) {
        auto answer = ask_feed(feed_source(name), validators, settings, clock, {});
        return answer.value_or(FeedAnswer{});
    }

    FetchSettings settings;
    test::FakeClock clock;
};

std::string refusal_of(const std::string& name) {
    try {
        (void)feed_source(name);
    } catch (const UsageError& error) {
        const std::string what = error.what();
        EXPECT_NE(what.find("; allowed: "), std::string::npos) << what;
        EXPECT_EQ(what.find('\n'), std::string::npos) << what;
        return what;
    }
    return {};
}

TEST(FeedSource, AddressesAreToldFromFilesAndShownWithoutTheirQuery) {
    const auto address = feed_source("https://News.Example:8443/feed.xml?key=secret#top");
    EXPECT_EQ(address.name, "https://News.Example:8443/feed.xml?key=secret#top");
    EXPECT_EQ(address.shown, "https://News.Example:8443/feed.xml");
    EXPECT_EQ(address.host, "news.example:8443");
    EXPECT_EQ(feed_source("http://a.example/@user/feed").host, "a.example");
    for (const char* name : {"feed.xml", "http", "-", "ftp://a.example/"}) {
        EXPECT_EQ(feed_source(name).host, "") << name;
    }
}

TEST(FeedSource, PasswordsAreRefusedAndNotRepeated) {
    for (const std::string address :
         {"http://user:secret@a.example/", "HTTPS://secret@a.example/feed", "http://:secret@a/",
          "http://user:sec?ret@a.example/", "http://user:sec/ret@a.example/",
          "http://user:secret@[::1]/", "http:///user:secret@a/",
          "http://a.example\\@secret.example/"}) {
        const std::string said = refusal_of(address);
        EXPECT_FALSE(said.empty()) << address;
        EXPECT_EQ(said.find("sec"), std::string::npos) << said;
    }
}

TEST(FeedSource, WhatIsNoAddressIsRefused) {
    for (const std::string address : {"http://", "http:///feed", "https://a b/", "http://a:99999/",
                                      "http://a\n.example/", "http://a.example/\xFF"}) {
        EXPECT_NE(refusal_of(address), "") << address;
    }
    EXPECT_NE(refusal_of("http://a.example/" + std::string(3000, 'x')).find("2048"),
              std::string::npos);
}

TEST_F(FeedRequest, ValidatorsComeAndGo) {
    HttpServer server([](const httplib::Request& request, httplib::Response& response) {
        response.set_header("ETag", "W/\"1\"");
        if (request.has_header("If-None-Match")) {
            response.status = 304;
            return;
        }
        response.set_header("Last-Modified", "Wed, 25 Nov 2026 08:00:00 GMT");
        response.set_content("body", "application/rss+xml; charset=big5");
    });
    const auto first = ask(server.address("/feed"));
    EXPECT_EQ(first.status, 200);
    EXPECT_EQ(first.body, "body");
    EXPECT_EQ(first.content_type, "application/rss+xml; charset=big5");
    EXPECT_EQ(first.error, "");
    EXPECT_EQ(first.at, clock.wall());
    const auto second = ask(server.address("/feed"), first.validators);
    EXPECT_EQ(second.status, 304);
    EXPECT_TRUE(second.not_modified);
    EXPECT_EQ(second.error, "");
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_FALSE(requests[0].has_header("If-None-Match"));
    EXPECT_FALSE(requests[0].has_header("If-Modified-Since"));
    EXPECT_EQ(requests[1].get_header_value("If-None-Match"), "W/\"1\"");
    EXPECT_EQ(requests[1].get_header_value("If-Modified-Since"), "Wed, 25 Nov 2026 08:00:00 GMT");
}

TEST_F(FeedRequest, ARowThatSomebodyEditedMakesNoHeader) {
    HttpServer server([](const httplib::Request&, httplib::Response& response) {
        response.set_content("body", "text/xml");
    });
    EXPECT_EQ(ask(server.address(), {.etag = "a\r\nX-Evil: 1", .last_modified = "x\x7F"}).status,
              200);
    const auto request = server.requests().at(0);
    EXPECT_FALSE(request.has_header("X-Evil"));
    EXPECT_FALSE(request.has_header("If-None-Match"));
    EXPECT_FALSE(request.has_header("If-Modified-Since"));
}

TEST_F(FeedRequest, OtherStatusesAreErrorsAndAnUnaskedNotModifiedToo) {
    HttpServer server([](const httplib::Request& request, httplib::Response& response) {
        response.status = std::stoi(request.path.substr(1));
        response.set_header("Retry-After", "120");
        response.set_header("ETag", "\"1\"");
    });
    for (const int status : {201, 204, 304, 400, 404, 410, 429, 500, 503}) {
        const auto answer = ask(server.address("/" + std::to_string(status)));
        EXPECT_EQ(answer.status, status);
        EXPECT_EQ(answer.error.find("answered " + std::to_string(status) + "; allowed: 200"), 0U)
            << answer.error;
        EXPECT_FALSE(answer.not_modified);
        EXPECT_EQ(answer.validators, Validators{});
        const bool asks = status == 429 || status == 503;
        EXPECT_EQ(answer.retry_after, asks ? std::optional(Ms{120s}) : std::nullopt) << status;
    }
}

TEST_F(FeedRequest, RedirectsAreFollowedFiveTimes) {
    HttpServer server([](const httplib::Request& request, httplib::Response& response) {
        const int left = std::stoi(request.path.substr(1));
        if (left > 0) {
            response.set_redirect("/" + std::to_string(left - 1), 302);
        } else {
            response.set_content("here", "text/xml");
        }
    });
    EXPECT_EQ(ask(server.address("/5")).body, "here");
    const auto far = ask(server.address("/6"));
    EXPECT_EQ(far.status, 0);
    EXPECT_EQ(far.error.find("redirected more than 5 times"), 0U) << far.error;
}

TEST_F(FeedRequest, FailuresAreNamedWithTheFlagThatHelps) {
    const RawServer silent("", RawServer::Then::hold);
    const RawServer endless("HTTP/1.1 200 OK\r\n\r\n<rss>", RawServer::Then::endless);
    settings.timeout = settings.connect_timeout = 200ms;
    const auto late = ask(silent.address("/?key=secret"));
    EXPECT_EQ(late.error.find("no whole answer in time"), 0U) << late.error;
    EXPECT_NE(late.error.find("allowed: a higher --feed-timeout"), std::string::npos);
    settings.timeout = 30s;
    settings.bytes_max = 1'000;
    const auto large = ask(endless.address("/?key=secret"));
    EXPECT_EQ(large.error.find("the answer has more than 1000 bytes"), 0U) << large.error;
    EXPECT_NE(large.error.find("allowed: a higher --feed-bytes-max"), std::string::npos);
    for (const auto& answer : {late, large}) {
        EXPECT_EQ(answer.status, 0);
        EXPECT_EQ(answer.body, "");
        EXPECT_EQ(answer.error.find("secret"), std::string::npos);
    }
}

TEST_F(FeedRequest, AFileIsReadAgain) {
    const test::TempDir dir;
    const std::string path = (dir / "feed.xml").string();
    EXPECT_EQ(ask(path).error.find("cannot be read: No such file"), 0U) << ask(path).error;
    std::ofstream(path) << "<rss/>";
    EXPECT_EQ(ask(path).body, "<rss/>");
    EXPECT_EQ(ask(path).status, 0);
}

TEST_F(FeedRequest, AStopIsNoAnswer) {
    std::stop_source stop;
    stop.request_stop();
    const RawServer silent("", RawServer::Then::hold);
    EXPECT_FALSE(ask_feed(feed_source(silent.address()), {}, settings, clock, stop.get_token()));
}

}  // namespace
}  // namespace headpond::ingest
