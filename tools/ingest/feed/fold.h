// Text as alerts and messages carry it: valid UTF-8, one line, no control characters, bounded.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace headpond::ingest {

/// Marks the place between two pieces of text that markup kept apart (table cells, paragraphs).
/// It is U+FDD0, which Unicode reserves for such internal use and which no text contains.
inline constexpr std::string_view piece_mark = "\xEF\xB7\x90";

/// Makes one line of UTF-8 text: malformed bytes become U+FFFD; runs of blanks, line ends and
/// control characters one space; C1 control characters the windows-1252 characters that were meant;
/// invisible and direction-changing characters vanish; a piece_mark between texts becomes "; ", or
/// a space after punctuation. A result over `bytes_max` bytes is cut at a character, at a blank
/// when one is near, and ends in an ellipsis within the limit. Throws nothing but std::bad_alloc.
std::string fold(std::string_view text, std::size_t bytes_max);

/// fold() to 120 bytes: what a message quotes of foreign text.
std::string for_message(std::string_view text);

}  // namespace headpond::ingest
