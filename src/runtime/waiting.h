// Waiting for work: one thread at a time watches the side file for all of a queue's waiters.
#pragma once

#include "platform/side_file.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>

namespace headpond::runtime {

// The time after so much from now; more than a year is one, so that it does not overflow.
inline std::chrono::steady_clock::time_point from_now(std::chrono::milliseconds duration) {
    constexpr std::chrono::milliseconds most = std::chrono::hours(366 * 24);
    return std::chrono::steady_clock::now() + std::min(duration, most);
}

// Thread-safe.
class Waiting {
  public:
    explicit Waiting(const std::string& side_file) : waiter_(side_file) {}

    // What was seen before a look at the queue: a wake-up after it is not missed.
    [[nodiscard]] std::uint64_t watch();
    [[nodiscard]] std::uint64_t seen();
    // After a watch(). Returns at a wake-up after `since`, at notify(), when `stop` is asked for,
    // or after `limit`.
    void wait(std::uint64_t since, std::chrono::milliseconds limit, const std::stop_token& stop);
    void notify();

  private:
    platform::Waiter waiter_;
    std::mutex mutex_;  // guards the members below
    std::condition_variable changed_;
    std::uint64_t wakes_ = 0;
    bool watching_ = false;
};

}  // namespace headpond::runtime
