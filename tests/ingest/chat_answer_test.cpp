#include "moonshot/chat_answer.h"

#include "location.h"
#include "support/chat_server.h"

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using nlohmann::json;
using test::completion;
using test::completion_of;
using test::location;

constexpr WallTime now{Ms{1'445'412'480'000}};  // Wed, 21 Oct 2015 07:28:00 GMT

ChatAnswer answer_to(HttpResponse response, const std::set<std::string>& keys) {
    return read_chat_answer(response, keys, Gazetteer::builtin(), now);
}
ChatAnswer answer_to(const std::string& body, const std::set<std::string>& keys = {"a", "b"}) {
    return answer_to(HttpResponse{.status = 200, .body = body}, keys);
}
// The one location of an answer, changed by `change`; nullopt: it was not taken, and the error
// says `words`.
std::optional<Location> read_one(const std::function<void(json&)>& change,
                                 const std::string& words = "") {
    json one = location("a");
    change(one);
    const ChatAnswer answer = answer_to(completion_of(json::array({one})), {"a"});
    EXPECT_EQ(answer.verdict, ChatVerdict::answered);
    if (answer.acked.empty()) {
        EXPECT_NE(answer.error.find(words), std::string::npos) << answer.error;
        return std::nullopt;
    }
    EXPECT_EQ(words, "");
    EXPECT_EQ(answer.error, "");
    return from_result(answer.acked.front().result);
}

TEST(ChatAnswer, AWholeAnswer) {
    const auto answer =
        answer_to(completion_of(json::array({location("b", 1.5, 2), location("a")})));
    EXPECT_EQ(answer.verdict, ChatVerdict::answered);
    EXPECT_EQ(answer.error, "");
    ASSERT_EQ(answer.acked.size(), 2);
    EXPECT_EQ(answer.acked[0].key, "b");
    const auto place = from_result(answer.acked[0].result);
    EXPECT_EQ(place->latitude, 1.5);
    EXPECT_EQ(place->longitude, 2);
    EXPECT_EQ(place->name, "Jakarta");
    EXPECT_EQ(place->country, "ID");
    EXPECT_EQ(place->method, "moonshot_batch");
    EXPECT_EQ(place->confidence, "medium");
    EXPECT_EQ(place->basis, "title");
}

TEST(ChatAnswer, MissingUnknownAndDoubledKeys) {
    const auto answer = answer_to(completion_of(
        json::array({location("a", 1, 1), location("z"), location("a", 2, 2), "text", json{}})));
    EXPECT_EQ(answer.verdict, ChatVerdict::answered);
    ASSERT_EQ(answer.acked.size(), 1);
    EXPECT_EQ(from_result(answer.acked[0].result)->latitude, 1);
    EXPECT_NE(answer.error.find("1 of 2 alerts"), std::string::npos) << answer.error;
    ASSERT_EQ(answer.remarks.size(), 2);
    EXPECT_NE(answer.remarks[0].find("3 keys that were not asked, the first 'z'"),
              std::string::npos)
        << answer.remarks[0];
    EXPECT_NE(answer.remarks[1].find("answered twice"), std::string::npos);
}

TEST(ChatAnswer, ConfidenceIsMediumAboveSevenTenthsElseLow) {
    EXPECT_EQ(read_one([](json& one) { one["confidence"] = 0.71; })->confidence, "medium");
    EXPECT_EQ(read_one([](json& one) { one["confidence"] = 0.7; })->confidence, "low");
    EXPECT_EQ(read_one([](json& one) { one["confidence"] = 0; })->confidence, "low");
    EXPECT_EQ(read_one([](json& one) { one["confidence"] = nullptr; })->confidence, "low");
    EXPECT_FALSE(read_one([](json& one) { one["confidence"] = 85; }, "confidence is 85"));
    EXPECT_FALSE(read_one([](json& one) { one["confidence"] = "high"; }, "confidence is no"));
}

TEST(ChatAnswer, CoordinatesMustBeInRange) {
    EXPECT_TRUE(read_one([](json& one) { one["latitude"] = -90; }));
    EXPECT_TRUE(read_one([](json& one) { one["longitude"] = 180; }));
    EXPECT_FALSE(read_one([](json& one) { one["latitude"] = 90.01; }, "latitude is 90.01"));
    EXPECT_FALSE(read_one([](json& one) { one["longitude"] = -181; }, "longitude is -181"));
    EXPECT_FALSE(read_one([](json& one) { one["latitude"] = "6.2 S"; }, "latitude is no number"));
    EXPECT_FALSE(read_one([](json& one) { one["latitude"] = nullptr; }, "one coordinate"));
    EXPECT_FALSE(read_one([](json& one) { one.erase("longitude"); }, "one coordinate"));
}

TEST(ChatAnswer, TheCountryMustBeKnown) {
    EXPECT_EQ(read_one([](json& one) { one["country"] = "id"; })->country, "ID");
    EXPECT_EQ(read_one([](json& one) { one["country"] = "Indonesia"; })->country, "ID");
    EXPECT_FALSE(read_one([](json& one) { one["country"] = "Atlantis"; },
                          "no country is called 'Atlantis'"));
    EXPECT_FALSE(read_one([](json& one) { one["country"] = "XQ"; }, "'XQ'"));
    EXPECT_FALSE(read_one([](json& one) { one["country"] = 62; }, "country is no text"));
    EXPECT_EQ(read_one([](json& one) { one["country"] = nullptr; })->country, "");
}

void without_position(json& one) {
    one["latitude"] = one["longitude"] = nullptr;
}

TEST(ChatAnswer, ACityWithoutCoordinatesIsGeocoded) {
    const auto place = read_one(without_position);
    EXPECT_NEAR(place->latitude, -6.2, 0.2);
    EXPECT_NEAR(place->longitude, 106.8, 0.2);
    EXPECT_EQ(place->method, "moonshot_batch");
    EXPECT_NE(place->basis.find("by the gazetteer"), std::string::npos);
    // Of the towns of one name, the one in the country.
    const auto perth = read_one([](json& one) {
        without_position(one);
        one["city"] = "Perth";
        one["country"] = "GB";
    });
    EXPECT_NEAR(perth->latitude, 56.4, 0.3);
    // Null Island is no position.
    EXPECT_NEAR(read_one([](json& one) { one["latitude"] = one["longitude"] = 0; })->latitude, -6.2,
                0.2);
}

TEST(ChatAnswer, ACityThatIsNowhereLeavesItsCountry) {
    const auto place = read_one([](json& one) {
        without_position(one);
        one["city"] = "Qwxyzville";
    });
    EXPECT_EQ(place->country, "ID");
    EXPECT_NE(place->latitude, 0);
    EXPECT_FALSE(read_one(
        [](json& one) {
            without_position(one);
            one["city"] = "Qwxyzville";
            one["country"] = nullptr;
        },
        "no place is called 'Qwxyzville'"));
}

TEST(ChatAnswer, AnAlertAboutNoPlaceIsAnsweredWithoutOne) {
    const auto none = [](json& one) { one = {{"key", "a"}, {"confidence", 0}}; };
    EXPECT_FALSE(read_one(none));
    json one;
    none(one);
    const auto answer = answer_to(completion_of(json::array({one})), {"a"});
    ASSERT_EQ(answer.acked.size(), 1);
    EXPECT_EQ(answer.acked[0].result, "");
}

TEST(ChatAnswer, HostileTextBecomesOneLine) {
    const auto place = read_one([](json& one) {
        one["city"] = "A\n\x1b[2JB" + std::string(5000, 'x');
        one["reason"] = "\r\n\x07";
    });
    EXPECT_EQ(place->name.find_first_of("\n\x1b"), std::string::npos);
    EXPECT_LE(place->name.size(), 200);
}

TEST(ChatAnswer, FencesAndABareListAreUnderstood) {
    const std::string list = json::array({location("a"), location("b")}).dump();
    EXPECT_EQ(answer_to(completion("```json\n" + list + "\n```")).acked.size(), 2);
    EXPECT_EQ(answer_to(completion("Here you are:\n```\n{\"locations\":" + list + "}\n```\n"))
                  .acked.size(),
              2);
    EXPECT_EQ(answer_to(completion(list)).acked.size(), 2);
    EXPECT_EQ(answer_to(completion("{\"note\":\"\",\"results\":" + list + "}")).acked.size(), 2);
    EXPECT_EQ(answer_to(completion("{\"a\":" + list + ",\"b\":" + list + "}")).verdict,
              ChatVerdict::bad_request);
}

TEST(ChatAnswer, FencesInsideAReasonAreText) {
    json one = location("a");
    one["reason"] = "after ```quoted``` words";
    const std::string content = json{{"locations", json::array({one, one})}}.dump(1);
    EXPECT_EQ(answer_to(completion(content), {"a"}).acked.size(), 1);
}

TEST(ChatAnswer, NonsenseOfTheModelIsABadAnswer) {
    for (const char* content : {"", "I can not help with that", "{\"locations\": [{\"key\": \"a\"",
                                "{}", "42", "null", "{\"locations\": 3}"}) {
        const auto answer = answer_to(completion(content));
        EXPECT_EQ(answer.verdict, ChatVerdict::bad_request) << content;
        EXPECT_NE(answer.error, "") << content;
    }
    EXPECT_EQ(answer_to(completion("", "content_filter")).verdict, ChatVerdict::bad_request);
    EXPECT_EQ(answer_to(completion_of(json::array())).acked.size(), 0);
}

TEST(ChatAnswer, LengthAndTooLargeAreCutShort) {
    EXPECT_EQ(answer_to(completion("{\"locations\": [", "length")).verdict, ChatVerdict::cut_short);
    EXPECT_EQ(answer_to(HttpResponse{.status = 413}, {"a"}).verdict, ChatVerdict::cut_short);
}

TEST(ChatAnswer, WhatIsNoCompletionIsNoAnswer) {
    for (const char* body : {"", "<html>proxy</html>", "{\"choices\": [{\"mess", "[]", "{}",
                             "{\"choices\": []}", "{\"choices\": [7]}", "{\"choices\": [{}]}"}) {
        const auto answer = answer_to(body);
        EXPECT_EQ(answer.verdict, ChatVerdict::unavailable) << body;
        EXPECT_EQ(answer.error.find('\n'), std::string::npos);
    }
}

TEST(ChatAnswer, ErrorsByTheirTypeThenByTheirStatus) {
    struct Case {
        int status;
        const char* type;
        ChatVerdict verdict;
    };
    using enum ChatVerdict;
    for (const auto& [status, type, verdict] :
         {Case{429, "rate_limit_reached_error", rate_limited},
          Case{429, "engine_overloaded_error", rate_limited},
          Case{503, "engine_overloaded_error", rate_limited},
          Case{429, "", rate_limited},
          Case{429, "exceeded_current_quota_error", refused},
          Case{403, "exceeded_current_quota_error", refused},
          Case{401, "invalid_authentication_error", refused},
          Case{401, "", refused},
          Case{401, "invalid_request_error", refused},
          Case{403, "", refused},
          Case{404, "resource_not_found_error", refused},
          Case{302, "", refused},
          Case{400, "invalid_request_error", bad_request},
          Case{400, "content_filter", bad_request},
          Case{413, "invalid_request_error", cut_short},
          Case{422, "", bad_request},
          Case{400, "", bad_request},
          Case{500, "server_error", unavailable},
          Case{500, "", unavailable},
          Case{502, "", unavailable},
          Case{408, "", unavailable},
          Case{200, "server_error", unavailable},
          Case{200, "rate_limit_reached_error", rate_limited}}) {
        const std::string body =
            *type == '\0' ? "" : json{{"error", {{"type", type}, {"message", "m\nm"}}}}.dump();
        const auto answer = answer_to(HttpResponse{.status = status, .body = body}, {"a"});
        EXPECT_EQ(answer.verdict, verdict) << status << ' ' << type;
        EXPECT_NE(answer.error.find(std::to_string(status)), std::string::npos);
        EXPECT_NE(answer.error.find(type), std::string::npos);
        EXPECT_EQ(answer.error.find('\n'), std::string::npos);
    }
}

TEST(ChatAnswer, RetryAfterIsReadAsSecondsAndAsADate) {
    HttpResponse response{.status = 429, .headers = {{"retry-after", "7"}}};
    EXPECT_EQ(answer_to(response, {"a"}).retry_after, Ms{7'000});
    response.headers["retry-after"] = "Wed, 21 Oct 2015 07:28:30 GMT";
    EXPECT_EQ(answer_to(response, {"a"}).retry_after, Ms{30'000});
    response.headers["retry-after"] = "soon";
    EXPECT_EQ(answer_to(response, {"a"}).retry_after, std::nullopt);
}

TEST(ChatAnswer, AnUnavailableServiceThatNamesItsTimeIsOverloaded) {
    HttpResponse response{.status = 503};
    EXPECT_EQ(answer_to(response, {"a"}).verdict, ChatVerdict::unavailable);
    response.headers["retry-after"] = "7";
    EXPECT_EQ(answer_to(response, {"a"}).verdict, ChatVerdict::rate_limited);
}

}  // namespace
}  // namespace headpond::ingest
