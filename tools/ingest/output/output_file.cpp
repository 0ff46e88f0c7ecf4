#include "output/output_file.h"

#include <algorithm>
#include <cerrno>
#include <ostream>
#include <stdexcept>
#include <streambuf>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace headpond::ingest {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail() {
    throw std::runtime_error(std::generic_category().message(errno));
}

// Throws what keeps it from writing.
class DescriptorBuffer final : public std::streambuf {
  public:
    explicit DescriptorBuffer(int fd) : fd_(fd), buffer_(65'536) {
        setp(buffer_.data(), buffer_.data() + buffer_.size());
    }

  protected:
    int_type overflow(int_type next) override {
        sync();
        if (!traits_type::eq_int_type(next, traits_type::eof())) {
            *pptr() = traits_type::to_char_type(next);
            pbump(1);
        }
        return traits_type::not_eof(next);
    }
    int sync() override {
        for (const char* at = pbase(); at < pptr();) {
            const ssize_t count = ::write(fd_, at, static_cast<std::size_t>(pptr() - at));
            if (count < 0 && errno != EINTR) fail();
            at += std::max<ssize_t>(count, 0);
        }
        setp(buffer_.data(), buffer_.data() + buffer_.size());
        return 0;
    }

  private:
    const int fd_;
    std::vector<char> buffer_;
};

void write(int fd, const std::function<void(std::ostream&)>& fn) {
    DescriptorBuffer buffer(fd);
    std::ostream out(&buffer);
    // The first failure ends the writing, and is passed on as it is.
    out.exceptions(std::ios::badbit);
    fn(out);
    out.flush();
}

// An open file, closed with it.
class Descriptor {
  public:
    Descriptor(const fs::path& file, int flags)
        : fd_(::open(file.c_str(), flags | O_CLOEXEC, 0666)) {
        if (fd_ < 0) fail();
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { ::close(fd_); }
    [[nodiscard]] int get() const { return fd_; }

  private:
    int fd_;
};

bool is_open_at(int fd, const fs::path& file) {
    struct stat held {
    }, named{};
    return ::fstat(fd, &held) == 0 && ::stat(file.c_str(), &named) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

// False: whoever held the file has renamed it meanwhile.
bool write_beside(const fs::path& whole, const fs::path& target,
                  const std::function<void(std::ostream&)>& fn) {
    const Descriptor file(whole, O_RDWR | O_CREAT);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        throw std::runtime_error("another process is writing it");
    }
    if (!is_open_at(file.get(), whole)) return false;
    try {
        if (::ftruncate(file.get(), 0) != 0) fail();
        write(file.get(), fn);
        if (::fsync(file.get()) != 0) fail();
        if (::rename(whole.c_str(), target.c_str()) != 0) fail();
    } catch (...) {
        std::error_code error;
        fs::remove(whole, error);
        throw;
    }
    return true;
}

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
        write(Descriptor(target, O_WRONLY).get(), fn);
        return;
    }
    constexpr int tries = 100;
    for (int i = 0; i < tries; ++i) {
        if (write_beside(beside(target), target, fn)) return;
    }
    throw std::runtime_error("other processes keep writing it");
}

}  // namespace headpond::ingest
