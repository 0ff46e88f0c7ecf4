// The door to the SQLite store, without SQLite's names.
#pragma once

#include "store/store.h"

#include <headpond/options.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace headpond::store::sqlite {

enum class FileKind { missing, empty, queue };

// When a queue was made, and first opened; 0 where it is not known.
struct Birth {
    Millis made_at = 0, age_base = 0;
};

struct Identity {
    FileKind kind = FileKind::queue;
    Birth birth = {};  // as the main file says without its log
};
// Looks at the main file alone and touches nothing. Throws not_a_queue for anything else than a
// queue (text, another SQLite database), corrupt for a truncated file. `db_bytes` is the file's
// size, -1 where it is missing, `log_bytes` that of the -wal.
[[nodiscard]] Identity identify(const std::string& path, std::int64_t db_bytes,
                                std::int64_t log_bytes);

struct OpenOrder {
    std::string path;  // resolved
    Identity identity;
    Migrate migrate = Migrate::at_open;
    Millis at = 0;  // the wall clock, for the record
    // Makes the missing file, empty; runs under the turn.
    std::function<void()> create;
    // Runs a function while holding the write turn, so that one of several processes creates.
    std::function<void(const std::function<void()>&)> with_turn;
};
// Creates, finishes an interrupted creation, migrates, opens. Throws schema_newer, schema_older,
// not_a_queue, unsupported (not in WAL mode), io (not writable), corrupt where the schema is not
// what the migrations give.
[[nodiscard]] std::unique_ptr<Store> open(const OpenOrder& order);

struct MigrationState {
    int version = 0;
    std::string name;
    bool applied = false;
};
// Of a file that exists and is a queue (`kind`), else none applied. Changes nothing.
[[nodiscard]] std::vector<MigrationState> migration_states(const std::string& path, FileKind kind);

}  // namespace headpond::store::sqlite
