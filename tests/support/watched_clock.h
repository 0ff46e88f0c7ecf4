// Tells a test that a thread has reached its transaction.
#pragma once

#include "support/fake_clock.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace headpond::test {

// Every operation asks the clock for the boot identity inside its transaction; so that a test can
// wait, by an event, until another thread has looked at the queue. Thread-safe.
class WatchedClock final : public Clock {
  public:
    explicit WatchedClock(std::shared_ptr<FakeClock> clock) : clock_(std::move(clock)) {}

    Ms since_boot() const override { return clock_->since_boot(); }
    WallTime wall() const override { return clock_->wall(); }
    std::string boot_identity() const override {
        {
            const std::lock_guard lock(mutex_);
            if (std::this_thread::get_id() != test_thread_) ++looks_;
        }
        looked_.notify_all();
        return clock_->boot_identity();
    }
    // Until threads other than the one that made this clock have looked `times` times in all.
    void wait_for_looks(int times) const {
        std::unique_lock lock(mutex_);
        looked_.wait(lock, [&] { return looks_ >= times; });
    }

  private:
    const std::shared_ptr<FakeClock> clock_;
    const std::thread::id test_thread_ = std::this_thread::get_id();
    mutable std::mutex mutex_;  // guards looks_
    mutable std::condition_variable looked_;
    mutable int looks_ = 0;
};

}  // namespace headpond::test
