// The keys of all resident items, held in memory: `keys = mapped`.
#pragma once

#include "store/sqlite/key_map.h"
#include "store/sqlite/statements.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headpond::store::sqlite {

// On the writer, inside its transactions. Other processes' items are read when a transaction first
// asks; what this connection inserts is told.
class ResidentKeys {
  public:
    explicit ResidentKeys(Statements& statements, int hash_bits = 64) noexcept
        : sql_(statements), hash_bits_(hash_bits) {}

    void use(bool on);
    [[nodiscard]] bool on() const noexcept { return on_; }

    // These while it is on. `newest`: the id of the last item that was ever inserted.
    [[nodiscard]] std::optional<std::int64_t> find(std::string_view key, std::int64_t newest);
    void inserted(std::string_view key, std::int64_t id);

    // What the transaction does around it. Nothing was changed yet:
    void begun();
    // A savepoint was rolled back.
    void undone() noexcept { current_ = false; }
    // A guest may insert rows that nobody tells of here.
    void lent() noexcept { lent_ = true; }
    void committed() noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return map_ ? map_->size() : 0; }

  private:
    void catch_up(std::int64_t newest);
    void read_after(std::int64_t id);
    void sweep();
    std::int64_t integer(Sql sql);
    std::optional<std::string_view> key_of(std::int64_t id);

    Statements& sql_;
    const int hash_bits_;
    std::optional<KeyMap> map_;
    std::int64_t seen_ = 0;  // every resident item up to this id is in the map
    // Of the running transaction:
    bool on_ = false;
    bool current_ = false;   // caught up
    std::int64_t last_ = 0;  // what `seen_` will be once it is committed
    bool lent_ = false;
    std::string key_;  // of the last row that was looked at
};

}  // namespace headpond::store::sqlite
