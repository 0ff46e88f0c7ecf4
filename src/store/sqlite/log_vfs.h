// Writes the frames of a transaction into the log by one system call, where SQLite writes two a
// page: most of what a small commit costs (DESIGN.md has the figures).
#pragma once

#include <cstdint>

struct sqlite3;

namespace headpond::store::sqlite {

// The name of a VFS that wraps the default one of this moment, for sqlite3_open_v2; that one must
// stay. What it holds back is in the file before SQLite could publish it, sync it, read it or let
// go of the write lock. A write that fails, fails in a call that SQLite checks, and the transaction
// cannot be committed then. Thread-safe. Throws Error io where SQLite takes no VFS.
[[nodiscard]] const char* log_vfs();

// Of a connection opened through it, by the thread that uses it:

// Whether its commits are synced where PRAGMA synchronous asks for it (they are at first). SQLite
// itself would have the pragma prepared anew for each change. All else is synced as ever.
void sync_commits(sqlite3* connection, bool on) noexcept;
// Pages of the database after its last commit, 0 where that is not known.
[[nodiscard]] std::int64_t committed_pages(sqlite3* connection) noexcept;

}  // namespace headpond::store::sqlite
