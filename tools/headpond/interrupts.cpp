#include "interrupts.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace headpond::cli {

namespace {

void watch(int signals, int end, std::stop_source stop) {
    std::array<pollfd, 2> both{pollfd{signals, POLLIN, 0}, pollfd{end, POLLIN, 0}};
    for (;;) {
        if (::poll(both.data(), both.size(), -1) < 0) {
            if (errno == EINTR) continue;
            return;
        }
        if (both[1].revents != 0) return;
        signalfd_siginfo one{};
        if (::read(signals, &one, sizeof one) == sizeof one) stop.request_stop();
    }
}

}  // namespace

Interrupts::Interrupts() {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    signals_ = ::signalfd(-1, &wanted, SFD_CLOEXEC);
    end_ = ::eventfd(0, EFD_CLOEXEC);
    if (signals_ < 0 || end_ < 0) {
        throw std::system_error(errno, std::generic_category(), "signalfd or eventfd");
    }
    pthread_sigmask(SIG_BLOCK, &wanted, &before_);
    watcher_ = std::thread(watch, signals_, end_, stop_);
}

Interrupts::~Interrupts() {
    const std::uint64_t one = 1;
    // An eventfd at 0 always takes a 1.
    [[maybe_unused]] const auto written = ::write(end_, &one, sizeof one);
    watcher_.join();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    ::close(signals_);
    ::close(end_);
}

}  // namespace headpond::cli
