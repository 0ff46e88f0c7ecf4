#include "store/sqlite/id_block.h"

#include <algorithm>
#include <limits>

namespace headpond::store::sqlite {

namespace {
constexpr std::int64_t block_max = 256;
constexpr std::int64_t id_max = std::numeric_limits<std::int64_t>::max();
}  // namespace

std::int64_t IdBlock::integer(Sql sql) {
    Run run(sql_[sql]);
    return run.step() ? run.exact(0) : 0;
}

// Each id that others issue is above what sqlite_sequence says, and moves it. Rows with ids of
// their own choice (by hand) may lie in our block.
bool IdBlock::still_ours() {
    if (!known_) return false;
    if (looked_ && !lent_) return true;
    looked_ = true;
    return integer(table_.last) == end_ && integer(table_.highest) <= used_;
}

std::optional<std::int64_t> IdBlock::next(std::int64_t count) {
    if (!still_ours()) {
        used_ = end_ = std::max(integer(table_.last), integer(table_.highest));
        block_ = 0;
        known_ = looked_ = true;
    }
    if (used_ >= id_max - block_max - count) return std::nullopt;
    if (end_ - used_ < count) reserve(count);
    return used_ + 1;
}

void IdBlock::reserve(std::int64_t least) {
    block_ = std::clamp<std::int64_t>(block_ * 2, 1, block_max);
    end_ = used_ + std::max(block_, least);
    Run write(sql_[table_.write]);
    if (write.bind(end_).change() > 0) return;
    Run add(sql_[table_.add]);
    add.bind(end_).change();
}

void IdBlock::give_back() {
    if (!known_ || used_ == end_) return;
    looked_ = false;
    if (still_ours()) {
        Run write(sql_[table_.write]);
        write.bind(used_).change();
    }
    known_ = false;
}

}  // namespace headpond::store::sqlite
