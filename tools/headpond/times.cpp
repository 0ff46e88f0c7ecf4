#include "times.h"

#include <cstdio>

namespace headpond::cli {

namespace {

// Reads a fixed layout from the left; after the first mismatch nothing matches any more.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : left_(text) {}

    int number(std::size_t digits) {
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            if (!next_is_digit()) return fail();
            value = value * 10 + (left_.front() - '0');
            left_.remove_prefix(1);
        }
        return value;
    }
    bool take(char wanted) {
        if (left_.empty() || left_.front() != wanted) return false;
        left_.remove_prefix(1);
        return true;
    }
    void expect(char wanted) {
        if (!take(wanted)) fail();
    }
    // The decimals of a second, as milliseconds.
    int milliseconds() {
        int value = 0, scale = 100;
        if (!next_is_digit()) return fail();
        for (; next_is_digit(); left_.remove_prefix(1)) {
            value += (left_.front() - '0') * scale;
            scale /= 10;
        }
        return value;
    }
    [[nodiscard]] bool done() const { return ok_ && left_.empty(); }

  private:
    [[nodiscard]] bool next_is_digit() const {
        return !left_.empty() && left_.front() >= '0' && left_.front() <= '9';
    }
    int fail() {
        ok_ = false;
        left_ = {};
        return 0;
    }
    std::string_view left_;
    bool ok_ = true;
};

}  // namespace

std::string iso_time(WallTime time) {
    const auto days = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{days};
    const std::chrono::hh_mm_ss clock{time - days};
    char text[64];
    std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text;
}

std::optional<WallTime> parse_iso(std::string_view text) {
    Scanner in(text);
    const int year = in.number(4);
    in.expect('-');
    const int month = in.number(2);
    in.expect('-');
    const int day = in.number(2);
    in.expect('T');
    const int hour = in.number(2);
    in.expect(':');
    const int minute = in.number(2);
    in.expect(':');
    const int second = in.number(2);
    const int millisecond = in.take('.') ? in.milliseconds() : 0;
    int offset = 0;
    if (!in.take('Z')) {
        const int sign = in.take('-') ? -1 : 1;
        if (sign > 0) in.expect('+');
        const int hours = in.number(2);
        in.expect(':');
        const int minutes = in.number(2);
        if (hours > 23 || minutes > 59) return std::nullopt;
        offset = sign * (hours * 60 + minutes);
    }
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!in.done() || year < 1970 || !date.ok() || hour > 23 || minute > 59 || second > 60) {
        return std::nullopt;
    }
    return WallTime{std::chrono::sys_days{date}} + std::chrono::hours{hour} +
           std::chrono::minutes{minute - offset} + std::chrono::seconds{second} + Ms{millisecond};
}

}  // namespace headpond::cli
