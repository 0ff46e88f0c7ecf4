#include "moonshot/api_error.h"

#include "feed/fold.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace headpond::ingest {

namespace {

using nlohmann::json;

struct Known {
    std::string_view type;
    ChatVerdict verdict;
};
constexpr std::array known_types{
    Known{"rate_limit_reached_error", ChatVerdict::rate_limited},
    Known{"engine_overloaded_error", ChatVerdict::rate_limited},
    Known{"rate_limit_error", ChatVerdict::rate_limited},
    Known{"rate_limit_exceeded", ChatVerdict::rate_limited},
    Known{"overloaded_error", ChatVerdict::rate_limited},
    Known{"exceeded_current_quota_error", ChatVerdict::refused},
    Known{"insufficient_quota", ChatVerdict::refused},
    Known{"invalid_authentication_error", ChatVerdict::refused},
    Known{"incorrect_api_key_error", ChatVerdict::refused},
    Known{"authentication_error", ChatVerdict::refused},
    Known{"permission_denied_error", ChatVerdict::refused},
    Known{"resource_not_found_error", ChatVerdict::refused},
    Known{"content_filter", ChatVerdict::bad_request},
    Known{"invalid_request_error", ChatVerdict::bad_request},
    Known{"server_error", ChatVerdict::unavailable},
    Known{"unexpected_output", ChatVerdict::unavailable},
};

const Known* find_known(std::string_view name) {
    const auto* found = std::find_if(known_types.begin(), known_types.end(),
                                     [&](const Known& known) { return known.type == name; });
    return found == known_types.end() ? nullptr : found;
}

}  // namespace

std::string text_member(const json& object, const char* name) {
    if (!object.is_object()) return {};
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

ApiError read_api_error(const json& body) {
    if (!body.is_object()) return {};
    const auto found = body.find("error");
    if (found == body.end()) return {};
    if (found->is_string()) return {.message = found->get<std::string>()};
    if (!found->is_object()) return {};
    return {.type = text_member(*found, "type"),
            .code = text_member(*found, "code"),
            .message = text_member(*found, "message")};
}

ChatVerdict verdict_of(int status, const ApiError& error) {
    // Servers of other makes call a wrong key, an unknown model or a long text an invalid request.
    if (status == 401 || status == 402 || status == 404) return ChatVerdict::refused;
    if (status == 413) return ChatVerdict::cut_short;
    for (const std::string& name : {error.type, error.code}) {
        if (const Known* known = find_known(name)) return known->verdict;
    }
    if (status == 429) return ChatVerdict::rate_limited;
    if (status == 403 || (status >= 300 && status < 400)) return ChatVerdict::refused;
    if (status == 408 || status == 425 || status >= 500) return ChatVerdict::unavailable;
    return status >= 400 ? ChatVerdict::bad_request : ChatVerdict::unavailable;
}

std::string line_of(int status, const ApiError& error) {
    std::string line = "HTTP " + std::to_string(status);
    const std::string& name = error.type.empty() ? error.code : error.type;
    if (!name.empty()) line += ", " + name;
    if (!error.message.empty()) line += ": " + error.message;
    return fold(line, 300);
}

}  // namespace headpond::ingest
