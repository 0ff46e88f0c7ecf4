#include "bench_vfs.h"

#include <array>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <sqlite3.h>
#include <sys/prctl.h>

namespace headpond::bench {

namespace {

std::atomic<std::int64_t> bytes_written = 0, syncs_done = 0;
std::chrono::microseconds longer_sync{0};  // set before a file is open

// The file system's own methods, with ours in place of two. Its files stay as they are.
struct Watched {
    sqlite3_io_methods methods{};  // first, so that a file's methods lead back here
    const sqlite3_io_methods* real = nullptr;
};

const sqlite3_io_methods& real_methods(sqlite3_file* file) {
    return *reinterpret_cast<const Watched*>(file->pMethods)->real;
}

int watched_write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
    bytes_written += count;
    return real_methods(file).xWrite(file, bytes, count, offset);
}

int watched_sync(sqlite3_file* file, int flags) {
    ++syncs_done;
    const int code = real_methods(file).xSync(file, flags);
    if (longer_sync.count() > 0) {
        ::prctl(PR_SET_TIMERSLACK, 1);  // of this thread; a sleep would else take 50 us more
        std::this_thread::sleep_for(longer_sync);
    }
    return code;
}

// SQLite has a table of methods a way of locking, of which a process uses one or two.
const Watched* watched(const sqlite3_io_methods* real) {
    static std::mutex mutex;
    static std::array<Watched, 8> tables;
    const std::lock_guard lock(mutex);
    for (Watched& one : tables) {
        if (one.real == real) return &one;
        if (one.real != nullptr) continue;
        one.methods = *real;
        one.methods.xWrite = watched_write;
        one.methods.xSync = watched_sync;
        one.real = real;
        return &one;
    }
    return nullptr;
}

sqlite3_vfs* real_vfs = nullptr;

int watched_open(sqlite3_vfs* /*vfs*/, sqlite3_filename name, sqlite3_file* file, int flags,
                 int* flags_out) {
    const int code = real_vfs->xOpen(real_vfs, name, file, flags, flags_out);
    if (code != SQLITE_OK || file->pMethods == nullptr) return code;
    const Watched* table = watched(file->pMethods);
    if (table != nullptr) file->pMethods = &table->methods;
    return code;
}

}  // namespace

void register_bench_vfs(std::chrono::microseconds sync_delay) {
    longer_sync = sync_delay;
    real_vfs = sqlite3_vfs_find(nullptr);
    static sqlite3_vfs watching;
    watching = *real_vfs;
    watching.pNext = nullptr;
    watching.zName = "bench";
    watching.xOpen = watched_open;
    if (sqlite3_vfs_register(&watching, 1) != SQLITE_OK) {
        throw std::runtime_error("SQLite takes no other file system");
    }
}

std::chrono::microseconds sync_delay() noexcept {
    return longer_sync;
}

DiskCounts disk_counts() noexcept {
    return {.bytes = bytes_written, .syncs = syncs_done};
}

}  // namespace headpond::bench
