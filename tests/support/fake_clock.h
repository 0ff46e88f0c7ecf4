// A clock and a generator that tests move.
#pragma once

#include <headpond/clock.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace headpond::test {

// Thread-safe. Boot time and wall clock move together with advance(), apart with step_wall().
class FakeClock final : public Clock {
  public:
    explicit FakeClock(WallTime start = WallTime{Ms{1'800'000'000'000}}) : wall_(start) {}

    Ms since_boot() const override { return Ms{boot_.load()}; }
    WallTime wall() const override { return wall_.load(); }
    std::string boot_identity() const override {
        const std::lock_guard lock(mutex_);
        return identity_;
    }

    void advance(Ms by) {
        boot_ += by.count();
        wall_ = wall_.load() + by;
    }
    void step_wall(Ms by) { wall_ = wall_.load() + by; }
    // A reboot: time since boot starts anew, `off` passes on the wall meanwhile.
    void reboot(Ms off) {
        boot_ = 1000;
        wall_ = wall_.load() + off;
        const std::lock_guard lock(mutex_);
        identity_ = "boot-" + std::to_string(++boots_);
    }

  private:
    std::atomic<std::int64_t> boot_{5'000'000};
    std::atomic<WallTime> wall_;
    mutable std::mutex mutex_;  // guards the members below
    std::string identity_ = "boot-1";
    int boots_ = 1;
};

// A fixed sequence (splitmix64), the same in every run.
class FakeRandom final : public Random {
  public:
    explicit FakeRandom(std::uint64_t seed = 1) : state_(seed) {}
    std::uint64_t next() override {
        std::uint64_t z = state_.fetch_add(0x9e3779b97f4a7c15ULL) + 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31U);
    }

  private:
    std::atomic<std::uint64_t> state_;
};

}  // namespace headpond::test
