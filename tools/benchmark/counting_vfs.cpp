#include "counting_vfs.h"

#include <array>
#include <atomic>
#include <mutex>
#include <stdexcept>

#include <sqlite3.h>

namespace headpond::bench {

namespace {

std::atomic<std::int64_t> bytes_written = 0, syncs_done = 0;

// The file system's own methods, with ours in place of two. Its files stay as they are.
struct Counted {
    sqlite3_io_methods methods{};  // first, so that a file's methods lead back here
    const sqlite3_io_methods* real = nullptr;
};

const sqlite3_io_methods& real_methods(sqlite3_file* file) {
    return *reinterpret_cast<const Counted*>(file->pMethods)->real;
}

int counted_write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
    bytes_written += count;
    return real_methods(file).xWrite(file, bytes, count, offset);
}

int counted_sync(sqlite3_file* file, int flags) {
    ++syncs_done;
    return real_methods(file).xSync(file, flags);
}

// SQLite has a table of methods a way of locking, of which a process uses one or two.
const Counted* counted(const sqlite3_io_methods* real) {
    static std::mutex mutex;
    static std::array<Counted, 8> tables;
    const std::lock_guard lock(mutex);
    for (Counted& one : tables) {
        if (one.real == real) return &one;
        if (one.real != nullptr) continue;
        one.methods = *real;
        one.methods.xWrite = counted_write;
        one.methods.xSync = counted_sync;
        one.real = real;
        return &one;
    }
    return nullptr;
}

sqlite3_vfs* real_vfs = nullptr;

int counted_open(sqlite3_vfs* /*vfs*/, sqlite3_filename name, sqlite3_file* file, int flags,
                 int* flags_out) {
    const int code = real_vfs->xOpen(real_vfs, name, file, flags, flags_out);
    if (code != SQLITE_OK || file->pMethods == nullptr) return code;
    const Counted* table = counted(file->pMethods);
    if (table != nullptr) file->pMethods = &table->methods;
    return code;
}

}  // namespace

void register_counting_vfs() {
    real_vfs = sqlite3_vfs_find(nullptr);
    static sqlite3_vfs counting;
    counting = *real_vfs;
    counting.pNext = nullptr;
    counting.zName = "counting";
    counting.xOpen = counted_open;
    if (sqlite3_vfs_register(&counting, 1) != SQLITE_OK) {
        throw std::runtime_error("SQLite takes no other file system");
    }
}

DiskCounts disk_counts() noexcept {
    return {.bytes = bytes_written, .syncs = syncs_done};
}

}  // namespace headpond::bench
