// What the fuzz targets share: an input's bytes as choices, and how a finding is told.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace headpond::fuzz {

// Takes an input apart from its front. Past the end every choice is 0 and every text empty, so that
// any bytes mean something. Borrows the bytes.
class Input {
  public:
    Input(const std::uint8_t* bytes, std::size_t count) : left_(bytes, count) {}

    [[nodiscard]] bool empty() const { return left_.empty(); }
    std::uint8_t byte() {
        if (left_.empty()) return 0;
        const std::uint8_t first = left_.front();
        left_ = left_.subspan(1);
        return first;
    }
    std::uint64_t word(int bytes) {
        std::uint64_t value = 0;
        for (int i = 0; i < bytes; ++i) value = (value << 8U) | byte();
        return value;
    }
    // 0 to n - 1, n at least 1.
    std::size_t below(std::size_t n) { return (n <= 256 ? byte() : word(2)) % n; }
    bool flag() { return (byte() & 1U) != 0; }
    template <class Range>
    const auto& one_of(const Range& range) {
        return range[below(std::size(range))];
    }
    // Small numbers, the ends of the type, and what lies between.
    std::int64_t number() {
        using Limits = std::numeric_limits<std::int64_t>;
        switch (const std::uint8_t kind = byte(); kind) {
            case 255:
                return Limits::max() - byte();
            case 254:
                return Limits::min() + byte();
            case 253:
                return static_cast<std::int64_t>(word(8));
            case 252:
                return static_cast<std::int64_t>(word(4));
            case 251:
                return -static_cast<std::int64_t>(word(2));
            case 250:
                return 1'800'000'000'000 + static_cast<std::int64_t>(word(3));
            default:
                return kind < 128 ? kind : static_cast<std::int64_t>(word(2));
        }
    }
    // Its length comes first, in one byte.
    std::string text(std::size_t bytes_max = 255) {
        const std::size_t wanted = std::min<std::size_t>(byte(), bytes_max);
        const auto taken = left_.first(std::min(wanted, left_.size()));
        left_ = left_.subspan(taken.size());
        return {taken.begin(), taken.end()};
    }
    std::string rest() {
        std::string all(left_.begin(), left_.end());
        left_ = {};
        return all;
    }

  private:
    std::span<const std::uint8_t> left_;
};

// A finding: told on stderr, and the process ends, so that the fuzzer keeps the input.
[[noreturn]] inline void found(std::string_view what) {
    std::fprintf(stderr, "finding: %.*s\n", static_cast<int>(what.size()), what.data());
    std::abort();
}
inline void require(bool holds, std::string_view what) {
    if (!holds) found(what);
}

}  // namespace headpond::fuzz

// What a target defines and the fuzzer, or replay.cpp, calls.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count);
