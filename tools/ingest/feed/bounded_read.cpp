#include "feed/bounded_read.h"

#include "feed/feed_error.h"
#include "feed/fold.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
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

}  // namespace

std::string read_bounded(std::istream& stream, std::string_view name, std::size_t bytes_max) {
    return read_all(name, bytes_max, [&](char* buffer, std::size_t size) {
        stream.read(buffer, static_cast<std::streamsize>(size));
        if (stream.bad()) fail_unreadable(name, EIO);
        return static_cast<std::size_t>(stream.gcount());
    });
}

std::string read_bounded(int descriptor, std::string_view name, std::size_t bytes_max) {
    return read_all(name, bytes_max, [&](char* buffer, std::size_t size) {
        for (;;) {
            const ssize_t got = ::read(descriptor, buffer, size);
            if (got >= 0) return static_cast<std::size_t>(got);
            if (errno != EINTR) fail_unreadable(name, errno);
        }
    });
}

std::string read_file(const std::string& path, std::size_t bytes_max) {
    // The kernel would cut a path at an embedded NUL and open another file.
    if (path.find('\0') != std::string::npos) fail_unreadable(path, EINVAL);
    int descriptor = -1;
    do {
        descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) fail_unreadable(path, errno);

    struct Closer {
        int descriptor;
        ~Closer() { ::close(descriptor); }
    } closer{descriptor};
    return read_bounded(descriptor, path, bytes_max);
}

}  // namespace headpond::ingest
