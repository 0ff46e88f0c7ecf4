#include "http/retry_after.h"

#include <algorithm>
#include <charconv>
#include <string>

#include <curl/curl.h>

namespace headpond::ingest {

namespace {

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

Ms seconds_of(std::string_view digits) {
    long seconds = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (error != std::errc{} || seconds > retry_after_max.count() / 1000) return retry_after_max;
    return Ms{seconds * 1000};
}

}  // namespace

std::optional<Ms> parse_retry_after(std::string_view value, WallTime now) {
    const std::string_view text = trimmed(value);
    if (text.empty()) return std::nullopt;
    if (std::all_of(text.begin(), text.end(), is_digit)) return seconds_of(text);
    // curl_getdate reads "-5" as a date; HTTP's three forms begin with the weekday.
    if (is_digit(text.front()) || text.front() == '-' || text.front() == '+') return std::nullopt;
    const std::time_t at = curl_getdate(std::string(text).c_str(), nullptr);
    if (at < 0) return std::nullopt;
    const Ms left =
        std::chrono::duration_cast<Ms>(std::chrono::seconds{at}) - now.time_since_epoch();
    return std::clamp(left, Ms{0}, retry_after_max);
}

}  // namespace headpond::ingest
