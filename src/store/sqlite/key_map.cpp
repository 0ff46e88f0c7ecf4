#include "store/sqlite/key_map.h"

#include <bit>
#include <cstring>
#include <utility>

namespace headpond::store::sqlite {

namespace {

constexpr std::size_t slots_min = 1024;

// SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): 1 round a word, 3
// at the end.
class SipHash {
  public:
    SipHash(std::uint64_t k0, std::uint64_t k1)
        : v0_(k0 ^ 0x736f6d6570736575U),
          v1_(k1 ^ 0x646f72616e646f6dU),
          v2_(k0 ^ 0x6c7967656e657261U),
          v3_(k1 ^ 0x7465646279746573U) {}

    std::uint64_t of(std::string_view text) {
        const char* at = text.data();
        for (std::size_t left = text.size() / 8; left > 0; --left, at += 8) word(load(at, 8));
        word(load(at, text.size() % 8) | std::uint64_t{text.size()} << 56U);
        v2_ ^= 0xffU;
        for (int i = 0; i < 3; ++i) round();
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

  private:
    static std::uint64_t load(const char* at, std::size_t bytes) {
        std::uint64_t value = 0;
        if (bytes != 0) std::memcpy(&value, at, bytes);  // an empty view may have no address
        return value;
    }
    void word(std::uint64_t value) {
        v3_ ^= value;
        round();
        v0_ ^= value;
    }
    void round() {
        v0_ += v1_, v1_ = std::rotl(v1_, 13) ^ v0_, v0_ = std::rotl(v0_, 32);
        v2_ += v3_, v3_ = std::rotl(v3_, 16) ^ v2_;
        v0_ += v3_, v3_ = std::rotl(v3_, 21) ^ v0_;
        v2_ += v1_, v1_ = std::rotl(v1_, 17) ^ v2_, v2_ = std::rotl(v2_, 32);
    }

    std::uint64_t v0_, v1_, v2_, v3_;
};

}  // namespace

KeyMap::KeyMap(std::uint64_t seed, int hash_bits)
    : seed_{seed, ~seed * 0x9e3779b97f4a7c15U},
      mask_(hash_bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << hash_bits) - 1),
      slots_(slots_min) {}

std::uint64_t KeyMap::hash_of(std::string_view key) const noexcept {
    return SipHash(seed_[0], seed_[1]).of(key) & mask_;
}

std::size_t KeyMap::home(std::uint64_t hash) const noexcept {
    return hash & (slots_.size() - 1);
}

std::size_t KeyMap::next(std::size_t at) const noexcept {
    return (at + 1) & (slots_.size() - 1);
}

std::optional<std::int64_t> KeyMap::find(std::string_view key, const KeyOf& key_of) {
    const std::uint64_t hash = hash_of(key);
    std::size_t at = home(hash);
    while (slots_[at].id != 0) {
        if (slots_[at].hash != hash) {
            at = next(at);
            continue;
        }
        const auto there = key_of(slots_[at].id);
        if (there == key) return slots_[at].id;
        if (there && hash_of(*there) == hash) {
            at = next(at);  // two keys, one hash
        } else {
            taken_out_.push_back(slots_[at]);
            take_out(at);  // another may have moved here
        }
    }
    return std::nullopt;
}

void KeyMap::add(std::string_view key, std::int64_t id) {
    place({hash_of(key), id});
}

void KeyMap::put_back() {
    for (const Slot& slot : taken_out_) place(slot);
    taken_out_.clear();
}

void KeyMap::place(Slot slot) {
    if (size_ >= slots_.size() / 4 * 3) rebuild(slots_.size() * 2, 0);
    std::size_t at = home(slot.hash);
    for (; slots_[at].id != 0; at = next(at)) {
        if (slots_[at].hash == slot.hash && slots_[at].id == slot.id) return;
    }
    slots_[at] = slot;
    ++size_;
}

// Those behind the gap that it cuts off from their home move up (Knuth, TAOCP 3, 6.4, algorithm R).
void KeyMap::take_out(std::size_t gap) {
    --size_;
    for (std::size_t at = next(gap); slots_[at].id != 0; at = next(at)) {
        const std::size_t from_home = (at - home(slots_[at].hash)) & (slots_.size() - 1);
        const std::size_t from_gap = (at - gap) & (slots_.size() - 1);
        if (from_home < from_gap) continue;
        slots_[gap] = slots_[at];
        gap = at;
    }
    slots_[gap].id = 0;
}

void KeyMap::forget_below(std::int64_t id) {
    rebuild(slots_.size(), id);
}

void KeyMap::rebuild(std::size_t slots, std::int64_t lowest_id) {
    std::vector<Slot> old(slots);
    old.swap(slots_);
    size_ = 0;
    for (const Slot& slot : old) {
        if (slot.id != 0 && slot.id >= lowest_id) place(slot);
    }
}

void KeyMap::clear() {
    slots_.assign(slots_min, {});
    slots_.shrink_to_fit();
    taken_out_.clear();
    size_ = 0;
}

}  // namespace headpond::store::sqlite
