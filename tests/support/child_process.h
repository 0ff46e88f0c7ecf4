// A second process that a test can kill: forked before the test opens any queue, because SQLite's
// connections and our locks must not be used across a fork.
#pragma once

#include <csignal>
#include <functional>
#include <stdexcept>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace headpond::test {

// Both sides talk in lines over pipes, so that nobody waits by the clock.
class ChildProcess {
  public:
    // The child's end of the pipes.
    class Parent {
      public:
        // Blocks until the parent has sent a line; empty when the parent is gone.
        std::string receive() const { return read_line(in_); }
        void send(const std::string& line) const { write_line(out_, line); }
        // Never returns: the child stays as it is until it is killed or the parent is gone.
        [[noreturn]] void hold() const {
            while (!receive().empty()) {
            }
            _exit(0);
        }

      private:
        friend class ChildProcess;
        Parent(int in, int out) : in_(in), out_(out) {}
        int in_, out_;
    };

    // `body` runs in the child; its return ends the process without destructors of the parent's
    // objects, and an exception is sent as a line "error: ...".
    explicit ChildProcess(const std::function<void(const Parent&)>& body) {
        int down[2];
        int up[2];
        if (pipe(down) != 0 || pipe(up) != 0) throw std::runtime_error("pipe failed");
        pid_ = fork();
        if (pid_ < 0) throw std::runtime_error("fork failed");
        if (pid_ == 0) {
            close(down[1]);
            close(up[0]);
            const Parent parent(down[0], up[1]);
            try {
                body(parent);
            } catch (const std::exception& error) {
                parent.send(std::string("error: ") + error.what());
                _exit(1);
            }
            _exit(0);
        }
        close(down[0]);
        close(up[1]);
        out_ = down[1];
        in_ = up[0];
    }
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    ~ChildProcess() {
        kill();
        close(in_);
        close(out_);
    }

    void send(const std::string& line) const { write_line(out_, line); }
    // Blocks until the child has sent a line; empty when it is gone.
    [[nodiscard]] std::string receive() const { return read_line(in_); }
    // SIGKILL, and waits for the end: its kernel locks are then free.
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    // Waits for an end of its own; answers the exit status, -1 after a signal.
    int wait() {
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    static std::string read_line(int fd) {
        std::string line;
        char c = 0;
        while (read(fd, &c, 1) == 1 && c != '\n') line += c;
        return line;
    }
    static void write_line(int fd, const std::string& line) {
        const std::string text = line + "\n";
        if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            throw std::runtime_error("the other side of the pipe is gone");
        }
    }

    pid_t pid_ = 0;
    int in_ = -1, out_ = -1;
};

}  // namespace headpond::test
