#include "input.h"

#include "utf8.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace headpond::cli {

Input::Input(const std::string& path)
    : fd_(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
      name_(path == "-" ? "stdin" : shown(path)) {
    if (fd_ < 0) {
        throw InputError(name_ + ": " + std::generic_category().message(errno) +
                         "; allowed: a readable file, or - for stdin");
    }
}

Input::~Input() {
    if (fd_ != STDIN_FILENO) ::close(fd_);
}

bool Input::read_some(std::string& buffer) {
    constexpr std::size_t part = 64 * 1024;
    const std::size_t before = buffer.size();
    buffer.resize(before + part);
    ssize_t got = -1;
    do {
        got = ::read(fd_, buffer.data() + before, part);
    } while (got < 0 && errno == EINTR);
    const int error = errno;
    buffer.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) {
        throw InputError(name_ + ": " + std::generic_category().message(error) +
                         "; allowed: a readable file or pipe");
    }
    return got > 0;
}

bool Input::ready() const {
    pollfd one{.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, 0) != 0;
}

std::optional<std::string_view> LineReader::next() {
    for (;;) {
        const auto end = buffer_.find('\n', scanned_);
        const bool whole = end != std::string::npos;
        const std::size_t bytes = (whole ? end : buffer_.size()) - at_;
        if (bytes > bytes_max_) {
            throw InputError("line " + std::to_string(number_ + 1) + ": over " +
                             std::to_string(bytes_max_) + " bytes; allowed: up to that many");
        }
        if (whole || (ended_ && bytes > 0)) {
            const std::string_view line(buffer_.data() + at_, bytes);
            at_ += bytes + (whole ? 1 : 0);
            scanned_ = at_;
            ++number_;
            return line;
        }
        if (ended_) return std::nullopt;
        buffer_.erase(0, at_);
        at_ = 0;
        scanned_ = buffer_.size();
        ended_ = !input_->read_some(buffer_);
    }
}

bool LineReader::ready() const {
    return ended_ || buffer_.find('\n', scanned_) != std::string::npos || input_->ready();
}

}  // namespace headpond::cli
