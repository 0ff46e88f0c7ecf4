#include "runtime/waiting.h"

#include <algorithm>

namespace headpond::runtime {

std::uint64_t Waiting::watch() {
    const std::lock_guard lock(mutex_);
    waiter_.watch();
    return wakes_;
}

std::uint64_t Waiting::seen() {
    const std::lock_guard lock(mutex_);
    return wakes_;
}

void Waiting::notify() {
    {
        const std::lock_guard lock(mutex_);
        ++wakes_;
    }
    changed_.notify_all();
    waiter_.interrupt();
}

void Waiting::wait(std::uint64_t since, std::chrono::milliseconds limit,
                   const std::stop_token& stop) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    const std::stop_callback on_stop(stop, [this] { notify(); });
    std::unique_lock lock(mutex_);
    while (wakes_ == since && !stop.stop_requested()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return;
        if (watching_) {
            changed_.wait_until(lock, deadline);
            continue;
        }
        watching_ = true;
        lock.unlock();
        const auto before = std::chrono::steady_clock::now();
        waiter_.wait(left);
        const bool woken = std::chrono::steady_clock::now() - before < left;
        lock.lock();
        watching_ = false;
        if (woken) ++wakes_;
        changed_.notify_all();  // the others look, and one of them watches on
    }
}

}  // namespace headpond::runtime
