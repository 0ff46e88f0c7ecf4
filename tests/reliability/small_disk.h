// A file system of a few megabytes, and another tenant that fills it.
#pragma once

#include "support/private_mount.h"

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace headpond::reliability {

// Mounts a tmpfs of `bytes` on `folder`, as mount_privately does.
inline std::string mount_small_disk(const std::filesystem::path& folder, std::int64_t bytes) {
    return test::mount_privately(folder, "tmpfs", "mode=0700,size=" + std::to_string(bytes));
}

[[nodiscard]] inline std::int64_t disk_free(const std::filesystem::path& folder) {
    struct statvfs facts {};
    if (::statvfs(folder.c_str(), &facts) != 0) throw std::runtime_error("statvfs failed");
    return static_cast<std::int64_t>(facts.f_bavail) * static_cast<std::int64_t>(facts.f_frsize);
}

// Has a file that takes whatever is free.
class Tenant {
  public:
    explicit Tenant(std::filesystem::path file) : file_(std::move(file)) {}
    void fill() const {
        const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0) throw std::runtime_error("cannot make " + file_.string());
        for (const std::size_t bytes : {std::size_t{1} << 16, std::size_t{1} << 12}) {
            const std::vector<char> block(bytes, 't');
            while (::write(fd, block.data(), bytes) > 0) {
            }
        }
        ::close(fd);
    }
    void leave() const { std::filesystem::remove(file_); }

  private:
    std::filesystem::path file_;
};

}  // namespace headpond::reliability
