// Each case is a real call of a real server; what is asserted is what the database then holds.
#include "moonshot/moonshot_resolver.h"

#include "support/chat_server.h"
#include "support/fake_clock.h"
#include "support/raw_database.h"
#include "support/raw_server.h"
#include "support/temp_dir.h"

#include <headpond/admin.h>
#include <headpond/headpond.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <sstream>

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

namespace headpond::ingest {
namespace {

using nlohmann::json;
using test::alerts_of;
using test::answer_error;
using test::answer_well;
using test::completion;
using test::completion_of;
using test::HttpServer;
using test::location;
using test::RawServer;

constexpr const char* secret = "sk-0123456789abcdefSECRETzyxwvut";

class MoonshotCalls : public testing::Test {
  protected:
    MoonshotCalls() {
        const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
        const auto logger = std::make_shared<spdlog::logger>("test", sink);
        logger->set_pattern("%v");
        spdlog::set_default_logger(logger);
        options.path = dir / "run.db";
        options.durability = Durability::process_crash;
        options.clock = clock;
        options.random = std::make_shared<test::FakeRandom>();
        options.breaker_failures = 3;
        options.breaker_closed = Ms{30'000};
        settings.base_url = server.address();
        settings.key = secret;
        settings.call_timeout = Ms{5'000};
    }
    ~MoonshotCalls() override {
        spdlog::set_default_logger(logger_before);
        // Whatever was tested: the key is nowhere.
        EXPECT_EQ(log.str().find(secret), std::string::npos) << log.str();
        for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
            std::ifstream file(entry.path(), std::ios::binary);
            const std::string bytes((std::istreambuf_iterator<char>(file)), {});
            EXPECT_EQ(bytes.find(secret), std::string::npos) << entry.path();
        }
    }

    void put(int first, int count) {
        if (!queue) queue.emplace(options);
        for (int i = first; i < first + count; ++i) {
            const std::string key = "k" + std::to_string(i);
            const std::string payload =
                to_payload({.title = "Flood " + key, .summary = "Water", .source_tag = "test"});
            ASSERT_EQ(
                queue->enqueue({.key = key, .payload = payload, .tracking = Tracking::tracked}),
                Enqueued::stored);
        }
    }
    // One batch, if one may be leased.
    bool run(const std::stop_token& stop = {}) {
        if (!resolver) resolver.emplace(settings, queue->options());
        Processor processor(*queue, [&](std::span<const Item> items, const std::stop_token& asked) {
            return resolver->resolve(items, asked);
        });
        return processor.run_once(When::immediate, Ms{0}, stop).processed;
    }
    std::string query(const std::string& sql) { return test::RawDatabase(options.path).text(sql); }
    // The deliveries of all batches, in their order: attempt and outcome.
    std::string deliveries() {
        return query(
            "SELECT group_concat(attempt || ' ' || outcome, ', ') FROM (SELECT * FROM attempts "
            "ORDER BY id)");
    }
    std::string error() { return query("SELECT error FROM attempts ORDER BY id DESC LIMIT 1"); }
    std::string gate() { return query("SELECT state FROM gate"); }
    // For how long, in ms; empty: until it is reopened.
    std::string closed_for() {
        const std::string now = std::to_string(clock->wall().time_since_epoch().count());
        return query("SELECT until - " + now + " FROM gate");
    }
    std::string outcomes() {
        return query(
            "SELECT group_concat(what || ' ' || n, ', ') FROM (SELECT iif(state = 'resolved', "
            "state, "
            "reason) AS what, count(*) AS n FROM outcomes GROUP BY 1 ORDER BY 1)");
    }
    std::string attempts_charged() { return query("SELECT attempts FROM totals"); }
    std::string waiting() { return query("SELECT count(*) FROM items"); }
    void expect_sound() {
        EXPECT_EQ(query("SELECT difference FROM ledger"), "0");
        EXPECT_EQ(query("SELECT count(*) FROM range_faults"), "0");
    }
    // One batch of three goes out, comes back and is not charged.
    void expect_released(const std::string& words) {
        put(1, 3);
        EXPECT_TRUE(run());
        EXPECT_EQ(deliveries(), "1 released");
        EXPECT_EQ(attempts_charged(), "0");
        EXPECT_EQ(waiting(), "3");
        EXPECT_EQ(outcomes(), "");
        EXPECT_NE(error().find(words), std::string::npos) << error();
        expect_sound();
    }
    // The same, charged.
    void expect_nacked(const std::string& words) {
        put(1, 3);
        EXPECT_TRUE(run());
        EXPECT_EQ(deliveries(), "1 nacked");
        EXPECT_EQ(attempts_charged(), "1");
        EXPECT_EQ(waiting(), "3");
        EXPECT_EQ(outcomes(), "");
        EXPECT_EQ(gate(), "open");
        EXPECT_NE(error().find(words), std::string::npos) << error();
        expect_sound();
    }

    std::ostringstream log;
    std::shared_ptr<spdlog::logger> logger_before = spdlog::default_logger();
    test::TempDir dir;
    std::shared_ptr<test::FakeClock> clock = std::make_shared<test::FakeClock>();
    HttpServer::Answer answer = answer_well;
    HttpServer server{[this](const httplib::Request& request, httplib::Response& response) {
        answer(request, response);
    }};
    MoonshotSettings settings;
    Options options;
    std::optional<Queue> queue;
    std::optional<MoonshotResolver> resolver;
};

TEST_F(MoonshotCalls, AWholeBatchIsLocated) {
    put(1, 3);
    EXPECT_TRUE(run());
    EXPECT_EQ(deliveries(), "1 acked");
    EXPECT_EQ(outcomes(), "resolved 3");
    EXPECT_EQ(gate(), "open");
    expect_sound();
    ASSERT_EQ(server.requests().size(), 1);
    const auto request = server.requests().front();
    EXPECT_EQ(request.path, "/v1/chat/completions");
    EXPECT_EQ(request.get_header_value("Authorization"), std::string("Bearer ") + secret);
    EXPECT_EQ(request.get_header_value("Content-Type"), "application/json");
    const json body = json::parse(request.body);
    EXPECT_EQ(body["model"], "kimi-k2.6");
    EXPECT_EQ(body["response_format"]["type"], "json_schema");
    const json& item = body["response_format"]["json_schema"]["schema"]["properties"]["locations"]
                           ["items"]["properties"];
    EXPECT_EQ(item["key"]["enum"], json::array({"k1", "k2", "k3"}));
    EXPECT_EQ(alerts_of(request)[0]["title"], "Flood k1");
}

TEST_F(MoonshotCalls, AnAnswerInPiecesIsOneAnswer) {
    answer = [](const httplib::Request& request, httplib::Response& response) {
        httplib::Response whole;
        answer_well(request, whole);
        response.set_chunked_content_provider(
            "application/json", [text = whole.body](std::size_t offset, httplib::DataSink& sink) {
                if (offset >= text.size()) {
                    sink.done();
                } else {
                    sink.write(text.data() + offset,
                               std::min<std::size_t>(7, text.size() - offset));
                }
                return true;
            });
    };
    put(1, 3);
    EXPECT_TRUE(run());
    EXPECT_EQ(deliveries(), "1 acked");
    EXPECT_EQ(outcomes(), "resolved 3");
}

TEST_F(MoonshotCalls, ASlowAnswerIsWaitedForUnderTheLease) {
    std::atomic<bool> seen{false};
    answer = [&](const httplib::Request& request, httplib::Response& response) {
        while (!seen) std::this_thread::yield();
        answer_well(request, response);
    };
    put(1, 3);
    auto done = std::async(std::launch::async, [&] { return run(); });
    while (query("SELECT count(*) FROM leases") == "0") std::this_thread::yield();
    EXPECT_EQ(outcomes(), "");
    seen = true;
    EXPECT_TRUE(done.get());
    EXPECT_EQ(deliveries(), "1 acked");
}

TEST_F(MoonshotCalls, ALateAnswerIsReleased) {
    answer = [&](const httplib::Request& request, httplib::Response& response) {
        while (!server.stopping()) std::this_thread::yield();
        answer_well(request, response);
    };
    settings.call_timeout = Ms{200};
    expect_released("no whole answer in time");
    EXPECT_EQ(query("SELECT failures FROM gate"), "1");
}

TEST_F(MoonshotCalls, WhatCameBackIsAckedAndTheRestNacked) {
    answer = [](const httplib::Request&, httplib::Response& response) {
        response.set_content(
            completion_of(json::array({location("k1"), location("k3"), location("k3", 1, 1),
                                       location("k9"), location("k2", 91)})),
            "application/json");
    };
    put(1, 3);
    EXPECT_TRUE(run());
    EXPECT_EQ(deliveries(), "1 partial");
    EXPECT_EQ(outcomes(), "resolved 2");
    EXPECT_EQ(query("SELECT key FROM items"), "k2");
    EXPECT_EQ(attempts_charged(), "1");
    EXPECT_NE(error().find("1 of 3 alerts, of the first latitude is 91"), std::string::npos)
        << error();
    EXPECT_NE(log.str().find("1 keys that were not asked, the first 'k9'"), std::string::npos);
    EXPECT_NE(log.str().find("answered twice"), std::string::npos);
    EXPECT_EQ(query("SELECT count(*) FROM outcomes WHERE key = 'k3' AND CAST(result AS TEXT) LIKE "
                    "'%-6.2%'"),
              "1");
    expect_sound();
}

TEST_F(MoonshotCalls, RateLimitsCloseTheGateForRetryAfterInSeconds) {
    answer = [](const httplib::Request&, httplib::Response& response) {
        answer_error(response, 429, "rate_limit_reached_error");
        response.set_header("Retry-After", "17");
    };
    expect_released("429, rate_limit_reached_error: as the test says");
    EXPECT_EQ(gate(), "closed");
    EXPECT_EQ(closed_for(), "17000");
    EXPECT_NE(query("SELECT reason FROM gate").find("rate_limit_reached_error"), std::string::npos);
    clock->advance(Ms{16'999});
    EXPECT_FALSE(run());
    answer = answer_well;
    clock->advance(Ms{1});
    EXPECT_TRUE(run());
    EXPECT_EQ(deliveries(), "1 released, 1 acked");
    EXPECT_EQ(gate(), "open");
}

TEST_F(MoonshotCalls, RateLimitsCloseTheGateForRetryAfterAsADate) {
    answer = [&](const httplib::Request&, httplib::Response& response) {
        answer_error(response, 429, "engine_overloaded_error");
        // FakeClock begins at 1 800 000 000 s.
        response.set_header("Retry-After", "Fri, 15 Jan 2027 08:01:00 GMT");
    };
    expect_released("engine_overloaded_error");
    EXPECT_EQ(closed_for(), "60000");
}

TEST_F(MoonshotCalls, RateLimitsWithoutRetryAfterCloseTheGateForAWhile) {
    answer = [](const httplib::Request&, httplib::Response& response) { response.status = 429; };
    expect_released("HTTP 429");
    EXPECT_EQ(closed_for(), std::to_string(rate_limit_pause.count()));
}

// A server whose clock is behind names a time that is over.
TEST_F(MoonshotCalls, RateLimitsAreObeyedForASecondAtLeast) {
    std::string when = "0";
    answer = [&](const httplib::Request&, httplib::Response& response) {
        answer_error(response, 429, "rate_limit_reached_error");
        response.set_header("Retry-After", when);
    };
    expect_released("rate_limit_reached_error");
    EXPECT_EQ(closed_for(), "1000");
    clock->advance(Ms{1'000});
    when = "Wed, 21 Oct 2015 07:28:00 GMT";
    EXPECT_TRUE(run());
    EXPECT_EQ(closed_for(), "1000");
}

TEST_F(MoonshotCalls, QuotaAndAWrongKeyCloseTheGateUntilItIsReopened) {
    answer = [](const httplib::Request&, httplib::Response& response) {
        answer_error(response, 401, "invalid_authentication_error",
                     std::string("Incorrect API key provided: ") + secret);
    };
    expect_released("invalid_authentication_error: Incorrect API key provided: ***");
    EXPECT_EQ(gate(), "closed");
    EXPECT_EQ(closed_for(), "");
    clock->advance(Ms{24 * 3600'000});
    EXPECT_FALSE(run());
    answer = [](const httplib::Request&, httplib::Response& response) {
        answer_error(response, 429, "exceeded_current_quota_error");
    };
    put(4, 1);
    Admin(*queue).resume("test");
    EXPECT_TRUE(run());
    EXPECT_EQ(closed_for(), "");
    EXPECT_NE(query("SELECT reason FROM gate").find("quota"), std::string::npos);
}

TEST_F(MoonshotCalls, PartOfTheKeyIsNotRepeatedEither) {
    answer = [](const httplib::Request&, httplib::Response& response) {
        answer_error(response, 401, "incorrect_api_key_error",
                     std::string("key ") + std::string(secret).substr(0, 8) + "...xwvut is wrong");
    };
    expect_released("key ***...xwvut is wrong");
}

// Where the message is cut, the part of the key before the cut is hidden too.
TEST_F(MoonshotCalls, AKeyThatIsCutOffIsHiddenToo) {
    answer = [](const httplib::Request&, httplib::Response& response) {
        response.set_content("<html>" + std::string(90, 'y') + ' ' + secret, "text/html");
    };
    put(1, 1);
    EXPECT_TRUE(run());
    EXPECT_NE(error().find("yyy ***"), std::string::npos) << error();
    EXPECT_EQ((error() + log.str()).find(std::string(secret).substr(8, 8)), std::string::npos);
}

TEST_F(MoonshotCalls, AKeyThatTheModelRepeatsIsNotKept) {
    answer = [](const httplib::Request&, httplib::Response& response) {
        json one = location("k1");
        one["city"] = secret;
        one["reason"] = std::string("asked with ") + secret;
        response.set_content(completion_of(json::array({one})), "application/json");
    };
    put(1, 1);
    EXPECT_TRUE(run());
    EXPECT_EQ(outcomes(), "resolved 1");
    EXPECT_EQ(query("SELECT CAST(result AS TEXT) LIKE '%asked with ***%' FROM outcomes"), "1");
}

TEST_F(MoonshotCalls, AServerErrorIsReleasedWithBackoff) {
    answer = [](const httplib::Request&, httplib::Response& response) { response.status = 500; };
    expect_released("HTTP 500");
    EXPECT_EQ(gate(), "open");
    EXPECT_EQ(query("SELECT failures FROM gate"), "1");
    clock->advance(Ms{1'000});
    EXPECT_TRUE(run());
    // The second failure in a row waits 1 to 2 s.
    const auto wait = std::stoll(query("SELECT not_before FROM batches")) -
                      clock->wall().time_since_epoch().count();
    EXPECT_GE(wait, 1'000);
    EXPECT_LE(wait, 2'000);
    EXPECT_EQ(attempts_charged(), "0");
}

TEST_F(MoonshotCalls, ABadRequestIsNacked) {
    answer = [](const httplib::Request&, httplib::Response& response) {
        answer_error(response, 400, "invalid_request_error");
    };
    expect_nacked("HTTP 400, invalid_request_error");
}

TEST_F(MoonshotCalls, NonsenseOfTheModelIsNacked) {
    answer = [](const httplib::Request&, httplib::Response& response) {
        response.set_content(completion("{\"locations\": [{\"key\": \"k1\", \"lat"),
                             "application/json");
    };
    expect_nacked("no JSON");
    EXPECT_EQ(query("SELECT failures FROM gate"), "0");
}

TEST_F(MoonshotCalls, HtmlIsNoAnswer) {
    answer = [](const httplib::Request&, httplib::Response& response) {
        response.set_content("<html><body>Sign in</body></html>", "text/html");
    };
    expect_released("without a chat completion: <html>");
}

TEST_F(MoonshotCalls, AnEmptyBodyIsNoAnswer) {
    answer = [](const httplib::Request&, httplib::Response&) {};
    expect_released("without a chat completion: empty");
}

TEST_F(MoonshotCalls, TruncatedJsonIsNoAnswer) {
    answer = [](const httplib::Request& request, httplib::Response& response) {
        httplib::Response whole;
        answer_well(request, whole);
        response.set_content(whole.body.substr(0, whole.body.size() / 2), "application/json");
    };
    expect_released("without a chat completion");
}

TEST_F(MoonshotCalls, AServerThatClosesIsReleased) {
    const RawServer closing("", RawServer::Then::close);
    settings.base_url = closing.address();
    expect_released("127.0.0.1");
}

TEST_F(MoonshotCalls, AnAnswerThatBreaksOffIsReleased) {
    const RawServer partial(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
        "{\"choices\":",
        RawServer::Then::close);
    settings.base_url = partial.address();
    expect_released("127.0.0.1");
}

TEST_F(MoonshotCalls, AnEndlessAnswerIsReleasedAtItsLimit) {
    const RawServer endless("HTTP/1.1 200 OK\r\n\r\n" + std::string(1 << 20, ' '),
                            RawServer::Then::endless);
    settings.base_url = endless.address();
    expect_released("more than 2097152 bytes");
}

TEST_F(MoonshotCalls, NobodyThereIsReleased) {
    {
        const RawServer gone("", RawServer::Then::close);
        settings.base_url = gone.address();
    }
    expect_released("127.0.0.1");
}

TEST_F(MoonshotCalls, AServerThatNeverAnswersIsCutByAStop) {
    const RawServer silent("", RawServer::Then::hold);
    settings.base_url = silent.address();
    settings.call_timeout = Ms{60'000};
    put(1, 3);
    std::stop_source stop;
    auto done = std::async(std::launch::async, [&] { return run(stop.get_token()); });
    while (silent.connections() == 0) std::this_thread::yield();
    stop.request_stop();
    EXPECT_TRUE(done.get());
    EXPECT_EQ(deliveries(), "1 released");
    EXPECT_EQ(attempts_charged(), "0");
    EXPECT_EQ(waiting(), "3");
    expect_sound();
}

TEST_F(MoonshotCalls, AnAnswerOverTheLengthSplitsTheBatch) {
    answer = [](const httplib::Request& request, httplib::Response& response) {
        if (alerts_of(request).size() > 2) {
            response.set_content(completion("{\"locations\": [", "length"), "application/json");
        } else {
            answer_well(request, response);
        }
    };
    put(1, 4);
    EXPECT_TRUE(run());
    EXPECT_EQ(deliveries(), "1 split");
    EXPECT_TRUE(run());
    EXPECT_TRUE(run());
    EXPECT_EQ(outcomes(), "resolved 4");
    EXPECT_EQ(query("SELECT count(*) FROM attempts WHERE outcome = 'acked' AND items = 2"), "2");
    expect_sound();
}

TEST_F(MoonshotCalls, ARequestThatIsTooLargeIsSplitDownToOne) {
    answer = [](const httplib::Request&, httplib::Response& response) { response.status = 413; };
    options.attempts_max = 3;
    options.backoff_base = Ms{0};
    put(1, 2);
    for (int i = 0; i < 20 && run(); ++i) clock->advance(Ms{1'000});
    EXPECT_EQ(waiting(), "0");
    EXPECT_EQ(outcomes(), "abandoned 2");
    EXPECT_EQ(query("SELECT count(*) FROM attempts WHERE outcome = 'split'"), "1");
    EXPECT_EQ(query("SELECT max(items) FROM attempts WHERE outcome <> 'split'"), "1");
    EXPECT_EQ(gate(), "open");
    expect_sound();
}

TEST_F(MoonshotCalls, AnItemThatIsNoAlertIsRejectedAlone) {
    put(1, 2);
    ASSERT_EQ(queue->enqueue({.key = "odd", .payload = "no alert", .tracking = Tracking::tracked}),
              Enqueued::stored);
    EXPECT_TRUE(run());
    EXPECT_EQ(outcomes(), "rejected 1, resolved 2");
    expect_sound();
}

TEST_F(MoonshotCalls, ARedirectIsNotFollowedWithTheKey) {
    std::atomic<int> asked{0};
    HttpServer elsewhere([&](const httplib::Request&, httplib::Response&) { ++asked; });
    answer = [&](const httplib::Request&, httplib::Response& response) {
        response.set_redirect(elsewhere.address("/v1/chat/completions"), 307);
    };
    expect_released("HTTP 307");
    EXPECT_EQ(closed_for(), "");
    EXPECT_EQ(asked, 0);
}

TEST_F(MoonshotCalls, TheBreakerTripsTriesOneBatchAndReopens) {
    answer = [](const httplib::Request&, httplib::Response& response) { response.status = 502; };
    options.batch_items_max = 2;
    put(1, 8);
    EXPECT_TRUE(run());
    EXPECT_TRUE(run());
    EXPECT_EQ(gate(), "open");
    EXPECT_TRUE(run());
    EXPECT_EQ(gate(), "closed");
    EXPECT_EQ(closed_for(), "30000");
    EXPECT_FALSE(run());
    clock->advance(Ms{30'000});
    // One trial, which fails: closed for twice as long.
    EXPECT_TRUE(run());
    EXPECT_FALSE(run());
    EXPECT_EQ(server.requests().size(), 4);
    EXPECT_EQ(closed_for(), "60000");
    answer = answer_well;
    clock->advance(Ms{60'000});
    EXPECT_TRUE(run());
    EXPECT_EQ(gate(), "open");
    while (run()) clock->advance(Ms{1});
    EXPECT_EQ(outcomes(), "resolved 8");
    EXPECT_EQ(attempts_charged(), "4");
    expect_sound();
}

// The service is down for an hour while alerts come in every minute.
TEST_F(MoonshotCalls, AfterAnHourOfOutageAllThatIsYoungEnoughIsLocatedInOrder) {
    options.batch_items_max = 5;
    answer = [](const httplib::Request&, httplib::Response& response) { response.status = 503; };
    int put_so_far = 0;
    for (int minute = 0; minute < 60; ++minute) {
        put(++put_so_far, 1);
        for (int i = 0; i < 6; ++i) {
            (void)run();
            clock->advance(Ms{10'000});
        }
    }
    EXPECT_EQ(attempts_charged(), "0");
    EXPECT_EQ(outcomes(), "");
    const std::size_t asked_in_vain = server.requests().size();
    EXPECT_LT(asked_in_vain, 20) << "the breaker keeps the service from being asked";

    std::vector<std::string> located;
    answer = [&](const httplib::Request& request, httplib::Response& response) {
        for (const auto& alert : alerts_of(request)) located.push_back(alert.at("key"));
        answer_well(request, response);
    };
    // Up to the longest time that the breaker stays closed; by then more are too old.
    for (int i = 0; i < 900 && waiting() != "0"; ++i) {
        (void)run();
        clock->advance(Ms{1'000});
        (void)queue->cleanup();
    }
    EXPECT_EQ(waiting(), "0");
    EXPECT_EQ(gate(), "open");
    const auto expired = std::stoul(query("SELECT expired FROM totals"));
    EXPECT_EQ(located.size() + expired, 60);
    EXPECT_LE(expired, 16);
    for (std::size_t i = 0; i < located.size(); ++i) {
        EXPECT_EQ(located[i], "k" + std::to_string(expired + i + 1));
    }
    EXPECT_EQ(query("SELECT count(*) FROM outcomes WHERE state = 'resolved'"),
              std::to_string(located.size()));
    expect_sound();
}

TEST(MoonshotResolver, ABaseUrlWithoutPathMeansTheFirstVersion) {
    EXPECT_EQ(completions_url("https://api.moonshot.ai/v1"),
              "https://api.moonshot.ai/v1/chat/completions");
    EXPECT_EQ(completions_url("http://127.0.0.1:8080"),
              "http://127.0.0.1:8080/v1/chat/completions");
    EXPECT_EQ(completions_url("http://127.0.0.1:8080/"),
              "http://127.0.0.1:8080/v1/chat/completions");
    EXPECT_EQ(completions_url("https://a.example/openai/"),
              "https://a.example/openai/chat/completions");
}

}  // namespace
}  // namespace headpond::ingest
