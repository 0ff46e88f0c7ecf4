// This program once more, as a process of its own: nothing that we have open is open there.
#pragma once

#include <string>

#include <signal.h>
#include <sys/types.h>

namespace headpond::bench {

// Starts with the object; the destructor ends what still runs. Throws std::runtime_error, and
// Interrupted. One thread at a time.
class Child {
  public:
    // `task` is what run_worker() is given; `stop_signal` ends what still runs.
    explicit Child(const std::string& task, int stop_signal = SIGKILL);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    ~Child();

    void write_line(const std::string& line) const;
    // The next line of its standard output. A child that says nothing for ten minutes has failed.
    [[nodiscard]] std::string read_line();
    // Waits for its end; true: it exited with code 0. Nothing may be called afterwards.
    [[nodiscard]] bool succeeded();

  private:
    pid_t pid_ = -1;
    int stop_signal_;
    int input_ = -1, output_ = -1;
    std::string read_;
};

}  // namespace headpond::bench
