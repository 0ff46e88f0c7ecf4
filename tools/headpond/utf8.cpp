#include "utf8.h"

#include <cstdint>
#include <cwchar>

namespace headpond::cli {

namespace {

struct Character {
    std::size_t bytes = 1;
    std::uint32_t code = 0;
    bool valid = false;  // else one malformed byte
};

Character character_at(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(at);
    if (first < 0x80) return {1, first, true};
    const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() - at < bytes) return {};
    std::uint32_t code = first & (0xFFU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) {
        if ((byte(at + i) & 0xC0U) != 0x80U) return {};
        code = code << 6U | (byte(at + i) & 0x3FU);
    }
    const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (overlong || surrogate || code > 0x10FFFF) return {};
    return {bytes, code, true};
}

bool printable(const Character& one) {
    return one.valid && one.code >= 0x20 && (one.code < 0x7F || one.code > 0x9F) &&
           one.code != 0x2028 && one.code != 0x2029;
}

std::size_t columns_of(const Character& one) {
    const int columns = ::wcwidth(static_cast<wchar_t>(one.code));
    return columns < 0 ? 1 : static_cast<std::size_t>(columns);
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
    for (std::size_t at = 0; at < text.size();) {
        const Character one = character_at(text, at);
        if (!one.valid) return false;
        at += one.bytes;
    }
    return true;
}

std::string one_line(std::string_view text) {
    std::string line;
    for (std::size_t at = 0; at < text.size();) {
        const Character one = character_at(text, at);
        if (printable(one)) {
            line += text.substr(at, one.bytes);
        } else {
            line += '?';
        }
        at += one.bytes;
    }
    return line;
}

std::string shown(std::string_view text) {
    constexpr std::size_t most = 60;
    std::size_t end = 0;
    while (end < text.size() && end < most) end += character_at(text, end).bytes;
    return "'" + one_line(text.substr(0, end)) + (end < text.size() ? "...'" : "'");
}

std::size_t width_of(std::string_view text) {
    std::size_t width = 0;
    for (std::size_t at = 0; at < text.size();) {
        const Character one = character_at(text, at);
        width += columns_of(one);
        at += one.bytes;
    }
    return width;
}

std::string cut_to(const std::string& text, std::size_t columns) {
    if (width_of(text) <= columns) return text;
    std::size_t width = 0, at = 0;
    while (at < text.size()) {
        const Character one = character_at(text, at);
        if (width + columns_of(one) + 1 > columns) break;
        width += columns_of(one);
        at += one.bytes;
    }
    return text.substr(0, at) + "~";
}

}  // namespace headpond::cli
