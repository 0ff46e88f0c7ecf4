// A VFS over SQLite's own that lets a test act at two moments of a checkpoint.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include <sqlite3.h>

namespace headpond::reliability {

// Once armed, it waits for a commit on one of its files and then calls
//   `before`, ahead of the first shared-memory lock that is asked for after that commit, and
//   `during`, inside the next checkpoint's xUnfetch: SQLite calls it when it has read a WAL header
//   that others changed and before it looks at what is already copied. That is the window of the
//   WAL-reset bug (sqlite.org/wal.html).
// One for the life of a process; used by one thread at a time. What the hooks do must go through
// another VFS.
class InterleavedVfs {
  public:
    // Registers it as the default, named "interleaved".
    static InterleavedVfs& install();

    void arm(std::function<void()> before, std::function<void()> during) {
        before_ = std::move(before);
        during_ = std::move(during);
        step_ = Step::armed;
    }
    // False: a moment was not met since arm().
    [[nodiscard]] bool met() const noexcept { return step_ == Step::idle; }
    void disarm() noexcept { step_ = Step::idle; }

  private:
    enum class Step { idle, armed, committed, checkpointing };
    struct File;
    struct Methods;

    InterleavedVfs() = default;
    static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out);
    void lock_wanted();
    void write_lock_freed();
    void unfetch();

    Step step_ = Step::idle;
    std::function<void()> before_;
    std::function<void()> during_;
    sqlite3_vfs* base_ = nullptr;
    sqlite3_vfs vfs_{};
};

}  // namespace headpond::reliability
