// Writes the frames of a transaction into the log by one system call, where SQLite writes two a
// page: most of what a small commit costs (DESIGN.md has the figures).
#pragma once

namespace headpond::store::sqlite {

// The name of a VFS that wraps the default one of this moment, for sqlite3_open_v2; that one must
// stay. What it holds back is in the file before SQLite could publish it, sync it, read it or let
// go of the write lock. A write that fails, fails in a call that SQLite checks, and the transaction
// cannot be committed then. Thread-safe. Throws Error io where SQLite takes no VFS.
[[nodiscard]] const char* log_vfs();

}  // namespace headpond::store::sqlite
