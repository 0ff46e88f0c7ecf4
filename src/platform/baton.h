// One thread waits until another lets it go on.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>

#include <semaphore.h>

namespace headpond::platform {

// The waiter may destroy it as soon as it goes on, whatever pass() still does: POSIX asks that of
// sem_post, and of no condition variable whose mutex was let go before.
class Baton {
  public:
    Baton() noexcept { sem_init(&semaphore_, 0, 0); }
    Baton(const Baton&) = delete;
    Baton& operator=(const Baton&) = delete;
    ~Baton() { sem_destroy(&semaphore_); }

    void pass() noexcept { sem_post(&semaphore_); }
    void wait() noexcept {
        while (sem_wait(&semaphore_) != 0 && errno == EINTR) {
        }
    }
    // False: the deadline passed first.
    [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point deadline) noexcept {
        const auto since =
            std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.time_since_epoch());
        constexpr std::int64_t second = 1'000'000'000;
        const timespec until{.tv_sec = since.count() / second, .tv_nsec = since.count() % second};
        for (;;) {
            if (sem_clockwait(&semaphore_, CLOCK_MONOTONIC, &until) == 0) return true;
            if (errno != EINTR) return false;
        }
    }

  private:
    sem_t semaphore_{};
};

}  // namespace headpond::platform
