#include "material.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace headpond::bench {

namespace {
constexpr std::size_t key_bytes = 36;
constexpr std::size_t payload_bytes = 500;
}  // namespace

// Splitmix64: a generator of the standard library takes longer than an enqueue.
std::uint64_t Material::next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
}

void Material::write_uuid(char* text) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::uint64_t bits = next();
    int left = 16;
    for (std::size_t i = 0; i < key_bytes; ++i) {
        if (left == 0) {
            bits = next();
            left = 16;
        }
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash) {
            text[i] = '-';
            continue;
        }
        auto digit = bits & 15U;
        if (i == 14) digit = 4;                 // the version
        if (i == 19) digit = 8 + (digit & 3U);  // the variant
        text[i] = hex[digit];
        bits >>= 4U;
        --left;
    }
}

std::span<const NewItem> Material::make(std::size_t count, Tracking tracking) {
    keys_.resize(count * key_bytes);
    payloads_.resize(count * payload_bytes);
    for (std::size_t i = 0; i < count; ++i) write_uuid(&keys_[i * key_bytes]);
    for (std::size_t at = 0; at < payloads_.size(); at += sizeof(std::uint64_t)) {
        const std::uint64_t bits = next();
        std::memcpy(&payloads_[at], &bits, std::min(sizeof bits, payloads_.size() - at));
    }
    items_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        items_[i] = {
            .key = std::string_view(keys_).substr(i * key_bytes, key_bytes),
            .source_tag = "bench",
            .payload = std::string_view(payloads_).substr(i * payload_bytes, payload_bytes),
            .tracking = tracking};
    }
    return items_;
}

}  // namespace headpond::bench
