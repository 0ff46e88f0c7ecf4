#include "since.h"

#include "../headpond/times.h"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>

namespace headpond::ingest {

namespace {

constexpr Ms back_max = std::chrono::days{3'652};

std::optional<Ms> unit_of(char letter) {
    switch (letter) {
        case 's':
            return std::chrono::seconds{1};
        case 'm':
            return std::chrono::minutes{1};
        case 'h':
            return std::chrono::hours{1};
        case 'd':
            return std::chrono::days{1};
        default:
            return std::nullopt;
    }
}

std::optional<Ms> parse_duration(std::string_view text) {
    if (text.size() < 2 || text.front() < '0' || text.front() > '9') return std::nullopt;
    const auto unit = unit_of(text.back());
    std::int64_t count = 0;
    const char* const end = text.data() + text.size() - 1;
    const auto [read, error] = std::from_chars(text.data(), end, count);
    if (!unit || error != std::errc{} || read != end || count > back_max / *unit) {
        return std::nullopt;
    }
    return count * *unit;
}

}  // namespace

std::optional<Since> parse_since(std::string_view text) {
    if (const auto back = parse_duration(text)) return Since{.back = *back};
    constexpr std::string_view date = "2026-11-24";
    std::string time(text);
    if (text.size() == date.size()) time += "T00:00:00Z";
    const auto at = cli::parse_iso(time);
    return at ? std::optional(Since{.at = at}) : std::nullopt;
}

}  // namespace headpond::ingest
