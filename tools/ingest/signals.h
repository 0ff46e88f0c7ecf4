// SIGINT and SIGTERM as a stop token.
#pragma once

#include <stop_token>
#include <thread>

namespace headpond::ingest {

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
