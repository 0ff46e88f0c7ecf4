#include "arguments.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace headpond::cli {

namespace {

UsageError bad(std::string_view what, std::string_view text, const std::string& allowed) {
    return UsageError(std::string(what) + " is " + shown(text) + "; allowed: " + allowed);
}

std::optional<std::int64_t> digits(std::string_view text) {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

std::optional<Ms> milliseconds(std::string_view text, Ms most) {
    constexpr std::int64_t second = 1000;
    const auto point = text.find('.');
    const auto whole = digits(text.substr(0, point));
    if (!whole || *whole > most.count() / second) return std::nullopt;
    Ms value{*whole * second};
    if (point == std::string_view::npos) return value;
    std::string decimals(text.substr(point + 1));
    if (decimals.empty()) return std::nullopt;
    while (decimals.size() > 3 && decimals.back() == '0') decimals.pop_back();
    if (decimals.size() > 3) return std::nullopt;
    decimals.resize(3, '0');
    const auto rest = digits(decimals);
    if (!rest) return std::nullopt;
    return value + Ms{*rest};
}

void check_text(std::string_view what, std::string_view text, std::size_t least, std::size_t most) {
    const auto fail = [&](const std::string& wrong) {
        throw UsageError(std::string(what) + " " + wrong + "; allowed: " + std::to_string(least) +
                         " to " + std::to_string(most) + " bytes of UTF-8 without NUL");
    };
    if (text.size() < least) fail("is empty");
    if (text.size() > most) fail("has " + std::to_string(text.size()) + " bytes");
    if (text.find('\0') != std::string_view::npos) fail("contains a NUL byte");
    if (!is_utf8(text)) fail("is not UTF-8");
}

}  // namespace

std::string seconds_text(Ms value) {
    std::string text = std::to_string(value.count() / 1000);
    if (value.count() % 1000 == 0) return text;
    std::string decimals = std::to_string(value.count() % 1000 + 1000).substr(1);
    while (decimals.back() == '0') decimals.pop_back();
    return text + "." + decimals;
}

std::int64_t parse_count(std::string_view what, std::string_view text, std::int64_t least,
                         std::int64_t most) {
    const auto value = digits(text);
    if (!value || *value < least || *value > most) {
        throw bad(what, text,
                  "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return *value;
}

std::int64_t parse_id(std::string_view what, std::string_view text) {
    return parse_count(what, text, 1, std::numeric_limits<std::int64_t>::max());
}

Ms parse_seconds(std::string_view what, std::string_view text, Ms least, Ms most) {
    const auto value = milliseconds(text, most);
    if (!value || *value < least || *value > most) {
        throw bad(what, text,
                  "seconds from " + seconds_text(least) + " to " + seconds_text(most) +
                      ", up to three decimals");
    }
    return *value;
}

void check_key(std::string_view what, std::string_view text) {
    check_text(what, text, 1, 1024);
}
void check_tag(std::string_view what, std::string_view text) {
    check_text(what, text, 0, 256);
}
void check_reason(std::string_view what, std::string_view text) {
    check_text(what, text, 0, 1000);
}

void check_token(std::string_view text) {
    const auto dash = text.find('-');
    const auto id = digits(text.substr(0, dash));
    const auto tail = dash == std::string_view::npos ? "" : text.substr(dash + 1);
    const bool hex =
        tail.size() == 16 && tail.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (!id || *id < 1 || !hex) {
        throw bad("TOKEN", text,
                  "a batch id, a dash and 16 hexadecimal digits, as `headpond lease` printed it");
    }
}

}  // namespace headpond::cli
