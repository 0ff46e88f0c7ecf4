#include "feed/bounded_read.h"

#include "feed/feed_error.h"
#include "feed/fold.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace headpond::ingest {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{64} << 10;

[[noreturn]] void fail_too_large(std::string_view name, std::size_t bytes_max) {
    throw FeedError(for_message(name) + ": holds more than " + std::to_string(bytes_max) +
                    " bytes, the most that is read of a feed");
}

[[noreturn]] void fail_unreadable(std::string_view name, int error) {
    throw FeedError(for_message(name) +
                    ": cannot be read: " + std::generic_category().message(error) +
                    "; allowed: a readable file, or - for standard input");
}

// Appends what `read_some(buffer, size)` gives until it gives nothing. One byte above the limit is
// asked for, because only reading it tells a full body from one that is too large.
template <typename ReadSome>
std::string read_all(std::string_view name, std::size_t bytes_max, ReadSome read_some) {
    std::string body;
    for (;;) {
        const std::size_t held = body.size();
        const std::size_t wanted = std::min(chunk_bytes, bytes_max - held + 1);
        body.resize(held + wanted);
        const std::size_t got = read_some(body.data() + held, wanted);
        body.resize(held + got);
        if (body.size() > bytes_max) fail_too_large(name, bytes_max);
        if (got == 0) return body;
    }
}

struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
};

// Waits until the descriptor has bytes, its end or an error for a read. False: stopped.
class ReadyOrStopped {
  public:
    ReadyOrStopped(int descriptor, std::string_view name, const std::stop_token& stop)
        : descriptor_(descriptor),
          name_(name),
          stop_(stop),
          wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
          on_stop_(stop, [this] {
              const std::uint64_t one = 1;
              [[maybe_unused]] const auto written = ::write(wake_.descriptor, &one, sizeof one);
          }) {
        if (wake_.descriptor < 0) fail_unreadable(name, errno);
    }

    bool wait() const {
        std::array<pollfd, 2> both{pollfd{descriptor_, POLLIN, 0},
                                   pollfd{wake_.descriptor, POLLIN, 0}};
        while (::poll(both.data(), both.size(), -1) < 0) {
            if (errno != EINTR) fail_unreadable(name_, errno);
        }
        return !stop_.stop_requested();
    }

  private:
    int descriptor_;
    std::string_view name_;
    const std::stop_token& stop_;
    Closer wake_;
    std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace

std::string read_bounded(std::istream& stream, std::string_view name, std::size_t bytes_max) {
    return read_all(name, bytes_max, [&](char* buffer, std::size_t size) {
        stream.read(buffer, static_cast<std::streamsize>(size));
        if (stream.bad()) fail_unreadable(name, EIO);
        return static_cast<std::size_t>(stream.gcount());
    });
}

std::optional<std::string> read_bounded(int descriptor, std::string_view name,
                                        const std::stop_token& stop, std::size_t bytes_max) {
    // Polled for bytes, what can't be read would never be ready.
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY) fail_unreadable(name, EBADF);
    const ReadyOrStopped ready(descriptor, name, stop);
    bool stopped = false;
    std::string body = read_all(name, bytes_max, [&](char* buffer, std::size_t size) {
        for (;;) {
            stopped = !ready.wait();
            if (stopped) return std::size_t{0};
            const ssize_t got = ::read(descriptor, buffer, size);
            if (got >= 0) return static_cast<std::size_t>(got);
            if (errno != EINTR && errno != EAGAIN) fail_unreadable(name, errno);
        }
    });
    if (stopped) return std::nullopt;
    return body;
}

std::string read_bounded(int descriptor, std::string_view name, std::size_t bytes_max) {
    return *read_bounded(descriptor, name, std::stop_token{}, bytes_max);
}

std::optional<std::string> read_file(const std::string& path, const std::stop_token& stop,
                                     std::size_t bytes_max) {
    // The kernel would cut a path at an embedded NUL and open another file.
    if (path.find('\0') != std::string::npos) fail_unreadable(path, EINVAL);
    int descriptor = -1;
    do {
        // A named pipe without a writer would keep a blocking open, whatever the signal.
        descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) fail_unreadable(path, errno);
    const Closer closer{descriptor};
    return read_bounded(descriptor, path, stop, bytes_max);
}

std::string read_file(const std::string& path, std::size_t bytes_max) {
    return *read_file(path, std::stop_token{}, bytes_max);
}

}  // namespace headpond::ingest
