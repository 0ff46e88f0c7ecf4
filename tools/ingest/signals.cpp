#include "signals.h"

#include <signal.h>
#include <unistd.h>

namespace headpond::ingest {

namespace {

sigset_t watched(bool with_end) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (with_end) sigaddset(&set, SIGUSR2);  // sent by ourselves, to end the thread
    return set;
}

}  // namespace

SignalStop::SignalStop() {
    signal(SIGPIPE, SIG_IGN);  // a closed output is an error that is reported
    const sigset_t set = watched(true);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    thread_ = std::jthread([this] {
        const sigset_t all = watched(true);
        int received = 0;
        sigwait(&all, &received);
        if (received == SIGUSR2) return;
        source_.request_stop();
        const sigset_t second = watched(true);
        sigwait(&second, &received);
        if (received != SIGUSR2) _exit(128 + received);
    });
}

SignalStop::~SignalStop() {
    pthread_kill(thread_.native_handle(), SIGUSR2);
}

}  // namespace headpond::ingest
