#include "interrupts.h"

#include <csignal>

namespace headpond::bench {

namespace {
volatile std::sig_atomic_t caught = 0;

void on_signal(int /*number*/) {
    caught = 1;
}
}  // namespace

void catch_interrupts() {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, on_signal);
    std::signal(SIGPIPE, SIG_IGN);  // of a worker that ended early
}

void stop_if_interrupted() {
    if (caught != 0) throw Interrupted{};
}

}  // namespace headpond::bench
