#include "workers.h"

#include <utility>

namespace headpond::ingest {

namespace {

// How long a lease is waited for before a worker looks at `when` again.
constexpr Ms slice{500};

}  // namespace

Workers::Workers(Processor& processor, int count) : processor_(processor) {
    for (int i = 0; i < count; ++i) {
        threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
}

std::vector<RunReport> Workers::finish() {
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();
    return std::exchange(done_, {});
}

std::vector<RunReport> Workers::take(When when, Ms wait, const std::stop_token& stop) {
    when_ = when;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, wait, [&] { return !done_.empty() || error_ != nullptr; });
    if (const auto error = std::exchange(error_, nullptr)) {
        changed_.notify_all();
        std::rethrow_exception(error);
    }
    return std::exchange(done_, {});
}

void Workers::work(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        try {
            const RunReport report = processor_.run_once(when_, slice, stop);
            if (!report.processed) continue;
            const std::lock_guard lock(mutex_);
            done_.push_back(report);
            changed_.notify_all();
        } catch (...) {
            fail(std::current_exception(), stop);
        }
    }
}

// Waits until it was told: a queue that fails is not asked again and again meanwhile.
void Workers::fail(std::exception_ptr error, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    error_ = std::move(error);
    changed_.notify_all();
    changed_.wait(lock, stop, [&] { return error_ == nullptr; });
}

}  // namespace headpond::ingest
