// The service's errors.
#pragma once

#include "moonshot/chat_answer.h"

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace headpond::ingest {

// A member that is a text; empty where there is none.
[[nodiscard]] std::string text_member(const nlohmann::json& object, const char* name);

// {"error": {"type", "code", "message"}} of a body, which may be no JSON; all empty where it has
// none.
struct ApiError {
    std::string type, code, message;
    [[nodiscard]] bool empty() const { return type.empty() && code.empty() && message.empty(); }
};
[[nodiscard]] ApiError read_api_error(const nlohmann::json& body);

// What an error says about the service. By its status where that leaves no doubt, else by its type
// (https://platform.kimi.ai/docs/api/errors, and the names that compatible servers use), else by
// its status.
[[nodiscard]] ChatVerdict verdict_of(int status, const ApiError& error);

// One line: "HTTP 429, rate_limit_reached_error: ...", of at most 300 bytes.
[[nodiscard]] std::string line_of(int status, const ApiError& error);

}  // namespace headpond::ingest
