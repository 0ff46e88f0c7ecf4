// Threads that hand batches to the resolver, so that a slow service holds up no feed.
#pragma once

#include <headpond/processor.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace headpond::ingest {

// Started by the constructor, and finished by the destructor at the latest. The Processor must
// outlive it. All else on one thread.
class Workers {
  public:
    Workers(Processor& processor, int count);
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    ~Workers() { finish(); }

    // The batches that were processed since the last call; waits up to `wait` for the first. From
    // now on `when` decides what is leased. Rethrows what a worker failed with, which goes on then.
    std::vector<RunReport> take(When when, Ms wait, const std::stop_token& stop);

    // Asks running calls to stop, waits for them, and answers as take().
    std::vector<RunReport> finish();

  private:
    void work(const std::stop_token& stop);
    void fail(std::exception_ptr error, const std::stop_token& stop);

    Processor& processor_;
    std::atomic<When> when_{When::due};
    std::mutex mutex_;  // guards the members below
    std::condition_variable_any changed_;
    std::vector<RunReport> done_;
    std::exception_ptr error_;
    std::vector<std::jthread> threads_;
};

}  // namespace headpond::ingest
