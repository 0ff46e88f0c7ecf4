#include "child.h"

#include "bench_vfs.h"
#include "interrupts.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace headpond::bench {

namespace {

struct Pipe {
    int read = -1, write = -1;
    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe can be made");
        read = ends[0];
        write = ends[1];
    }
};

}  // namespace

Child::Child(const std::string& task, int stop_signal) : stop_signal_(stop_signal) {
    const Pipe to, from;
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, to.read, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, from.write, STDOUT_FILENO);
    std::string name = "headpond-bench", option = "--worker", argument = task,
                delay = std::to_string(sync_delay().count());
    const std::array<char*, 5> arguments{name.data(), option.data(), argument.data(), delay.data(),
                                         nullptr};
    const int code =
        ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(), ::environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(to.read);
    ::close(from.write);
    input_ = to.write;
    output_ = from.read;
    if (code == 0) return;
    ::close(input_);
    ::close(output_);
    throw std::runtime_error("this program cannot be started anew: " +
                             std::string(std::strerror(code)));
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      stop_signal_(other.stop_signal_),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      read_(std::move(other.read_)) {}

Child::~Child() {
    if (pid_ < 0) return;
    ::close(input_);
    ::close(output_);
    ::kill(pid_, stop_signal_);
    ::waitpid(pid_, nullptr, 0);
}

void Child::write_line(const std::string& line) const {
    const std::string text = line + "\n";
    // Less than a pipe holds: written whole.
    if (::write(input_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        stop_if_interrupted();
        throw std::runtime_error("a worker ended early; its message is above");
    }
}

bool Child::succeeded() {
    ::close(input_);
    ::close(output_);
    int status = 0;
    pid_t ended = -1;
    do ended = ::waitpid(pid_, &status, 0);
    while (ended < 0 && errno == EINTR);
    pid_ = -1;
    return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string Child::read_line() {
    constexpr int silence_max_ms = 600'000;
    for (;;) {
        const std::size_t end = read_.find('\n');
        if (end != std::string::npos) {
            std::string line = read_.substr(0, end);
            read_.erase(0, end + 1);
            return line;
        }
        pollfd waiting{.fd = output_, .events = POLLIN, .revents = 0};
        const int ready = ::poll(&waiting, 1, silence_max_ms);
        stop_if_interrupted();
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) throw std::runtime_error("a worker said nothing for ten minutes");
        std::array<char, 4096> part{};
        const ssize_t size = ::read(output_, part.data(), part.size());
        if (size <= 0) throw std::runtime_error("a worker ended early; its message is above");
        read_.append(part.data(), static_cast<std::size_t>(size));
    }
}

}  // namespace headpond::bench
