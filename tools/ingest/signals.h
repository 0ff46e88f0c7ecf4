// The standard streams made safe, and SIGINT and SIGTERM as a stop token.
#pragma once

#include <stop_token>
#include <thread>

namespace headpond::ingest {

// First of all in main: makes a standard stream that is closed one whose use fails (the next file
// that is opened would take its place, and be written to), and a closed pipe or a file over the
// limit of `ulimit -f` an error that is reported.
void guard_streams();
// Throws UsageError where nothing can be printed.
void require_standard_output();

// Made before any other thread, so that all inherit the blocked signals; a second signal ends the
// process at once.
class SignalStop {
  public:
    SignalStop();
    SignalStop(const SignalStop&) = delete;
    SignalStop& operator=(const SignalStop&) = delete;
    ~SignalStop();
    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

  private:
    std::stop_source source_;
    std::jthread thread_;
};

}  // namespace headpond::ingest
