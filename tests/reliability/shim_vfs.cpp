#include "reliability/shim_vfs.h"

#include <csignal>
#include <cstring>
#include <new>

#include <sqlite3.h>
#include <unistd.h>

namespace headpond::reliability {

namespace {

sqlite3_vfs* real_vfs = nullptr;

// Lies before the real file's bytes, as SQLite allots szOsFile bytes for both.
struct ShimFile {
    sqlite3_file base;
    sqlite3_file* real;
    std::string* path;
};

ShimFile* shim(sqlite3_file* file) {
    return reinterpret_cast<ShimFile*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
    return shim(file)->real;
}
int strike(int failure, bool is_write = false) {
    return ShimVfs::instance().strike(failure, is_write);
}

int close_file(sqlite3_file* file) {
    const int code = real(file)->pMethods->xClose(real(file));
    delete shim(file)->path;
    return code;
}
int read_file(sqlite3_file* file, void* to, int bytes, sqlite3_int64 offset) {
    if (const int code = strike(SQLITE_IOERR_READ)) return code;
    return real(file)->pMethods->xRead(real(file), to, bytes, offset);
}
int write_file(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
    if (const int code = strike(SQLITE_IOERR_WRITE, true)) return code;
    const int code = real(file)->pMethods->xWrite(real(file), from, bytes, offset);
    ShimVfs::instance().saw(
        {.kind = DiskEvent::Kind::write,
         .file = *shim(file)->path,
         .offset = offset,
         .data = std::string(static_cast<const char*>(from), static_cast<std::size_t>(bytes))});
    return code;
}
// With a chunk size SQLite's VFS rounds up, and a size hint extends the file: what counts is what
// the file has afterwards.
void saw_size(sqlite3_file* file) {
    sqlite3_int64 size = 0;
    real(file)->pMethods->xFileSize(real(file), &size);
    ShimVfs::instance().saw(
        {.kind = DiskEvent::Kind::truncate, .file = *shim(file)->path, .offset = size, .data = {}});
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
    if (const int code = strike(SQLITE_IOERR_TRUNCATE)) return code;
    const int code = real(file)->pMethods->xTruncate(real(file), size);
    saw_size(file);
    return code;
}
int sync_file(sqlite3_file* file, int flags) {
    if (const int code = strike(SQLITE_IOERR_FSYNC)) return code;
    const int code = real(file)->pMethods->xSync(real(file), flags);
    ShimVfs::instance().saw(
        {.kind = DiskEvent::Kind::sync, .file = *shim(file)->path, .offset = 0, .data = {}});
    return code;
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
    if (const int code = strike(SQLITE_IOERR_FSTAT)) return code;
    return real(file)->pMethods->xFileSize(real(file), size);
}
int lock_file(sqlite3_file* file, int level) {
    if (const int code = strike(SQLITE_IOERR_LOCK)) return code;
    return real(file)->pMethods->xLock(real(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
}
int check_reserved(sqlite3_file* file, int* reserved) {
    if (const int code = strike(SQLITE_IOERR_CHECKRESERVEDLOCK)) return code;
    return real(file)->pMethods->xCheckReservedLock(real(file), reserved);
}
int file_control(sqlite3_file* file, int operation, void* argument) {
    if (operation == SQLITE_FCNTL_SIZE_HINT) {
        if (const int code = strike(SQLITE_IOERR_WRITE, true)) return code;
    }
    const int code = real(file)->pMethods->xFileControl(real(file), operation, argument);
    if (operation == SQLITE_FCNTL_SIZE_HINT) saw_size(file);
    return code;
}
int sector_size(sqlite3_file* file) {
    return real(file)->pMethods->xSectorSize(real(file));
}
int characteristics(sqlite3_file* file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
int shm_map(sqlite3_file* file, int page, int bytes, int extend, void volatile** to) {
    if (const int code = strike(SQLITE_IOERR_SHMMAP)) return code;
    return real(file)->pMethods->xShmMap(real(file), page, bytes, extend, to);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    if ((flags & SQLITE_SHM_LOCK) != 0) {
        if (const int code = strike(SQLITE_IOERR_SHMLOCK)) return code;
    }
    const int code = real(file)->pMethods->xShmLock(real(file), offset, count, flags);
    constexpr int write_lock = 0;  // WAL_WRITE_LOCK of SQLite's wal.c
    if (code == SQLITE_OK && offset == write_lock && (flags & SQLITE_SHM_EXCLUSIVE) != 0) {
        ShimVfs::instance().write_lock((flags & SQLITE_SHM_LOCK) != 0);
    }
    return code;
}
void shm_barrier(sqlite3_file* file) {
    real(file)->pMethods->xShmBarrier(real(file));
}
int shm_unmap(sqlite3_file* file, int remove) {
    return real(file)->pMethods->xShmUnmap(real(file), remove);
}

constexpr sqlite3_io_methods methods{
    2,         close_file,  read_file,      write_file,   truncate_file, sync_file,       file_size,
    lock_file, unlock_file, check_reserved, file_control, sector_size,   characteristics, shm_map,
    shm_lock,  shm_barrier, shm_unmap,      nullptr,      nullptr};

int open_file(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags, int* out) {
    file->pMethods = nullptr;
    if (const int code = strike(SQLITE_CANTOPEN)) return code;
    auto* mine = shim(file);
    mine->real = reinterpret_cast<sqlite3_file*>(mine + 1);
    const int code = real_vfs->xOpen(real_vfs, name, mine->real, flags, out);
    if (mine->real->pMethods == nullptr) return code;
    mine->path = new std::string(name == nullptr ? "" : name);
    mine->base.pMethods = &methods;
    return code;
}
int delete_file(sqlite3_vfs* /*vfs*/, const char* name, int sync_directory) {
    if (const int code = strike(SQLITE_IOERR_DELETE)) return code;
    const int code = real_vfs->xDelete(real_vfs, name, sync_directory);
    ShimVfs::instance().saw(
        {.kind = DiskEvent::Kind::remove, .file = name, .offset = 0, .data = {}});
    return code;
}
int access_file(sqlite3_vfs* /*vfs*/, const char* name, int flags, int* out) {
    if (const int code = strike(SQLITE_IOERR_ACCESS)) return code;
    return real_vfs->xAccess(real_vfs, name, flags, out);
}
int full_pathname(sqlite3_vfs* /*vfs*/, const char* name, int bytes, char* out) {
    return real_vfs->xFullPathname(real_vfs, name, bytes, out);
}

}  // namespace

ShimVfs::ShimVfs() {
    real_vfs = sqlite3_vfs_find(nullptr);
    static sqlite3_vfs wrapped = *real_vfs;
    wrapped.zName = "headpond-shim";
    wrapped.szOsFile = real_vfs->szOsFile + static_cast<int>(sizeof(ShimFile));
    wrapped.xOpen = open_file;
    wrapped.xDelete = delete_file;
    wrapped.xAccess = access_file;
    wrapped.xFullPathname = full_pathname;
    sqlite3_vfs_register(&wrapped, 1);
}

ShimVfs& ShimVfs::instance() {
    static ShimVfs one;
    return one;
}

void ShimVfs::record(std::function<void(const DiskEvent&)> sink) {
    sink_ = std::move(sink);
}

void ShimVfs::arm(const Fault& fault) {
    reset();
    fault_ = fault;
    armed_ = true;
}

void ShimVfs::disarm() {
    armed_ = false;
}

void ShimVfs::reset() {
    armed_ = false;
    struck_ = false;
    calls_ = writes_ = syncs_ = 0;
}

int ShimVfs::strike(int failure, bool is_write) {
    calls_ += 1;
    if (is_write) writes_ += 1;
    if (failure == SQLITE_IOERR_FSYNC) syncs_ += 1;
    if (!armed_) return SQLITE_OK;
    const bool full = fault_.what == Fault::What::full;
    if (full && !is_write) return SQLITE_OK;
    const std::int64_t number = full ? writes_ : calls_;
    if (number != fault_.at && !(fault_.from_then_on && number > fault_.at)) return SQLITE_OK;
    struck_ = true;
    if (fault_.what == Fault::What::kill) ::kill(getpid(), SIGKILL);
    return full ? SQLITE_FULL : failure;
}

void ShimVfs::saw(const DiskEvent& event) {
    if (sink_) sink_(event);
}

}  // namespace headpond::reliability
