// The service's answer: whatever it says, what is acked was asked, is in range and is one line.
#include "feed/charset.h"
#include "fuzz_input.h"
#include "http/retry_after.h"
#include "location.h"
#include "moonshot/chat_answer.h"

#include <array>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

namespace headpond::fuzz {
namespace {

using namespace headpond::ingest;

// Read before the first input, whose time it would else count as.
const Gazetteer& gazetteer = Gazetteer::builtin();

void require_line(const std::string& text) {
    require(repair_utf8(text) == text, "text is UTF-8");
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        require(byte >= 0x20 && byte != 0x7f, "text has no control characters");
    }
}

void require_location(const std::string& result) {
    const auto location = from_result(result);
    if (!location) return;
    require(location->latitude >= -90 && location->latitude <= 90, "the latitude's bounds");
    require(location->longitude >= -180 && location->longitude <= 180, "the longitude's bounds");
    require(location->confidence == "medium" || location->confidence == "low", "the confidence");
    require(location->country.empty() || location->country.size() == 2, "the country's code");
    require_line(location->name);
    require_line(location->basis);
}

// The bytes as the model's words in a whole envelope.
std::string enveloped(const std::string& content) {
    return nlohmann::json{
        {"choices", {{{"message", {{"content", content}}}, {"finish_reason", "stop"}}}}}
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void run(Input input) {
    constexpr std::array<int, 10> statuses{200, 200, 200, 201, 302, 400, 401, 429, 500, 503};
    HttpResponse response;
    response.status = input.one_of(statuses);
    const bool words = input.flag();
    response.headers["retry-after"] = input.text();
    response.body = words ? enveloped(input.rest()) : input.rest();
    const std::set<std::string> keys{"a", "b"};
    const ChatAnswer answer =
        read_chat_answer(response, keys, gazetteer, WallTime{Ms{1'800'000'000'000}});

    std::set<std::string> acked;
    for (const Result& one : answer.acked) {
        require(keys.contains(one.key), "a key that was not asked");
        require(acked.insert(one.key).second, "a key is acked twice");
        require_location(one.result);
    }
    const bool answered = answer.verdict == ChatVerdict::answered;
    require(answered || acked.empty(), "acked without an answer");
    require(answer.error.empty() == (answered && acked == keys), "an error where something lacks");
    require_line(answer.error);
    require(answer.error.size() <= 400, "the error's bound");
    if (!answer.retry_after) return;
    require(*answer.retry_after >= Ms{0} && *answer.retry_after <= retry_after_max,
            "the bounds of Retry-After");
}

}  // namespace
}  // namespace headpond::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    headpond::fuzz::run({bytes, count});
    return 0;
}
