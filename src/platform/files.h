// Files, seen by path: the database is never opened here, because closing any descriptor of it
// would drop the process's POSIX locks on it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

namespace headpond::platform {

struct FileFacts {
    bool exists = false;
    std::int64_t bytes = -1;
    std::uint64_t inode = 0;
    unsigned mode = 0;
    unsigned owner = 0, group = 0;
    unsigned links = 0;
};

// Checks and resolves the path of a database: the directory's symbolic links are followed, a
// symbolic link as the last component is refused. Throws misuse, or io where the directory is
// missing.
[[nodiscard]] std::string resolve_database(const std::filesystem::path& path);

// Facts about a resolved path, by stat. Throws misuse for what is no regular file or has several
// names (its side files would differ by name), io where stat fails.
[[nodiscard]] FileFacts look_at(const std::string& path);

// Throws unsupported on NFS and SMB, where neither locks nor shared memory can be trusted.
void require_local(const std::string& path);

// Creates an empty file, mode 0600. False: it exists already. Throws io.
bool create_private(const std::string& path);

// The files of an open database as they were when it was opened. Whoever moves, removes or replaces
// one leaves the processes that have it open on files that nobody else finds: what they store is
// lost with them, and without a shared -shm they no longer see each other's locks.
// Thread safety: const after construction.
class FilesInPlace {
  public:
    // Looks at the database, its -wal and its -shm, by path; they must be open already.
    explicit FilesInPlace(const std::string& database);
    // The first that is not where it was; nullptr when all are. Throws nothing, allocates nothing.
    [[nodiscard]] const std::string* displaced() const noexcept;

  private:
    struct Place {
        std::string path;
        std::uint64_t device = 0, inode = 0;
    };
    std::array<Place, 3> places_;
};

// Bytes that an unprivileged process may still write to the file system of `path`.
[[nodiscard]] std::int64_t disk_free(const std::string& path);

}  // namespace headpond::platform
