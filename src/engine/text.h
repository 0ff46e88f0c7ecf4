// Small text helpers without dependencies.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace headpond::engine {

// Well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF: RFC 3629).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;
// At most `bytes_max` bytes, cut between characters; NUL and malformed bytes become '?', so that
// every error kept in the file can be read in the shell.
[[nodiscard]] std::string clean(std::string_view text, std::size_t bytes_max);

}  // namespace headpond::engine
