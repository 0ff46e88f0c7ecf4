// Ids of an AUTOINCREMENT table, issued in order and never twice.
//
// SQLite writes sqlite_sequence with every INSERT: a page more in each commit that adds a row. An
// id at or below what is written there costs nothing: so a writer that is alone reserves some
// ahead.
#pragma once

#include "store/sqlite/statements.h"

#include <cstdint>
#include <optional>

namespace headpond::store::sqlite {

// On the writer, inside its transactions. What is reserved is known here alone: another writer goes
// on behind it, and so does this one when another has been there. All ids below sqlite_sequence's
// may have been issued, whatever becomes of this process.
class IdBlock {
  public:
    // `highest`: the highest id in the table; `last`, `write` and `add`: its row of
    // sqlite_sequence.
    struct Table {
        Sql highest, last, write, add;
    };
    IdBlock(Statements& statements, Table table) noexcept : sql_(statements), table_(table) {}

    // The first of `count` for the next rows, and the same again until issued(); nullopt: they are
    // used up.
    [[nodiscard]] std::optional<std::int64_t> next(std::int64_t count = 1);
    void issued(std::int64_t id) noexcept { used_ = id; }
    // Leaves to others what is reserved and was not issued.
    void give_back();

    // What the transaction does around it.
    void begun() noexcept { looked_ = lent_ = false; }
    void undone() noexcept { known_ = false; }
    // A guest may add rows that nobody tells of here.
    void lent() noexcept { lent_ = true; }

  private:
    [[nodiscard]] bool still_ours();
    void reserve(std::int64_t least);
    [[nodiscard]] std::int64_t integer(Sql sql);

    Statements& sql_;
    const Table table_;
    bool known_ = false;      // the following are the table's, unless another writer has been there
    std::int64_t used_ = 0;   // the last that was issued
    std::int64_t end_ = 0;    // the last that is reserved: what we wrote to sqlite_sequence
    std::int64_t block_ = 0;  // how many are reserved at a time: more the longer we are alone
    bool looked_ = false;     // in this transaction: nobody else has been there
    bool lent_ = false;
};

}  // namespace headpond::store::sqlite
