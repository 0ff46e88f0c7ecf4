#include "store/sqlite/log_vfs.h"

#include <headpond/error.h>

#include <cstddef>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>
#include <string>

#include <sqlite3.h>

namespace headpond::store::sqlite {

namespace {

// Of SQLite's formats (sqlite.org/fileformat2.html, "WAL File Format"; sqlite.org/walformat.html).
constexpr int log_header_bytes = 32;
constexpr int frame_header_bytes = 24;
constexpr int write_lock = 0;

// A file control of our own, on a database file; SQLite leaves those above 100 to applications.
constexpr int control_committed_pages = 0x48500001;  // std::int64_t*

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

    // The write lock is ours. Without it (PRAGMA locking_mode=EXCLUSIVE) nobody says when a
    // transaction ends, and nothing is held.
    void begin() {
        writing_ = true;
        expect_header(anywhere);
    }
    // The write lock is about to go, and the next who gets it writes to the same place. What is
    // held now was not committed: it is written as SQLite would have written it, for the length
    // that it gives the log, and nothing is lost where that fails.
    void end() {
        (void)flush();
        writing_ = false;
        count_ = 0;
        failure_ = SQLITE_OK;
        header_due_ = page_due_ = nowhere;
    }

    int write(const void* bytes, int count, sqlite3_int64 offset) {
        if (failure_ != SQLITE_OK) return failure_;
        if (!writing_) {
            pages_ = 0;
            return write_through(bytes, count, offset);
        }
        const bool header = count == frame_header_bytes;
        if (header && (offset == header_due_ || header_due_ == anywhere)) {
            expect_page(bytes, offset);
            return hold(bytes, count, offset);
        }
        if (offset == page_due_ && is_page(count)) {
            expect_header(offset + count);
            const int code = hold(bytes, count, offset);
            return code == SQLITE_OK && last_ != 0 ? commit() : code;
        }
        // A log that begins anew, a page or a header that is written once more, what SQLite pads a
        // commit with: as they come.
        if (const int code = flush()) return code;
        header_due_ = page_due_ = nowhere;
        if (count == log_header_bytes && offset == 0) expect_header(count);
        if (header) expect_page(bytes, offset);
        return write_through(bytes, count, offset);
    }

    [[nodiscard]] std::int64_t committed_pages() const { return pages_; }

    int read(void* to, int count, sqlite3_int64 offset) {
        if (offset + count > at_) {
            if (const int code = flush()) return code;
        }
        return log_->pMethods->xRead(log_, to, count, offset);
    }

    // After a failure all fails that would have these frames in the log, to the end of the
    // transaction: SQLite goes on after a failing read, and must not commit without them.
    int flush() {
        if (failure_ != SQLITE_OK || count_ == 0) return failure_;
        const int count = count_;
        count_ = 0;
        return failure_ = write_through(held_, count, at_);
    }

  private:
    // SQLite's VFS for Unix writes less than 128 KiB at a time (os_unix.c, seekAndWriteFd), and
    // calls the disk full where it is given more.
    static constexpr int capacity = 31 * (frame_header_bytes + 4096);
    static_assert(capacity < 128 * 1024);
    static constexpr sqlite3_int64 nowhere = -1;
    static constexpr sqlite3_int64 anywhere = -2;

    void expect_page(const void* header, sqlite3_int64 offset) {
        // Bytes 4 to 7: the pages of the database after a commit, else 0.
        unsigned char pages[4];
        std::memcpy(pages, static_cast<const unsigned char*>(header) + 4, sizeof pages);
        last_ = 0;
        for (const unsigned char byte : pages) last_ = last_ << 8U | byte;
        page_due_ = offset + frame_header_bytes;
        header_due_ = nowhere;
    }
    int commit() {
        if (const int code = flush()) return code;
        pages_ = last_;
        return SQLITE_OK;
    }
    void expect_header(sqlite3_int64 offset) {
        header_due_ = offset;
        page_due_ = nowhere;
    }
    // A piece of one (SQLite cuts what it pads a commit with where it syncs) is none: the rest may
    // be as long as a header.
    static bool is_page(int count) { return count >= 512 && (count & (count - 1)) == 0; }

    int hold(const void* bytes, int count, sqlite3_int64 offset) {
        if (count > capacity - count_ || (count_ > 0 && offset != at_ + count_)) {
            if (const int code = flush()) return code;
        }
        if (held_ == nullptr || count > capacity) return write_through(bytes, count, offset);
        if (count_ == 0) at_ = offset;
        std::memcpy(held_ + count_, bytes, static_cast<std::size_t>(count));
        count_ += count;
        return SQLITE_OK;
    }
    int write_through(const void* bytes, int count, sqlite3_int64 offset) {
        return log_->pMethods->xWrite(log_, bytes, count, offset);
    }

    sqlite3_file* log_;
    unsigned char* held_;  // null: there was no memory, and each write goes through
    int count_ = 0;
    sqlite3_int64 at_ = 0;  // of what is held, or was lost in a failure
    int failure_ = SQLITE_OK;
    bool writing_ = false;
    sqlite3_int64 header_due_ = nowhere;
    sqlite3_int64 page_due_ = nowhere;
    std::uint32_t last_ = 0;  // the pages of the database, in a commit's last header
    std::int64_t pages_ = 0;
};

// The wrapped VFS's own object follows it.
struct File {
    sqlite3_file base;
    Frames* frames;      // of a log, and of a database file whose log is open
    sqlite3_file* main;  // of a log: its database file, if that is one of ours
};
static_assert(sizeof(File) % 8 == 0, "SQLite aligns what it allots for a file to 8 bytes");

File* mine(sqlite3_file* file) {
    return reinterpret_cast<File*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(mine(file) + 1);
}
const sqlite3_io_methods& methods_of(sqlite3_file* file) {
    return *real(file)->pMethods;
}
bool is_log(sqlite3_file* file) {
    return mine(file)->main != nullptr;
}
int flush(sqlite3_file* file) {
    return is_log(file) ? mine(file)->frames->flush() : SQLITE_OK;
}

int close_file(sqlite3_file* file) {
    File* own = mine(file);
    if (is_log(file)) {
        mine(own->main)->frames = nullptr;
        own->frames->~Frames();
        sqlite3_free(own->frames);
    }
    return methods_of(file).xClose(real(file));
}
int read_file(sqlite3_file* file, void* to, int count, sqlite3_int64 offset) {
    if (is_log(file)) return mine(file)->frames->read(to, count, offset);
    return methods_of(file).xRead(real(file), to, count, offset);
}
int write_file(sqlite3_file* file, const void* from, int count, sqlite3_int64 offset) {
    if (is_log(file)) return mine(file)->frames->write(from, count, offset);
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
    Frames* frames = is_log(file) ? nullptr : mine(file)->frames;
    if (frames != nullptr && operation == control_committed_pages) {
        *static_cast<std::int64_t*>(argument) = frames->committed_pages();
        return SQLITE_OK;
    }
    return methods_of(file).xFileControl(real(file), operation, argument);
}
// SQLite takes 4096 where a VFS has no such method.
int sector_size(sqlite3_file* file) {
    return methods_of(file).xSectorSize == nullptr ? 4096
                                                   : methods_of(file).xSectorSize(real(file));
}
int characteristics(sqlite3_file* file) {
    return methods_of(file).xDeviceCharacteristics(real(file));
}
int shm_map(sqlite3_file* file, int page, int bytes, int extend, void volatile** to) {
    return methods_of(file).xShmMap(real(file), page, bytes, extend, to);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    Frames* frames = mine(file)->frames;
    if ((flags & SQLITE_SHM_EXCLUSIVE) == 0 || offset != write_lock) frames = nullptr;
    if (frames != nullptr && (flags & SQLITE_SHM_UNLOCK) != 0) frames->end();
    const int code = methods_of(file).xShmLock(real(file), offset, count, flags);
    if (frames != nullptr && (flags & SQLITE_SHM_LOCK) != 0 && code == SQLITE_OK) frames->begin();
    return code;
}
void shm_barrier(sqlite3_file* file) {
    methods_of(file).xShmBarrier(real(file));
}
int shm_unmap(sqlite3_file* file, int remove) {
    if (mine(file)->frames != nullptr) mine(file)->frames->end();  // the locks go with it
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

// A VFS of any version may be one without shared memory.
const sqlite3_io_methods* as_many_as(const sqlite3_io_methods& wrapped) {
    if (wrapped.iVersion < 2 || wrapped.xShmMap == nullptr) return &methods[0];
    return wrapped.iVersion == 2 ? &methods[1] : &methods[2];
}

bool is_ours(const sqlite3_file* file) {
    for (const sqlite3_io_methods& one : methods) {
        if (file != nullptr && file->pMethods == &one) return true;
    }
    return false;
}

// Without memory for it the log is written as SQLite writes it.
void watch_log(const char* name, sqlite3_file* file) {
    sqlite3_file* main = sqlite3_database_file_object(name);
    if (!is_ours(main) || mine(main)->frames != nullptr) return;
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
    *mine(file) = {};
    real(file)->pMethods = nullptr;
    const int code = base->xOpen(base, name, real(file), flags, out);
    if (real(file)->pMethods == nullptr) return code;
    file->pMethods = as_many_as(methods_of(file));
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) watch_log(name, file);
    return code;
}

// The rest of a VFS's methods, called with the VFS that they belong to.
template <auto member, class Result, class... Rest>
void pass_on(Wrapped& made, Result (*method)(sqlite3_vfs*, Rest...)) {
    if (method == nullptr) return;
    made.vfs.*member = [](sqlite3_vfs* vfs, Rest... rest) -> Result {
        sqlite3_vfs* base = reinterpret_cast<Wrapped*>(vfs)->base;
        return (base->*member)(base, rest...);
    };
}
template <auto... members>
void pass_on_all(Wrapped& made) {
    (pass_on<members>(made, made.base->*members), ...);
}

}  // namespace

const char* log_vfs() {
    static std::mutex mutex;
    // SQLite keeps their addresses, and connections may be open when static objects go.
    static auto& all = *new std::deque<Wrapped>;
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
    made.vfs.szOsFile += static_cast<int>(sizeof(File));
    made.vfs.xOpen = open_file;
    pass_on_all<&sqlite3_vfs::xDelete, &sqlite3_vfs::xAccess, &sqlite3_vfs::xFullPathname,
                &sqlite3_vfs::xDlOpen, &sqlite3_vfs::xDlError, &sqlite3_vfs::xDlSym,
                &sqlite3_vfs::xDlClose, &sqlite3_vfs::xRandomness, &sqlite3_vfs::xSleep,
                &sqlite3_vfs::xCurrentTime, &sqlite3_vfs::xGetLastError,
                &sqlite3_vfs::xCurrentTimeInt64, &sqlite3_vfs::xSetSystemCall,
                &sqlite3_vfs::xGetSystemCall, &sqlite3_vfs::xNextSystemCall>(made);
    if (sqlite3_vfs_register(&made.vfs, 0) != SQLITE_OK) {
        all.pop_back();
        throw Error(ErrorCode::io, "open", "", "SQLite takes no further VFS");
    }
    return made.name.c_str();
}

std::int64_t committed_pages(sqlite3* connection) noexcept {
    std::int64_t pages = 0;
    sqlite3_file_control(connection, "main", control_committed_pages, &pages);
    return pages;
}

sqlite3_file* log_of(sqlite3* connection) noexcept {
    sqlite3_file* log = nullptr;
    sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    return log != nullptr && is_ours(log) ? log : nullptr;
}

// Past the frames that are held: those are of a transaction to come, and another thread's.
int sync_log(sqlite3_file* log) noexcept {
    return methods_of(log).xSync(real(log), SQLITE_SYNC_NORMAL);
}

}  // namespace headpond::store::sqlite
