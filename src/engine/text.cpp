#include "engine/text.h"

namespace headpond::engine {

namespace {

// Bytes of the character that starts at `at`, 0 where it is malformed.
std::size_t character_bytes(std::string_view text, std::size_t at) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto continues = [&](std::size_t i) {
        return i < text.size() && (byte(i) & 0xC0U) == 0x80U;
    };
    const unsigned lead = byte(at);
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4 || !continues(at + 1)) return 0;
    if (lead < 0xE0) return 2;
    const unsigned second = byte(at + 1);
    if (!continues(at + 2)) return 0;
    if (lead < 0xF0) {
        const bool overlong = lead == 0xE0 && second < 0xA0;
        const bool surrogate = lead == 0xED && second >= 0xA0;
        return overlong || surrogate ? 0 : 3;
    }
    const bool overlong = lead == 0xF0 && second < 0x90;
    const bool beyond = lead == 0xF4 && second >= 0x90;
    return overlong || beyond || !continues(at + 3) ? 0 : 4;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t bytes = character_bytes(text, at);
        if (bytes == 0) return false;
        at += bytes;
    }
    return true;
}

std::string clean(std::string_view text, std::size_t bytes_max) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t bytes = text[at] == '\0' ? 0 : character_bytes(text, at);
        if (out.size() + (bytes == 0 ? 1 : bytes) > bytes_max) break;
        if (bytes == 0) {
            out += '?';
            ++at;
        } else {
            out += text.substr(at, bytes);
            at += bytes;
        }
    }
    return out;
}

}  // namespace headpond::engine
