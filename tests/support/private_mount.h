// A file system that only this process sees.
#pragma once

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace headpond::test {

// Mounts a file system of that type on `folder`, seen by this process alone and gone with it: for a
// process of one thread. Without root in a user namespace of its own. Empty: done; else why not.
inline std::string mount_privately(const std::filesystem::path& folder, const char* type,
                                   const std::string& options) {
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
    if (::mount(type, folder.c_str(), type, 0, options.c_str()) != 0) return failed("mount");
    return {};
}

}  // namespace headpond::test
