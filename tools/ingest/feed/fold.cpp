#include "feed/fold.h"

#include "feed/charset.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace headpond::ingest {
namespace {

constexpr std::string_view ellipsis = "\u2026";
constexpr std::size_t message_bytes_max = 120;
// How far back from the limit a blank is looked for.
constexpr std::size_t blank_search_bytes = 40;

enum class Kind { keep, blank, drop, mark };

// windows-1252 in 0x80 to 0x9F; 0 where it has no character.
constexpr std::array<char32_t, 32> windows_1252 = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

Kind kind_of(char32_t c) {
    if (c <= 0x20 || c == 0x7F || c == 0xA0 || c == 0x1680 || c == 0x2028 || c == 0x2029 ||
        c == 0x202F || c == 0x205F || c == 0x3000 || (c >= 0x2000 && c <= 0x200A)) {
        return Kind::blank;
    }
    if (c == 0xFDD0) return Kind::mark;
    // U+200C and U+200D stay: Persian and the Indian scripts spell with them.
    const bool invisible = c == 0xAD || c == 0x200B || c == 0x2060 || c == 0xFEFF;
    const bool direction =
        c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    const bool noncharacter = (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
    return invisible || direction || noncharacter ? Kind::drop : Kind::keep;
}

// Takes the first character off text that is known to be valid UTF-8.
char32_t take(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t c = length == 1 ? lead : lead & (0x7Fu >> length);
    for (std::size_t i = 1; i < length && i < text.size(); ++i) {
        c = (c << 6) | (static_cast<unsigned char>(text[i]) & 0x3Fu);
    }
    text.remove_prefix(std::min(length, text.size()));
    return c;
}

void append(std::string& out, char32_t c) {
    const auto byte = [&](char32_t value) { out += static_cast<char>(value); };
    if (c < 0x80) {
        byte(c);
    } else if (c < 0x800) {
        byte(0xC0 | (c >> 6));
        byte(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        byte(0xE0 | (c >> 12));
        byte(0x80 | ((c >> 6) & 0x3F));
        byte(0x80 | (c & 0x3F));
    } else {
        byte(0xF0 | (c >> 18));
        byte(0x80 | ((c >> 12) & 0x3F));
        byte(0x80 | ((c >> 6) & 0x3F));
        byte(0x80 | (c & 0x3F));
    }
}

bool is_punctuation(char32_t c) {
    static constexpr std::u32string_view marks =
        U".,;:!?-(/|\u2013\u2014\u2026\u3001\u3002\uFF01"
        U"\uFF0C\uFF1A\uFF1B\uFF1F";
    return marks.find(c) != std::u32string_view::npos;
}

void cut(std::string& text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return;
    const std::size_t room = bytes_max > ellipsis.size() ? bytes_max - ellipsis.size() : 0;
    std::size_t end = room;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    const std::size_t blank = text.rfind(' ', end);
    if (blank != std::string::npos && blank > 0 && end - blank <= blank_search_bytes) end = blank;
    text.resize(end);
    if (bytes_max >= ellipsis.size()) text += ellipsis;
}

}  // namespace

std::string fold(std::string_view given, std::size_t bytes_max) {
    const std::string valid = repair_utf8(given);
    std::string out;
    char32_t last = 0;
    bool blank = false;
    bool mark = false;
    for (std::string_view rest = valid; !rest.empty() && out.size() <= bytes_max;) {
        char32_t c = take(rest);
        if (c >= 0x80 && c <= 0x9F) c = windows_1252[c - 0x80];
        const Kind kind = c == 0 ? Kind::blank : kind_of(c);
        if (kind == Kind::drop) continue;
        blank = blank || kind == Kind::blank;
        mark = mark || kind == Kind::mark;
        if (kind != Kind::keep) continue;
        if (last != 0 && mark) out += is_punctuation(last) ? " " : "; ";
        if (last != 0 && blank && !mark) out += ' ';
        append(out, c);
        last = c;
        blank = mark = false;
    }
    cut(out, bytes_max);
    return out;
}

std::string for_message(std::string_view text) {
    return fold(text, message_bytes_max);
}

}  // namespace headpond::ingest
