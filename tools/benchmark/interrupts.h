// Ctrl-C ends a run between two calls, so that its files are removed.
#pragma once

#include <stdexcept>

namespace headpond::bench {

class Interrupted : public std::runtime_error {
  public:
    Interrupted() : std::runtime_error("interrupted") {}
};

// Takes SIGINT, SIGTERM and SIGHUP; ignores SIGPIPE.
void catch_interrupts();
// Throws Interrupted after one of them.
void stop_if_interrupted();

}  // namespace headpond::bench
