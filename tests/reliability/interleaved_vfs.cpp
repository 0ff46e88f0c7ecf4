#include "reliability/interleaved_vfs.h"

#include <stdexcept>

namespace headpond::reliability {

namespace {

constexpr int write_lock = 0;  // WAL_WRITE_LOCK of SQLite's file format

}  // namespace

// The database file alone is wrapped: the real file object follows this one in memory.
struct InterleavedVfs::File {
    sqlite3_file base;
    sqlite3_file* real;
};

struct InterleavedVfs::Methods {
    static sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real; }

    static int close(sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); }
    static int read(sqlite3_file* f, void* to, int count, sqlite3_int64 at) {
        return real(f)->pMethods->xRead(real(f), to, count, at);
    }
    static int write(sqlite3_file* f, const void* from, int count, sqlite3_int64 at) {
        return real(f)->pMethods->xWrite(real(f), from, count, at);
    }
    static int truncate(sqlite3_file* f, sqlite3_int64 size) {
        return real(f)->pMethods->xTruncate(real(f), size);
    }
    static int sync(sqlite3_file* f, int flags) { return real(f)->pMethods->xSync(real(f), flags); }
    static int size(sqlite3_file* f, sqlite3_int64* out) {
        return real(f)->pMethods->xFileSize(real(f), out);
    }
    static int lock(sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); }
    static int unlock(sqlite3_file* f, int level) {
        return real(f)->pMethods->xUnlock(real(f), level);
    }
    static int reserved(sqlite3_file* f, int* out) {
        return real(f)->pMethods->xCheckReservedLock(real(f), out);
    }
    static int control(sqlite3_file* f, int operation, void* argument) {
        return real(f)->pMethods->xFileControl(real(f), operation, argument);
    }
    static int sector(sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); }
    static int traits(sqlite3_file* f) {
        return real(f)->pMethods->xDeviceCharacteristics(real(f));
    }
    static int shm_map(sqlite3_file* f, int page, int bytes, int extend, void volatile** out) {
        return real(f)->pMethods->xShmMap(real(f), page, bytes, extend, out);
    }
    static int shm_lock(sqlite3_file* f, int offset, int count, int flags) {
        if ((flags & SQLITE_SHM_LOCK) != 0) install().lock_wanted();
        const int code = real(f)->pMethods->xShmLock(real(f), offset, count, flags);
        const bool freed = (flags & SQLITE_SHM_UNLOCK) != 0 && offset == write_lock;
        if (freed) install().write_lock_freed();
        return code;
    }
    static void shm_barrier(sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); }
    static int shm_unmap(sqlite3_file* f, int remove) {
        return real(f)->pMethods->xShmUnmap(real(f), remove);
    }
    static int fetch(sqlite3_file* f, sqlite3_int64 at, int count, void** out) {
        return real(f)->pMethods->xFetch(real(f), at, count, out);
    }
    static int unfetch(sqlite3_file* f, sqlite3_int64 at, void* page) {
        if (page == nullptr) install().unfetch();
        return real(f)->pMethods->xUnfetch(real(f), at, page);
    }

    static constexpr sqlite3_io_methods all{
        3,       close,  read,   write,   truncate, sync,        size,      lock,  unlock, reserved,
        control, sector, traits, shm_map, shm_lock, shm_barrier, shm_unmap, fetch, unfetch};
};

InterleavedVfs& InterleavedVfs::install() {
    static InterleavedVfs* const one = [] {
        auto* made = new InterleavedVfs;  // SQLite keeps the pointer for good
        made->base_ = sqlite3_vfs_find(nullptr);
        made->vfs_ = *made->base_;
        made->vfs_.zName = "interleaved";
        made->vfs_.pNext = nullptr;
        made->vfs_.szOsFile = static_cast<int>(sizeof(File)) + made->base_->szOsFile;
        made->vfs_.xOpen = open;
        if (sqlite3_vfs_register(&made->vfs_, 1) != SQLITE_OK) {
            throw std::runtime_error("the interleaved VFS was not registered");
        }
        return made;
    }();
    return *one;
}

int InterleavedVfs::open(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags,
                         int* out) {
    sqlite3_vfs* base = install().base_;
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return base->xOpen(base, name, file, flags, out);
    auto* wrapped = reinterpret_cast<File*>(file);
    wrapped->base.pMethods = nullptr;  // xClose is then not called after a failed open
    wrapped->real = reinterpret_cast<sqlite3_file*>(wrapped + 1);
    const int code = base->xOpen(base, name, wrapped->real, flags, out);
    if (wrapped->real->pMethods != nullptr) wrapped->base.pMethods = &Methods::all;
    return code;
}

void InterleavedVfs::lock_wanted() {
    if (step_ != Step::committed) return;
    step_ = Step::checkpointing;
    before_();
}

void InterleavedVfs::write_lock_freed() {
    if (step_ == Step::armed) step_ = Step::committed;
}

void InterleavedVfs::unfetch() {
    if (step_ != Step::checkpointing) return;
    step_ = Step::idle;
    during_();
}

}  // namespace headpond::reliability
