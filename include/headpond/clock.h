// Time and randomness are passed in, so that tests move them and never sleep.
#pragma once

#include <headpond/export.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace headpond {

using Ms = std::chrono::milliseconds;
// Milliseconds since 1970-01-01T00:00:00Z.
using WallTime = std::chrono::sys_time<Ms>;

// What the queue clock is made of (see "The queue clock" in src/DESIGN.md). Implementations must be
// safe to call from several threads.
class HEADPOND_API Clock {
  public:
    virtual ~Clock() = default;
    // Time since boot, suspend included (CLOCK_BOOTTIME): never steps back while a machine runs.
    [[nodiscard]] virtual Ms since_boot() const = 0;
    // The wall clock, which may step either way.
    [[nodiscard]] virtual WallTime wall() const = 0;
    // Names the boot and the time namespace: two processes that agree on it agree on since_boot().
    [[nodiscard]] virtual std::string boot_identity() const = 0;
};

// 64 random bits a call, for lease tokens and backoff jitter. Must be safe to call from several
// threads.
class HEADPOND_API Random {
  public:
    virtual ~Random() = default;
    [[nodiscard]] virtual std::uint64_t next() = 0;
};

[[nodiscard]] HEADPOND_API std::shared_ptr<Clock> system_clock();
// The kernel's generator (getrandom).
[[nodiscard]] HEADPOND_API std::shared_ptr<Random> system_random();

}  // namespace headpond
