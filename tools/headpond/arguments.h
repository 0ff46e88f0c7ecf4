// Values as people type them, checked: every failure names the value and what is allowed.
#pragma once

#include "utf8.h"

#include <headpond/clock.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace headpond::cli {

// Bad input; what() is the line for stderr.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// `what` names the value in the message ("--max", "N"). Plain decimal digits, no sign.
[[nodiscard]] std::int64_t parse_count(std::string_view what, std::string_view text,
                                       std::int64_t least, std::int64_t most);
// The id of an item or a batch.
[[nodiscard]] std::int64_t parse_id(std::string_view what, std::string_view text);
// Seconds, decimals allowed down to the millisecond; finer ones are refused, not rounded.
[[nodiscard]] Ms parse_seconds(std::string_view what, std::string_view text, Ms least, Ms most);

// The bounds of a key and of a tag, as NewItem states them; reasons are kept as short as errors.
void check_key(std::string_view what, std::string_view text);
void check_tag(std::string_view what, std::string_view text);
void check_reason(std::string_view what, std::string_view text);
// A batch id, a dash and 16 hexadecimal digits.
void check_token(std::string_view text);

// "0.25", "10": what parse_seconds would read.
[[nodiscard]] std::string seconds_text(Ms value);

constexpr Ms day{24 * 3600 * 1000};

}  // namespace headpond::cli
