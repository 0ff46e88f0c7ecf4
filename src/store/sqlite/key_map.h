// Which resident item may have a key, in memory: what an index on random keys would cost a
// scattered page an insert to tell.
//
// An answer is a guess that the caller verifies by reading the row. So nobody need tell when an
// item leaves, nor take back what a rollback undoes: what is left over is met, found false and
// taken out, or swept away. What must hold is the other half: whatever is resident is here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace headpond::store::sqlite {

class KeyMap {
  public:
    // `seed` keeps those who choose keys from choosing collisions. `hash_bits`: fewer in tests.
    explicit KeyMap(std::uint64_t seed, int hash_bits = 64);

    // The key of the item with this id, borrowed until the next call; nullopt where there is none.
    using KeyOf = std::function<std::optional<std::string_view>(std::int64_t id)>;
    // The id of an item that has this key. What has left is taken out, until put_back().
    [[nodiscard]] std::optional<std::int64_t> find(std::string_view key, const KeyOf& key_of);
    // Twice is once.
    void add(std::string_view key, std::int64_t id);
    // A rollback may bring back what had left: so does this, until let_go().
    void put_back();
    void let_go() noexcept { taken_out_.clear(); }
    // Takes out, for good, what has a lower id.
    void forget_below(std::int64_t id);
    void clear();

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return slots_.size(); }
    // It will soon grow.
    [[nodiscard]] bool crowded() const noexcept { return size_ >= slots_.size() / 8 * 5; }

  private:
    struct Slot {
        std::uint64_t hash;
        std::int64_t id;  // 0: empty
    };
    [[nodiscard]] std::uint64_t hash_of(std::string_view key) const noexcept;
    [[nodiscard]] std::size_t home(std::uint64_t hash) const noexcept;
    [[nodiscard]] std::size_t next(std::size_t at) const noexcept;
    void place(Slot slot);
    void take_out(std::size_t at);
    void rebuild(std::size_t slots, std::int64_t lowest_id);

    const std::uint64_t seed_[2];
    const std::uint64_t mask_;
    std::vector<Slot> slots_;
    std::vector<Slot> taken_out_;
    std::size_t size_ = 0;
};

}  // namespace headpond::store::sqlite
