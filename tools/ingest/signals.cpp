#include "signals.h"

#include "settings.h"

#include <fcntl.h>
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

void guard_streams() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (fcntl(fd, F_GETFD) >= 0) continue;
        // Answers the lowest free number, which is fd.
        [[maybe_unused]] const int filled =
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void require_standard_output() {
    const int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
        throw UsageError("standard output is closed; allowed: an open one");
    }
}

SignalStop::SignalStop() {
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
