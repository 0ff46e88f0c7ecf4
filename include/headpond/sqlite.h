// Opt-in: the SQLite handle behind a Transaction, for the caller's own tables in the same file.
#pragma once

#include <headpond/export.h>
#include <headpond/queue.h>

struct sqlite3;

namespace headpond {

// The writer's handle, inside Queue::transact only. Do not begin, commit or roll back on it, change
// its pragmas, or touch the queue's own tables. Statements prepared on it must be finalized before
// fn returns.
[[nodiscard]] HEADPOND_API sqlite3* sqlite_handle(Transaction& transaction);

}  // namespace headpond
