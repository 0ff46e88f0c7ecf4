// Writes the frames of a transaction into the log by one system call, where SQLite writes two a
// page: most of what a small commit costs (DESIGN.md has the figures).
#pragma once

#include <cstdint>

struct sqlite3;
struct sqlite3_file;

namespace headpond::store::sqlite {

// The name of a VFS that wraps the default one of this moment, for sqlite3_open_v2; that one must
// stay. What it holds back is in the file before SQLite could publish it, sync it, read it or let
// go of the write lock. A write that fails, fails in a call that SQLite checks, and the transaction
// cannot be committed then. Thread-safe. Throws Error io where SQLite takes no VFS.
[[nodiscard]] const char* log_vfs();

// Of a connection opened through it, by the thread that uses it: the pages of the database after
// its last commit, 0 where that is not known.
[[nodiscard]] std::int64_t committed_pages(sqlite3* connection) noexcept;

// The log of such a connection, which is open once it has read; null before.
[[nodiscard]] sqlite3_file* log_of(sqlite3* connection) noexcept;
// Syncs what was committed, in any thread, while the connection goes on writing. Answers SQLite's
// result code.
[[nodiscard]] int sync_log(sqlite3_file* log) noexcept;

}  // namespace headpond::store::sqlite
