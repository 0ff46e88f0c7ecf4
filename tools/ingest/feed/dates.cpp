#include "feed/dates.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <locale>
#include <sstream>
#include <string>
#include <utility>

#include <date/date.h>

namespace headpond::ingest {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

// As written, before its zone is known.
using LocalTime = date::sys_time<minutes>;

constexpr milliseconds leap_second{60'000};

// No date is longer; a longer text is not worth a stream.
constexpr std::size_t date_bytes_max = 100;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

std::string in_capitals(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return result;
}

// +hhmm, +hh:mm or +hh, either sign.
std::optional<minutes> numeric_offset(std::string_view text) {
    if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
    std::string digits(text.substr(1));
    if (digits.size() == 5 && digits[2] == ':') digits.erase(2, 1);
    if (digits.size() == 2) digits += "00";
    if (digits.size() != 4 || !std::all_of(digits.begin(), digits.end(), is_digit)) {
        return std::nullopt;
    }
    int number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (number / 100 > 23 || number % 100 > 59) return std::nullopt;
    const minutes offset{number / 100 * 60 + number % 100};
    return text.front() == '-' ? -offset : offset;
}

// What is east of Greenwich is positive. Empty is UTC. Names whose meaning differs by country (IST)
// are left out: no date is better than one that is hours off.
std::optional<minutes> zone_offset(std::string_view text) {
    static constexpr auto zones = std::to_array<std::pair<std::string_view, int>>({{"UT", 0},
                                                                                   {"UTC", 0},
                                                                                   {"GMT", 0},
                                                                                   {"EST", -5},
                                                                                   {"EDT", -4},
                                                                                   {"CST", -6},
                                                                                   {"CDT", -5},
                                                                                   {"MST", -7},
                                                                                   {"MDT", -6},
                                                                                   {"PST", -8},
                                                                                   {"PDT", -7},
                                                                                   {"BST", 1},
                                                                                   {"CET", 1},
                                                                                   {"CEST", 2},
                                                                                   {"JST", 9}});
    text = trimmed(text.substr(0, text.find('(')));  // RFC 822 allows a comment: +0800 (AWST)
    if (text.empty()) return minutes{0};
    if (!is_letter(text.front())) return numeric_offset(text);

    const auto name_end = std::find_if_not(text.begin(), text.end(), is_letter);
    const auto length = static_cast<std::size_t>(name_end - text.begin());
    const std::string name = in_capitals(text.substr(0, length));
    const std::string_view rest = trimmed(text.substr(length));
    if (name.size() == 1 && name != "J")
        return rest.empty() ? std::optional{minutes{0}} : std::nullopt;
    const auto zone = std::find_if(zones.begin(), zones.end(),
                                   [&](const auto& row) { return row.first == name; });
    if (zone == zones.end()) return std::nullopt;
    if (rest.empty()) return minutes{zone->second * 60};
    return zone->second == 0 ? numeric_offset(rest) : std::nullopt;  // GMT+0200
}

// Takes `:47` or `:47.250` off the front; no seconds are zero. Not left to date::parse: its %S
// computes with an uninitialised number when the text has none. nullopt when `:` has no second.
std::optional<milliseconds> take_seconds(std::string_view& text) {
    if (!text.starts_with(':')) return milliseconds{0};
    if (text.size() < 3 || !is_digit(text[1]) || !is_digit(text[2])) return std::nullopt;
    milliseconds time{((text[1] - '0') * 10 + (text[2] - '0')) * 1000};
    if (time > leap_second) return std::nullopt;
    text.remove_prefix(3);
    if (!text.starts_with('.') && !text.starts_with(',')) return time;
    text.remove_prefix(1);
    for (int unit = 100; !text.empty() && is_digit(text.front()); unit /= 10) {
        time += milliseconds{(text.front() - '0') * unit};
        text.remove_prefix(1);
    }
    return time;
}

// RFC 2822, section 4.3: two digits below 50 are 20xx, two or three digits otherwise 19xx.
LocalTime with_full_year(LocalTime time) {
    const auto day = date::floor<date::days>(time);
    date::year_month_day date{day};
    const int year = static_cast<int>(date.year());
    if (year < 0 || year > 999) return time;
    date = date::year{year < 50 ? year + 2000 : year + 1900} / date.month() / date.day();
    // 29 February 00 was read in year 0; the year 2000 is a leap year too, but 1900 is not.
    if (!date.ok()) return time;
    return date::sys_days{date} + (time - day);
}

// Reads the local time by the first format that fits; what is left over must be seconds and zone.
std::optional<WallTime> by_formats(const std::string& text,
                                   std::initializer_list<const char*> formats, bool short_years) {
    for (const char* format : formats) {
        std::istringstream stream(text);
        stream.imbue(std::locale::classic());
        LocalTime time;
        if (!(stream >> date::parse(format, time))) continue;
        std::string line;
        std::getline(stream, line);
        std::string_view rest = line;
        const auto seconds = take_seconds(rest);
        const auto offset = zone_offset(rest);
        if (short_years) time = with_full_year(time);
        if (seconds && offset) return time - *offset + *seconds;
    }
    return std::nullopt;
}

// Drops the weekday, which some feeds write wrongly and which says nothing.
std::string_view without_weekday(std::string_view text) {
    const auto name_end = std::find_if_not(text.begin(), text.end(), is_letter);
    text.remove_prefix(static_cast<std::size_t>(name_end - text.begin()));
    if (!text.empty() && (text.front() == ',' || text.front() == '.')) text.remove_prefix(1);
    return trimmed(text);
}

}  // namespace

std::optional<WallTime> parse_date(std::string_view given) {
    given = trimmed(given);
    if (given.empty() || given.size() > date_bytes_max) return std::nullopt;
    const bool iso = given.size() >= 10 &&
                     std::all_of(given.begin(), given.begin() + 4, is_digit) && given[4] == '-' &&
                     given[7] == '-';
    std::string text(iso ? given : without_weekday(given));
    if (iso && text.size() > 10 && (text[10] == 'T' || text[10] == 't')) text[10] = ' ';

    const auto time =
        iso ? by_formats(text, {"%Y-%m-%d %H:%M", "%Y-%m-%d"}, false)
            : by_formats(text, {"%d %b %Y %H:%M", "%d-%b-%Y %H:%M", "%d %b %Y"}, true);
    if (!time) return std::nullopt;
    using date::literals::operator""_y;
    const auto year = date::year_month_day{date::floor<date::days>(*time)}.year();
    if (year < 1900_y || year > 9999_y) return std::nullopt;
    return time;
}

}  // namespace headpond::ingest
