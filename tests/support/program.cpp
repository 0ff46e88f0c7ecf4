#include "support/program.h"

#include "support/private_mount.h"
#include "support/temp_dir.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace headpond::test {

namespace {

constexpr int patience_ms = 60'000;

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

void close_fd(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
}

// Read end, write end.
std::pair<int, int> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
    return {ends[0], ends[1]};
}

// The controlling side of a new pseudo terminal. A bare system has no /dev/pts: it gets one of
// ours.
int open_terminal() {
    const int fd = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0) return fd;
    // In a chroot the root's own mount is out of reach, that of /dev is not.
    const TempDir folder("/dev/shm");
    const std::string refused = mount_privately(folder.path(), "devpts", "newinstance");
    if (!refused.empty()) throw std::runtime_error("no pseudo terminal: " + refused);
    const int own = ::open((folder / "ptmx").c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    // What is open stays.
    if (::umount2(folder.path().c_str(), MNT_DETACH) != 0 || own < 0) fail("/dev/pts of our own");
    return own;
}

// Our side, the program's side; without echo, so that what we type does not come back.
std::pair<int, int> make_terminal() {
    const int ours = open_terminal();
    if (::unlockpt(ours) != 0) fail("unlockpt");
    const int theirs = ::ioctl(ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (theirs < 0) fail("open the terminal");
    termios settings{};
    if (::tcgetattr(theirs, &settings) != 0) fail("tcgetattr");
    settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    if (::tcsetattr(theirs, TCSANOW, &settings) != 0) fail("tcsetattr");
    return {ours, theirs};
}

std::vector<std::string> environment_of(const std::map<std::string, std::string>& more) {
    std::vector<std::string> all;
    for (char** one = environ; *one != nullptr; ++one) {
        const std::string_view text(*one);
        const std::string name(text.substr(0, text.find('=')));
        const bool ours = name.starts_with("HEADPOND_") || name.starts_with("MOONSHOT_");
        if (!ours && !more.contains(name)) all.emplace_back(text);
    }
    for (const auto& [name, value] : more) all.push_back(name + "=" + value);
    return all;
}

std::vector<char*> pointers_of(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

class Actions {
  public:
    Actions() { posix_spawn_file_actions_init(&actions_); }
    Actions(const Actions&) = delete;
    Actions& operator=(const Actions&) = delete;
    ~Actions() { posix_spawn_file_actions_destroy(&actions_); }
    posix_spawn_file_actions_t* get() { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_{};
};

// The program starts with SIGPIPE as a shell leaves it, not ignored as it is here.
class Attributes {
  public:
    Attributes() {
        posix_spawnattr_init(&attributes_);
        sigset_t defaults;
        sigemptyset(&defaults);
        sigaddset(&defaults, SIGPIPE);
        posix_spawnattr_setsigdefault(&attributes_, &defaults);
        posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF);
    }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    ~Attributes() { posix_spawnattr_destroy(&attributes_); }
    const posix_spawnattr_t* get() const { return &attributes_; }

  private:
    posix_spawnattr_t attributes_{};
};

void redirect(Actions& actions, int fd, int target, const std::filesystem::path& path, int flags) {
    if (path.empty()) {
        posix_spawn_file_actions_adddup2(actions.get(), fd, target);
    } else {
        posix_spawn_file_actions_addopen(actions.get(), target, path.c_str(), flags, 0600);
    }
}

}  // namespace

Program::Program(const std::filesystem::path& path, const ProgramOptions& options)
    : terminal_(options.terminal) {
    // A write to a program that has ended is an error here, not the end of the test.
    ::signal(SIGPIPE, SIG_IGN);
    int in = -1, out = -1, err = -1;
    std::tie(error_, err) = make_pipe();
    if (terminal_) {
        std::tie(output_, in) = make_terminal();
        input_ = ::fcntl(output_, F_DUPFD_CLOEXEC, 0);
        out = ::fcntl(in, F_DUPFD_CLOEXEC, 0);
    } else {
        std::tie(in, input_) = make_pipe();
        std::tie(output_, out) = make_pipe();
    }
    Actions actions;
    if (!options.directory.empty()) {
        posix_spawn_file_actions_addchdir_np(actions.get(), options.directory.c_str());
    }
    redirect(actions, in, STDIN_FILENO, options.stdin_path, O_RDONLY);
    redirect(actions, out, STDOUT_FILENO, options.stdout_path, O_WRONLY | O_CREAT);
    redirect(actions, err, STDERR_FILENO, {}, 0);
    for (const int fd : options.closed) posix_spawn_file_actions_addclose(actions.get(), fd);
    std::vector<std::string> arguments = options.arguments;
    arguments.insert(arguments.begin(), path.string());
    auto environment = environment_of(options.environment);
    const Attributes attributes;
    const int code = ::posix_spawn(&pid_, path.c_str(), actions.get(), attributes.get(),
                                   pointers_of(arguments).data(), pointers_of(environment).data());
    close_fd(in);
    close_fd(out);
    close_fd(err);
    if (code != 0) {
        errno = code;
        fail("posix_spawn");
    }
}

Program::~Program() {
    close_fd(input_);
    close_fd(output_);
    close_fd(error_);
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void Program::signal(int number) const {
    ::kill(pid_, number);
}

void Program::close_output() {
    close_fd(output_);
}

void Program::write(const std::string& text) {
    std::string_view left = text;
    while (!left.empty()) {
        const ssize_t written = ::write(input_, left.data(), left.size());
        if (written < 0) fail("write to the program");
        left.remove_prefix(static_cast<std::size_t>(written));
    }
}

// False at the end; a terminal whose other side is gone says EIO.
bool Program::read_part(int& fd, std::string& text) {
    std::array<char, 65536> part{};
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got > 0) {
        text.append(part.data(), static_cast<std::size_t>(got));
        return true;
    }
    if (got < 0 && errno == EINTR) return true;
    close_fd(fd);
    return false;
}

std::string Program::read_line() {
    for (;;) {
        const auto end = out_.find('\n');
        if (end != std::string::npos) {
            const std::string line = out_.substr(0, end);
            out_.erase(0, end + 1);
            return line;
        }
        pollfd one{.fd = output_, .events = POLLIN, .revents = 0};
        if (::poll(&one, 1, patience_ms) <= 0) throw std::runtime_error("no line came");
        if (!read_part(output_, out_)) throw std::runtime_error("stdout ended without a line");
    }
}

void Program::pump(const std::string& input) {
    std::string_view left = input;
    if (!terminal_ && left.empty()) close_fd(input_);
    while (output_ >= 0 || error_ >= 0) {
        std::array<pollfd, 3> all{pollfd{output_, POLLIN, 0}, pollfd{error_, POLLIN, 0},
                                  pollfd{left.empty() ? -1 : input_, POLLOUT, 0}};
        if (::poll(all.data(), all.size(), patience_ms) <= 0) {
            throw std::runtime_error("the program does not end");
        }
        if (all[0].revents != 0) read_part(output_, out_);
        if (all[1].revents != 0) read_part(error_, err_);
        if (all[2].revents == 0) continue;
        // At most PIPE_BUF bytes never block where poll said yes.
        constexpr std::size_t part = 4096;
        const ssize_t written = ::write(input_, left.data(), std::min(left.size(), part));
        left.remove_prefix(written < 0 ? left.size() : static_cast<std::size_t>(written));
        if (!terminal_ && left.empty()) close_fd(input_);
    }
}

ProgramResult Program::finish(const std::string& input) {
    pump(input);
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) fail("waitpid");
    pid_ = -1;
    constexpr int signalled = 128;
    const int exit = WIFEXITED(status) ? WEXITSTATUS(status) : signalled + WTERMSIG(status);
    return {.exit = exit, .out = std::move(out_), .err = std::move(err_)};
}

}  // namespace headpond::test
