// A file system of a few megabytes, and another tenant that fills it.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace headpond::reliability {

// Mounts a tmpfs of `bytes` on `folder`, seen by this process alone and gone with it: for a forked
// child of one thread. Without root in a user namespace of its own. Empty: done; else why not.
inline std::string mount_small_disk(const std::filesystem::path& folder, std::int64_t bytes) {
    const auto failed = [](const char* call) {
        return std::string(call) + " says " + std::strerror(errno);
    };
    const uid_t user = ::geteuid();
    const gid_t group = ::getegid();
    if (::unshare(CLONE_NEWNS) != 0) {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return failed("unshare");
        std::ofstream("/proc/self/setgroups") << "deny";
        std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
        std::ofstream("/proc/self/gid_map") << "0 " << group << " 1";
    }
    // The mount that the folder lies in: "/" itself is none in a chroot.
    std::filesystem::path around = folder;
    while (::mount("none", around.c_str(), nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        if (errno != EINVAL || around == around.parent_path()) return failed("mount (private)");
        around = around.parent_path();
    }
    const std::string size = "mode=0700,size=" + std::to_string(bytes);
    if (::mount("tmpfs", folder.c_str(), "tmpfs", 0, size.c_str()) != 0) return failed("mount");
    return {};
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
