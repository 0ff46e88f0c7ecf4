// Two sides measured in turn, round by round, so that what disturbs one disturbs the other.
#pragma once

#include "statistics.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace headpond::bench {

// Adds up the time between start() and stop().
class Stopwatch {
  public:
    void start() noexcept { begun_ = Clock::now(); }
    void stop() noexcept { sum_ += Clock::now() - begun_; }
    [[nodiscard]] double microseconds() const noexcept {
        return std::chrono::duration<double, std::micro>(sum_).count();
    }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point begun_{};
    Clock::duration sum_{};
};

struct Rounds {
    std::size_t count = 9;
    double seconds = 0.3;  // that a side takes in a round, about
    std::size_t calls_min = 10;
};

// One side's part of a round: `calls` calls, and their time in microseconds.
using Timed = std::function<double(std::size_t calls)>;

struct Contest {
    // Untimed, before each round: makes what both sides work on.
    std::function<void(std::size_t calls)> prepare;
    Timed subject, reference;
    std::size_t calls_max = 10'000;
};

struct Compared {
    Spread ratio;               // subject / reference of the same round
    Spread subject, reference;  // microseconds a call
};

// Warms both up, and learns from it how many calls fill a round; in each round the other begins.
[[nodiscard]] Compared compare(const Rounds& rounds, const Contest& contest);

// Many in turn, each with as many calls as fill its part of a round; each round begins with
// another. Microseconds a call, by contestant and round.
[[nodiscard]] std::vector<std::vector<double>> take_turns(const Rounds& rounds,
                                                          std::span<const Timed> contestants,
                                                          std::size_t calls_max);

}  // namespace headpond::bench
