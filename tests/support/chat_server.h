// What a server of chat completions reads and says.
#pragma once

#include "support/http_server.h"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace headpond::test {

// The alerts of a request, each with its key, in their order.
inline nlohmann::json alerts_of(const httplib::Request& request) {
    const auto body = nlohmann::json::parse(request.body);
    const std::string content = body.at("messages").back().at("content");
    return nlohmann::json::parse(content).at("alerts");
}

inline nlohmann::json location(const std::string& key, double latitude = -6.2,
                               double longitude = 106.8) {
    return {{"key", key},        {"latitude", latitude}, {"longitude", longitude},
            {"city", "Jakarta"}, {"region", nullptr},    {"country", "ID"},
            {"confidence", 0.9}, {"reason", "title"}};
}

inline std::string completion(const std::string& content, const std::string& finish = "stop") {
    return nlohmann::json{{"id", "cmpl-1"},
                          {"object", "chat.completion"},
                          {"choices",
                           {{{"index", 0},
                             {"message", {{"role", "assistant"}, {"content", content}}},
                             {"finish_reason", finish}}}},
                          {"usage", {{"total_tokens", 100}}}}
        .dump();
}

inline std::string completion_of(const nlohmann::json& locations) {
    return completion(nlohmann::json{{"locations", locations}}.dump());
}

// Everything asked is in Jakarta.
inline void answer_well(const httplib::Request& request, httplib::Response& response) {
    auto locations = nlohmann::json::array();
    for (const auto& alert : alerts_of(request)) locations.push_back(location(alert.at("key")));
    response.set_content(completion_of(locations), "application/json");
}

inline void answer_error(httplib::Response& response, int status, const std::string& type,
                         const std::string& message = "as the test says") {
    response.status = status;
    response.set_content(nlohmann::json{{"error", {{"type", type}, {"message", message}}}}.dump(),
                         "application/json");
}

}  // namespace headpond::test
