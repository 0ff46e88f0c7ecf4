// SIGINT and SIGTERM as a stop_token.
#pragma once

#include <stop_token>
#include <thread>

#include <signal.h>

namespace headpond::cli {

// While it lives, SIGINT and SIGTERM fire token() instead of ending the program. Made before any
// other thread, because the signals are blocked in the thread that makes it.
class Interrupts {
  public:
    Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;
    ~Interrupts();

    [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

  private:
    std::stop_source stop_;
    sigset_t before_{};
    int signals_ = -1;  // signalfd
    int end_ = -1;      // eventfd: the thread's work is over
    std::thread watcher_;
};

}  // namespace headpond::cli
