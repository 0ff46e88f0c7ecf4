// Text for people: what may be printed, and how wide it is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace headpond::cli {

// Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

// Control characters and malformed bytes become '?', so that text from a file can neither break a
// line nor steer a terminal.
[[nodiscard]] std::string one_line(std::string_view text);

// In quotes, on one line, cut to 60 bytes: for messages that show a value.
[[nodiscard]] std::string shown(std::string_view text);

// Columns that `text` (printable UTF-8) takes on a terminal; East Asian characters take two.
[[nodiscard]] std::size_t width_of(std::string_view text);
// `text` cut to at most `columns`, the last of them a '~' where something is missing.
[[nodiscard]] std::string cut_to(const std::string& text, std::size_t columns);

}  // namespace headpond::cli
