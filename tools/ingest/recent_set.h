// What was met lately, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <utility>

namespace headpond::ingest {

// Remembers at least the last `kept` numbers that it met, and at most twice as many. One thread.
class RecentSet {
  public:
    explicit RecentSet(std::size_t kept) : kept_(kept) {}

    // True: it was met lately, or ever where no more than `kept` others were. Meets it.
    bool meet(std::uint64_t number) {
        if (young_.contains(number)) return true;
        const bool known = old_.contains(number);
        if (young_.size() >= kept_) {
            old_ = std::exchange(young_, {});
        }
        young_.insert(number);
        return known;
    }
    [[nodiscard]] bool contains(std::uint64_t number) const {
        return young_.contains(number) || old_.contains(number);
    }

  private:
    const std::size_t kept_;
    std::unordered_set<std::uint64_t> young_, old_;
};

}  // namespace headpond::ingest
