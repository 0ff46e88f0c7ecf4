#include "platform/files.h"

#include <headpond/error.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace headpond::platform {

namespace {

constexpr std::string_view allowed_path = "allowed: the path of a file on a local disk";

Error bad_path(std::string_view path, std::string_view wrong) {
    return {ErrorCode::misuse, "open", path, std::string(wrong) + "; " + std::string(allowed_path)};
}

Error os_error(std::string_view path, std::string_view doing) {
    return {ErrorCode::io, "open", path,
            std::string(doing) + ": " + std::generic_category().message(errno) +
                "; allowed: a file in a directory that this user may write"};
}

std::string shown(const std::string& text) {
    constexpr std::size_t most = 80;
    std::string out;
    for (const char c : text.substr(0, most)) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    return text.size() > most ? out + "..." : out;
}

}  // namespace

std::string resolve_database(const std::filesystem::path& path) {
    const std::string text = path.string();
    if (text.empty()) throw bad_path("", "the path is empty");
    if (text.find('\0') != std::string::npos) throw bad_path("", "the path contains a NUL byte");
    if (text.size() >= PATH_MAX) {
        throw bad_path(shown(text), "the path has " + std::to_string(text.size()) +
                                        " bytes, over " + std::to_string(PATH_MAX - 1));
    }
    if (text == ":memory:") {
        throw bad_path(text, "a queue in memory would be lost with the process");
    }
    if (text == "-") throw bad_path(text, "a stream holds no queue (a file of that name is ./-)");
    if (text.starts_with("file:")) throw bad_path(shown(text), "URIs are not taken");
    const std::filesystem::path name = path.filename();
    if (name.empty() || name == "." || name == "..") throw bad_path(text, "this names a directory");
    std::error_code error;
    const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    const auto directory = std::filesystem::canonical(parent, error);
    if (error) {
        throw Error(ErrorCode::io, "open", text,
                    "the directory " + shown(parent.string()) + ": " + error.message() +
                        "; allowed: an existing directory");
    }
    return (directory / name).string();
}

FileFacts look_at(const std::string& path) {
    struct stat facts {};
    if (lstat(path.c_str(), &facts) != 0) {
        if (errno == ENOENT) return {};
        throw os_error(path, "cannot look at the file");
    }
    if (S_ISLNK(facts.st_mode)) throw bad_path(path, "the file is a symbolic link");
    if (S_ISDIR(facts.st_mode)) throw bad_path(path, "this is a directory");
    if (!S_ISREG(facts.st_mode)) throw bad_path(path, "this is no regular file");
    if (facts.st_nlink > 1) {
        throw bad_path(path, "the file has " + std::to_string(facts.st_nlink) +
                                 " hard links, and each name would have a log of its own");
    }
    return {.exists = true,
            .bytes = facts.st_size,
            .inode = facts.st_ino,
            .mode = facts.st_mode & 07777U,
            .owner = facts.st_uid,
            .group = facts.st_gid,
            .links = static_cast<unsigned>(facts.st_nlink)};
}

void require_local(const std::string& path) {
    // From linux/magic.h and the file systems' sources: NFS, SMB1, CIFS, SMB2.
    constexpr long network[] = {0x6969, 0x517B, static_cast<long>(0xFF534D42),
                                static_cast<long>(0xFE534D42)};
    const std::string directory = std::filesystem::path(path).parent_path().string();
    struct statfs facts {};
    if (statfs(directory.c_str(), &facts) != 0) throw os_error(path, "statfs of the directory");
    for (const long magic : network) {
        if (static_cast<long>(facts.f_type) == magic) {
            throw Error(ErrorCode::unsupported, "open", path,
                        "the file system is a network one (NFS or SMB), where locks can't be "
                        "trusted; allowed: a local file system");
        }
    }
}

bool create_private(const std::string& path) {
    const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        if (errno == EEXIST) return false;
        throw os_error(path, "cannot create the file");
    }
    ::close(fd);
    return true;
}

FilesInPlace::FilesInPlace(const std::string& database) {
    constexpr std::array<std::string_view, 3> ends{"", "-wal", "-shm"};
    for (std::size_t i = 0; i < ends.size(); ++i) {
        Place& place = places_[i];
        place.path = database + std::string(ends[i]);
        struct stat facts {};
        if (stat(place.path.c_str(), &facts) != 0) {
            throw os_error(place.path, "cannot look at the file");
        }
        place.device = facts.st_dev;
        place.inode = facts.st_ino;
    }
}

const std::string* FilesInPlace::displaced() const noexcept {
    for (const Place& place : places_) {
        struct stat facts {};
        const bool same = stat(place.path.c_str(), &facts) == 0 && facts.st_dev == place.device &&
                          facts.st_ino == place.inode;
        if (!same) return &place.path;
    }
    return nullptr;
}

std::int64_t disk_free(const std::string& path) {
    struct statvfs facts {};
    if (statvfs(path.c_str(), &facts) != 0) return 0;
    return static_cast<std::int64_t>(facts.f_bavail) * static_cast<std::int64_t>(facts.f_frsize);
}

}  // namespace headpond::platform
