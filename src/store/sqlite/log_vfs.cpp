#include "store/sqlite/log_vfs.h"

#include <headpond/error.h>

#include <cstddef>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>

#include <sqlite3.h>

namespace headpond::store::sqlite {

namespace {

// Of SQLite's file format (sqlite.org/fileformat2.html, "WAL File Format").
constexpr int log_header_bytes = 32;
constexpr int frame_header_bytes = 24;

// Frames that follow each other, of a transaction that is not whole yet. SQLite writes them under
// its write lock, and tells readers of them when the last one is written: the one whose header
// names the size of the database. So the last one sends all, and its xWrite answers for all.
class Frames {
  public:
    explicit Frames(sqlite3_file* log)
        : log_(log), held_(static_cast<unsigned char*>(sqlite3_malloc(capacity))) {}
    Frames(const Frames&) = delete;
    Frames& operator=(const Frames&) = delete;
    ~Frames() { sqlite3_free(held_); }

    int write(const void* bytes, int count, sqlite3_int64 offset) {
        if (offset == header_due_ && count == frame_header_bytes) {
            expect_page(bytes, offset);
            return hold(bytes, count, offset);
        }
        if (offset == page_due_) {
            expect_header(offset + count);
            if (!last_) return hold(bytes, count, offset);
            const int code = hold(bytes, count, offset);
            return code != SQLITE_OK ? code : flush();
        }
        // A log that begins anew, a header that is written once more, frames behind another
        // process's: as they come.
        if (const int code = flush()) return code;
        header_due_ = page_due_ = nowhere;
        if (count == log_header_bytes) expect_header(offset + count);
        if (count == frame_header_bytes) expect_page(bytes, offset);
        return log_->pMethods->xWrite(log_, bytes, count, offset);
    }

    // Those of a transaction that was not committed go where SQLite would have had them, while
    // nobody else may write there.
    int flush() {
        if (count_ == 0) return SQLITE_OK;
        const int count = count_;
        count_ = 0;
        return log_->pMethods->xWrite(log_, held_, count, at_);
    }

  private:
    // SQLite's VFS for Unix writes less than 128 KiB at a time (os_unix.c, seekAndWriteFd), and
    // calls the disk full where it is given more.
    static constexpr int capacity = 31 * (frame_header_bytes + 4096);
    static_assert(capacity < 128 * 1024);
    static constexpr sqlite3_int64 nowhere = -1;

    void expect_page(const void* header, sqlite3_int64 offset) {
        // Bytes 4 to 7: the pages of the database after a commit, else 0.
        unsigned char pages[4];
        std::memcpy(pages, static_cast<const unsigned char*>(header) + 4, sizeof pages);
        last_ = (pages[0] | pages[1] | pages[2] | pages[3]) != 0;
        page_due_ = offset + frame_header_bytes;
        header_due_ = nowhere;
    }
    void expect_header(sqlite3_int64 offset) {
        header_due_ = offset;
        page_due_ = nowhere;
    }

    int hold(const void* bytes, int count, sqlite3_int64 offset) {
        if (count > capacity - count_ || (count_ > 0 && offset != at_ + count_)) {
            if (const int code = flush()) return code;
        }
        if (held_ == nullptr || count > capacity) {
            return log_->pMethods->xWrite(log_, bytes, count, offset);
        }
        if (count_ == 0) at_ = offset;
        std::memcpy(held_ + count_, bytes, static_cast<std::size_t>(count));
        count_ += count;
        return SQLITE_OK;
    }

    sqlite3_file* log_;
    unsigned char* held_;  // null: there was no memory, and each write goes through
    int count_ = 0;
    sqlite3_int64 at_ = 0;
    sqlite3_int64 header_due_ = nowhere;
    sqlite3_int64 page_due_ = nowhere;
    bool last_ = false;
};

// The object that SQLite allots; the wrapped VFS's own follows where it fits no matter how large.
struct File {
    sqlite3_file base;
    sqlite3_file* real;
    Frames* frames;      // of a log, and of a database file whose log is open
    sqlite3_file* main;  // of a log: its database file, if that is one of ours
};

File* mine(sqlite3_file* file) {
    return reinterpret_cast<File*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
    return mine(file)->real;
}
const sqlite3_io_methods& methods_of(sqlite3_file* file) {
    return *real(file)->pMethods;
}
int flush(sqlite3_file* file) {
    return mine(file)->frames == nullptr ? SQLITE_OK : mine(file)->frames->flush();
}

int close_file(sqlite3_file* file) {
    File* own = mine(file);
    int code = SQLITE_OK;
    if (own->main != nullptr) {  // a log
        code = own->frames->flush();
        mine(own->main)->frames = nullptr;
        own->frames->~Frames();
        sqlite3_free(own->frames);
    }
    const int closed = methods_of(file).xClose(real(file));
    sqlite3_free(own->real);
    return code != SQLITE_OK ? code : closed;
}
int read_file(sqlite3_file* file, void* to, int count, sqlite3_int64 offset) {
    if (const int code = flush(file)) return code;
    return methods_of(file).xRead(real(file), to, count, offset);
}
int write_file(sqlite3_file* file, const void* from, int count, sqlite3_int64 offset) {
    File* own = mine(file);
    if (own->main != nullptr) return own->frames->write(from, count, offset);
    return methods_of(file).xWrite(real(file), from, count, offset);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
    if (const int code = flush(file)) return code;
    return methods_of(file).xTruncate(real(file), size);
}
int sync_file(sqlite3_file* file, int flags) {
    if (const int code = flush(file)) return code;
    return methods_of(file).xSync(real(file), flags);
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
    if (const int code = flush(file)) return code;
    return methods_of(file).xFileSize(real(file), size);
}
int lock_file(sqlite3_file* file, int level) {
    return methods_of(file).xLock(real(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
    return methods_of(file).xUnlock(real(file), level);
}
int check_reserved(sqlite3_file* file, int* reserved) {
    return methods_of(file).xCheckReservedLock(real(file), reserved);
}
int file_control(sqlite3_file* file, int operation, void* argument) {
    if (const int code = flush(file)) return code;
    return methods_of(file).xFileControl(real(file), operation, argument);
}
int sector_size(sqlite3_file* file) {
    return methods_of(file).xSectorSize(real(file));
}
int characteristics(sqlite3_file* file) {
    return methods_of(file).xDeviceCharacteristics(real(file));
}
int shm_map(sqlite3_file* file, int page, int bytes, int extend, void volatile** to) {
    return methods_of(file).xShmMap(real(file), page, bytes, extend, to);
}
// Before the write lock goes, what is held must be in its place: the next who gets the lock writes
// there too. An unlock cannot fail, and what is lost then was not committed.
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    const int code = flush(file);
    if (code != SQLITE_OK && (flags & SQLITE_SHM_LOCK) != 0) return code;
    return methods_of(file).xShmLock(real(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) {
    methods_of(file).xShmBarrier(real(file));
}
int shm_unmap(sqlite3_file* file, int remove) {
    return methods_of(file).xShmUnmap(real(file), remove);
}
int fetch(sqlite3_file* file, sqlite3_int64 offset, int count, void** to) {
    return methods_of(file).xFetch(real(file), offset, count, to);
}
int unfetch(sqlite3_file* file, sqlite3_int64 offset, void* page) {
    return methods_of(file).xUnfetch(real(file), offset, page);
}

// SQLite asks for the version to know which are there.
constexpr sqlite3_io_methods methods_to(int version) {
    return {version,      close_file,  read_file,       write_file,  truncate_file,
            sync_file,    file_size,   lock_file,       unlock_file, check_reserved,
            file_control, sector_size, characteristics, shm_map,     shm_lock,
            shm_barrier,  shm_unmap,   fetch,           unfetch};
}
constexpr sqlite3_io_methods methods[] = {methods_to(1), methods_to(2), methods_to(3)};

bool is_ours(const sqlite3_file* file) {
    for (const sqlite3_io_methods& one : methods) {
        if (file != nullptr && file->pMethods == &one) return true;
    }
    return false;
}

// Without memory for it the log is written as SQLite writes it.
void watch_log(const char* name, sqlite3_file* file) {
    sqlite3_file* main = sqlite3_database_file_object(name);
    if (!is_ours(main)) return;
    void* place = sqlite3_malloc(sizeof(Frames));
    if (place == nullptr) return;
    mine(file)->frames = new (place) Frames(real(file));
    mine(file)->main = main;
    mine(main)->frames = mine(file)->frames;
}

struct Wrapped {
    sqlite3_vfs vfs;
    sqlite3_vfs* base;
    std::string name;
};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    sqlite3_vfs* base = reinterpret_cast<Wrapped*>(vfs)->base;
    File* own = mine(file);
    *own = {};
    own->real = static_cast<sqlite3_file*>(sqlite3_malloc(base->szOsFile));
    if (own->real == nullptr) return SQLITE_NOMEM;
    own->real->pMethods = nullptr;
    const int code = base->xOpen(base, name, own->real, flags, out);
    if (own->real->pMethods == nullptr) {
        sqlite3_free(own->real);
        return code;
    }
    const int version = own->real->pMethods->iVersion;
    own->base.pMethods = &methods[version < 1 ? 0 : version > 3 ? 2 : version - 1];
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) watch_log(name, file);
    return code;
}

}  // namespace

const char* log_vfs() {
    static std::mutex mutex;
    static std::deque<Wrapped> all;  // SQLite keeps their addresses
    const std::lock_guard lock(mutex);
    sqlite3_vfs* base = sqlite3_vfs_find(nullptr);
    for (const Wrapped& one : all) {
        if (one.base == base) return one.name.c_str();
    }
    if (base == nullptr) throw Error(ErrorCode::io, "open", "", "SQLite has no default VFS");
    Wrapped& made = all.emplace_back();
    made.base = base;
    made.name = std::string("headpond-") + base->zName;
    made.vfs = *base;
    made.vfs.pNext = nullptr;
    made.vfs.zName = made.name.c_str();
    made.vfs.szOsFile = sizeof(File);
    made.vfs.xOpen = open_file;
    if (sqlite3_vfs_register(&made.vfs, 0) != SQLITE_OK) {
        all.pop_back();
        throw Error(ErrorCode::io, "open", "", "SQLite takes no further VFS");
    }
    return made.name.c_str();
}

}  // namespace headpond::store::sqlite
