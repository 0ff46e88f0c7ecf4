#include "output/output_file.h"

#include <cerrno>
#include <fstream>
#include <ostream>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace headpond::ingest {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(int error, const char* otherwise) {
    throw std::runtime_error(error == 0 ? otherwise : std::generic_category().message(error));
}

void write(const fs::path& file, const std::function<void(std::ostream&)>& fn) {
    errno = 0;
    std::ofstream out(file, std::ios::trunc);
    if (!out) fail(errno, "cannot be opened");
    fn(out);
    errno = 0;
    out.flush();
    // A write that failed before has left no errno that could be trusted.
    if (!out) fail(errno, "writing failed (is the disk full?)");
}

// Holds the file beside, so that no other process writes it at the same time.
class Held {
  public:
    explicit Held(const fs::path& file) {
        // Whoever held it may have renamed it before we have the lock.
        for (int tries = 0; tries < 100; ++tries) {
            fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
            if (fd_ < 0) fail(errno, "cannot be opened");
            if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
                ::close(fd_);
                throw std::runtime_error("another process is writing it");
            }
            struct stat held {
            }, named{};
            if (::fstat(fd_, &held) == 0 && ::stat(file.c_str(), &named) == 0 &&
                held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
                return;
            }
            ::close(fd_);
        }
        throw std::runtime_error("other processes are writing it");
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { ::close(fd_); }

    void sync() const {
        if (::fsync(fd_) != 0) fail(errno, "syncing failed");
    }

  private:
    int fd_ = -1;
};

}  // namespace

fs::path target_of(const std::string& path) {
    std::error_code error;
    fs::path target = path;
    for (int links = 0; fs::is_symlink(target, error) && links < 40; ++links) {
        target = target.parent_path() / fs::read_symlink(target);
    }
    return target;
}

fs::path beside(const fs::path& target) {
    fs::path whole = target;
    whole += ".new";
    return whole;
}

bool written_in_place(const fs::file_status& status) {
    return fs::exists(status) && !fs::is_regular_file(status);
}

void replace_file(const std::string& path, const std::function<void(std::ostream&)>& fn) {
    std::error_code error;
    const fs::path target = target_of(path);
    if (written_in_place(fs::status(target, error))) {
        write(target, fn);
        return;
    }
    const fs::path whole = beside(target);
    const Held held(whole);
    try {
        write(whole, fn);
        held.sync();
        fs::rename(whole, target);
    } catch (...) {
        fs::remove(whole, error);
        throw;
    }
}

}  // namespace headpond::ingest
