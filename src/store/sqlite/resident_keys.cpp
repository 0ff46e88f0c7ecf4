#include "store/sqlite/resident_keys.h"

#include <random>

namespace headpond::store::sqlite {

// What was inserted while it was off is read when it is asked again.
void ResidentKeys::use(bool on) {
    on_ = on;
    // Chance only keeps strangers from choosing keys that collide: no answer depends on it.
    if (on && !map_) {
        const std::uint64_t high = std::random_device{}();
        map_.emplace(high << 32U | std::random_device{}(), hash_bits_);
    }
}

std::int64_t ResidentKeys::integer(Sql sql) {
    Run run(sql_[sql]);
    return run.step() ? run.integer(0) : 0;
}

void ResidentKeys::begun() {
    on_ = current_ = lent_ = false;
    if (map_ && map_->crowded()) sweep();
}

// Most of what has left entered before all that is here. Where one item stays for long, those
// behind it leave too much: then the map is made anew.
void ResidentKeys::sweep() {
    map_->forget_below(integer(Sql::first_item_id));
    constexpr std::int64_t left_over = 1024;
    if (static_cast<std::int64_t>(map_->size()) > 2 * integer(Sql::resident_items) + left_over) {
        map_->clear();
        seen_ = 0;
    }
}

// Ids are never reused, so that whatever is new to this process has an id above those that it saw.
// Those of a rollback are: they are read again.
void ResidentKeys::catch_up(std::int64_t newest) {
    if (current_) return;
    map_->put_back();
    if (newest < seen_) {  // set back by hand
        map_->clear();
        seen_ = 0;
    }
    if (newest > seen_) read_after(seen_);
    last_ = newest;
    current_ = true;
}

void ResidentKeys::read_after(std::int64_t id) {
    Run run(sql_[Sql::keys_after]);
    run.bind(id);
    while (run.step()) map_->add(run.view(1), run.integer(0));
}

std::optional<std::int64_t> ResidentKeys::find(std::string_view key, std::int64_t newest) {
    catch_up(newest);
    return map_->find(key, [this](std::int64_t id) { return key_of(id); });
}

std::optional<std::string_view> ResidentKeys::key_of(std::int64_t id) {
    Run run(sql_[Sql::key_of_item]);
    run.bind(id);
    if (!run.step()) return std::nullopt;
    key_ = run.view(0);
    return key_;
}

void ResidentKeys::inserted(std::string_view key, std::int64_t id) {
    map_->add(key, id);
    last_ = id;
}

void ResidentKeys::committed() noexcept {
    if (!current_) return;  // what an earlier rollback brings back is not here again
    if (!lent_) seen_ = last_;
    map_->let_go();
}

}  // namespace headpond::store::sqlite
