// A process that does with a queue what its parent says, and can be killed at any of it.
#pragma once

#include "support/child_process.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace headpond::reliability {

// A moment by the monotonic clock, which all processes of a machine share.
using Moment = std::chrono::steady_clock::time_point;
using Span = std::chrono::steady_clock::duration;
[[nodiscard]] inline double milliseconds(Span span) {
    return std::chrono::duration<double, std::milli>(span).count();
}

// What an enqueue call answered.
struct Added {
    Moment before{}, after{};
    bool stored = false;
};
// What a lease call answered.
struct Leased {
    Moment before{}, after{};
    int attempt = 0;  // 0: nothing was leased
    std::string key;  // of the first item
};

// Ends a process that is not our child, by its id; nothing where there is none.
class Stray {
  public:
    explicit Stray(pid_t pid) : pid_(pid) {}
    Stray(const Stray&) = delete;
    Stray& operator=(const Stray&) = delete;
    ~Stray() { kill(); }
    void kill() {
        if (pid_ > 0) ::kill(pid_, SIGKILL);
        pid_ = 0;
    }

  private:
    pid_t pid_;
};

// The parent's side. Fork all actors before this process opens anything with SQLite. One thread.
// Calls throw std::runtime_error with the words of an Error in the actor.
class Actor {
  public:
    enum class Where { here, pid_namespace };
    explicit Actor(Where where = Where::here);

    // Where::pid_namespace only. Empty: it runs in one of its own; else why that cannot be had.
    [[nodiscard]] const std::string& impossible() const { return impossible_; }

    void open(const std::string& path, const std::string& label = {});
    Added enqueue(const std::string& key);
    Leased lease(std::chrono::milliseconds wait, std::chrono::milliseconds lease_time) {
        start_lease(wait, lease_time);
        return leased();
    }
    // The same in two: the first returns when the actor is about to call lease().
    void start_lease(std::chrono::milliseconds wait, std::chrono::milliseconds lease_time);
    Leased leased();
    // Items acked; -1: fenced.
    int ack();
    // The first column of the first row, through a connection of the actor's own.
    std::int64_t integer(const std::string& sql);
    // Starts a process of the actor's that stays: forked alone, or `sleep` put in its place.
    pid_t start_child(bool executes);
    // CPU time of the actor so far, all threads.
    std::chrono::microseconds cpu_time();

    void kill();
    void signal(int number) const { ::kill(pid_, number); }

  private:
    std::string ask(const std::string& command);
    std::string answer();

    std::unique_ptr<test::ChildProcess> process_;
    pid_t pid_ = 0;
    std::unique_ptr<Stray> inner_;
    std::string impossible_;
};

}  // namespace headpond::reliability
