// Why pending alerts wait, for people who watch a run.
#pragma once

#include <headpond/queue.h>

#include <cstdint>
#include <set>
#include <string>
#include <unordered_set>

namespace headpond::ingest {

// Logs what holds a run up, each once: a closed gate, and what others hold. One thread, which holds
// no lease while it looks. The queue must outlive it.
class Holdups {
  public:
    explicit Holdups(Queue& queue) : queue_(queue) {}

    enum class Of {
        pending,    // batches with one of the pending alerts
        any_batch,  // the queue is full: whoever holds a batch is in the way
        no_batch    // the gate alone
    };
    // True: the gate stays closed until somebody opens it.
    bool look(const std::unordered_set<std::string>& pending, Of of = Of::pending);

  private:
    void tell_leases(const std::unordered_set<std::string>& pending, bool any);

    Queue& queue_;
    std::string told_gate_;        // the closure that was told; empty: the gate was open since
    std::set<std::int64_t> told_;  // batches
};

}  // namespace headpond::ingest
