// Runs a real program: arguments, environment, standard input; collects what it prints.
#pragma once

#include <array>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace headpond::test {

struct ProgramResult {
    int exit_code = -1;  // 128 + the signal where a signal ended it
    std::string out;
    std::string err;
};

// A started program. Its standard input is at its end unless given. Killed when dropped.
class Program {
  public:
    struct Start {
        std::vector<std::string> arguments;                   // the path of the program first
        std::map<std::string, std::string> environment = {};  // added to this process's
        std::string input = {};
        std::string folder = {};  // the working directory; empty: this one's
    };

    explicit Program(const Start& start) {
        std::array<int, 2> in = pipe_pair();
        std::array<int, 2> out = pipe_pair();
        std::array<int, 2> err = pipe_pair();
        pid_ = fork();
        if (pid_ < 0) throw std::runtime_error("fork failed");
        if (pid_ == 0) {
            dup2(in[0], 0);
            dup2(out[1], 1);
            dup2(err[1], 2);
            if (!start.folder.empty() && chdir(start.folder.c_str()) != 0) _exit(127);
            for (const auto& [name, value] : start.environment)
                setenv(name.c_str(), value.c_str(), 1);
            std::vector<char*> arguments;
            for (const auto& one : start.arguments)
                arguments.push_back(const_cast<char*>(one.c_str()));
            arguments.push_back(nullptr);
            execv(arguments[0], arguments.data());
            _exit(127);
        }
        close(in[0]);
        close(out[1]);
        close(err[1]);
        out_ = out[0];
        err_ = err[0];
        feed(in[1], start.input);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() {
        if (pid_ > 0) {
            kill(SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
        close(out_);
        close(err_);
    }

    [[nodiscard]] pid_t pid() const { return pid_; }
    void kill(int signal) const { ::kill(pid_, signal); }

    // Reads both outputs to their ends, then the exit code.
    ProgramResult wait() {
        ProgramResult result;
        std::array<pollfd, 2> fds{{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
        while (fds[0].fd >= 0 || fds[1].fd >= 0) {
            if (poll(fds.data(), fds.size(), -1) < 0) continue;
            drain(fds[0], result.out);
            drain(fds[1], result.err);
        }
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = -1;
        result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return result;
    }

    static ProgramResult run(const Start& start) { return Program(start).wait(); }

  private:
    static std::array<int, 2> pipe_pair() {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
        return ends;
    }
    // Small inputs only: they must fit the pipe.
    static void feed(int end, std::string_view input) {
        while (!input.empty()) {
            const ssize_t written = write(end, input.data(), input.size());
            if (written <= 0) break;
            input.remove_prefix(static_cast<std::size_t>(written));
        }
        close(end);
    }
    static void drain(pollfd& one, std::string& into) {
        if (one.fd < 0 || one.revents == 0) return;
        std::array<char, 65536> buffer{};
        const ssize_t got = read(one.fd, buffer.data(), buffer.size());
        if (got > 0) {
            into.append(buffer.data(), static_cast<std::size_t>(got));
        } else if (got == 0) {
            one.fd = -1;
        }
    }

    pid_t pid_ = -1;
    int out_ = -1;
    int err_ = -1;
};

}  // namespace headpond::test
