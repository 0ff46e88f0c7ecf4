// SQLite's VFS with eyes on its logs: counts the writes, lets one or a sync fail, tells of a
// commit's moment.
#pragma once

#include <functional>
#include <utility>

#include <sqlite3.h>

namespace headpond::test {

// One for the process: SQLite keeps a VFS for ever. For one thread.
class WatchedVfs {
  public:
    static WatchedVfs& instance() {
        static auto& one = *new WatchedVfs;
        return one;
    }
    // The default VFS while it lives.
    class AsDefault {
      public:
        AsDefault() { sqlite3_vfs_register(&instance().registered_.vfs, 1); }
        AsDefault(const AsDefault&) = delete;
        AsDefault& operator=(const AsDefault&) = delete;
        ~AsDefault() {
            sqlite3_vfs_register(instance().base_, 1);
            instance().heal();
            instance().on_barrier = nullptr;
        }
    };

    // The name of the wrapped one, for connections that nobody watches.
    [[nodiscard]] const char* plain() const { return base_->zName; }
    [[nodiscard]] int log_writes() const { return writes_; }
    // The n-th write to a log from now on fails, or all from it on.
    void fail(int number, int code, bool from_then_on = false) {
        fail_at_ = writes_ + number;
        failure_ = code;
        lasting_ = from_then_on;
        struck_ = false;
    }
    void heal() {
        fail_at_ = 0;
        fail_sync_ = false;
    }
    // The next sync of a log fails, and no other: as the kernel tells of a failed write.
    void fail_next_sync() { fail_sync_ = true; }
    [[nodiscard]] bool struck() const { return struck_; }
    // Called at each barrier of a database file's shared memory; a commit has one when its frames
    // are in the log, and readers see it after that.
    std::function<void()> on_barrier;

  private:
    struct Registered {
        sqlite3_vfs vfs;
        WatchedVfs* self;
    };

    WatchedVfs() {
        base_ = sqlite3_vfs_find(nullptr);
        registered_ = {*base_, this};
        registered_.vfs.pNext = nullptr;
        registered_.vfs.zName = "watched";
        registered_.vfs.xOpen = open;
        registered_.vfs.xFullPathname = full_pathname;
    }
    static WatchedVfs& of(sqlite3_vfs* vfs) { return *reinterpret_cast<Registered*>(vfs)->self; }

    static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
        WatchedVfs& self = of(vfs);
        const int code = self.base_->xOpen(self.base_, name, file, flags, out);
        if (file->pMethods == nullptr) return code;
        if ((flags & SQLITE_OPEN_WAL) != 0) {
            self.log_ = self.base_log_ = *file->pMethods;
            self.log_.xWrite = write_log;
            self.log_.xSync = sync_log;
            file->pMethods = &self.log_;
        } else if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
            self.main_ = self.base_main_ = *file->pMethods;
            self.main_.xShmBarrier = barrier;
            file->pMethods = &self.main_;
        }
        return code;
    }
    static int full_pathname(sqlite3_vfs* vfs, const char* name, int bytes, char* out) {
        sqlite3_vfs* base = of(vfs).base_;
        return base->xFullPathname(base, name, bytes, out);
    }
    static int write_log(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
        WatchedVfs& self = instance();
        const int number = ++self.writes_;
        const int at = self.fail_at_;
        if (at == 0 || (number != at && !(self.lasting_ && number > at))) {
            return self.base_log_.xWrite(file, bytes, count, offset);
        }
        self.struck_ = true;
        self.base_log_.xWrite(file, bytes, count / 2, offset);  // as far as the disk had room
        return self.failure_;
    }
    static int sync_log(sqlite3_file* file, int flags) {
        WatchedVfs& self = instance();
        if (std::exchange(self.fail_sync_, false)) return SQLITE_IOERR_FSYNC;
        return self.base_log_.xSync(file, flags);
    }
    static void barrier(sqlite3_file* file) {
        instance().base_main_.xShmBarrier(file);
        if (instance().on_barrier) instance().on_barrier();
    }

    sqlite3_vfs* base_ = nullptr;
    Registered registered_{};
    sqlite3_io_methods log_{};
    sqlite3_io_methods base_log_{};
    sqlite3_io_methods main_{};
    sqlite3_io_methods base_main_{};
    int writes_ = 0;
    int fail_at_ = 0;
    int failure_ = SQLITE_OK;
    bool lasting_ = false;
    bool struck_ = false;
    bool fail_sync_ = false;
};

}  // namespace headpond::test
