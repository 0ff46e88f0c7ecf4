// What the writer remembers from one transaction to the next.
#pragma once

#include "store/sqlite/id_block.h"
#include "store/sqlite/resident_keys.h"

namespace headpond::store::sqlite {

struct WriterMemory {
    // `hash_bits`: of the keys, fewer in tests.
    explicit WriterMemory(Statements& statements, int hash_bits = 64) noexcept
        : keys(statements, hash_bits),
          item_ids(statements, {.highest = Sql::highest_item_id,
                                .last = Sql::last_item_id,
                                .write = Sql::write_item_sequence,
                                .add = Sql::add_item_sequence}),
          batch_ids(statements, {.highest = Sql::highest_batch_id,
                                 .last = Sql::last_batch_id,
                                 .write = Sql::write_batch_sequence,
                                 .add = Sql::add_batch_sequence}) {}

    void begun() {
        if (!committed_) undone_ids();  // the one before was rolled back
        committed_ = false;
        keys.begun();
        item_ids.begun();
        batch_ids.begun();
    }
    // A savepoint was rolled back.
    void undone() noexcept {
        keys.undone();
        undone_ids();
    }
    void lent() noexcept {
        keys.lent();
        item_ids.lent();
        batch_ids.lent();
    }
    void committed() noexcept {
        committed_ = true;
        keys.committed();
    }

    ResidentKeys keys;
    IdBlock item_ids, batch_ids;

  private:
    void undone_ids() noexcept {
        item_ids.undone();
        batch_ids.undone();
    }

    bool committed_ = true;
};

}  // namespace headpond::store::sqlite
