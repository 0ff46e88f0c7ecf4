#include "platform/system.h"

#include <headpond/clock.h>
#include <headpond/error.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>

#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace headpond::platform {

std::string process_label() {
    std::array<char, 256> host{};
    if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
    std::string program;
    std::ifstream comm("/proc/self/comm");
    std::getline(comm, program);
    if (program.empty()) program = "?";
    return program + "[" + std::to_string(getpid()) + "]@" + host.data();
}

namespace {
std::atomic<std::uint64_t> generation{0};
}

std::uint64_t fork_generation() noexcept {
    [[maybe_unused]] static const int registered =
        pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1); });
    return generation.load(std::memory_order_relaxed);
}

namespace {

class SystemClock final : public Clock {
  public:
    SystemClock() : identity_(read_identity()) {}

    Ms since_boot() const override {
        timespec at{};
        clock_gettime(CLOCK_BOOTTIME, &at);
        return std::chrono::duration_cast<Ms>(std::chrono::seconds(at.tv_sec) +
                                              std::chrono::nanoseconds(at.tv_nsec));
    }
    WallTime wall() const override {
        return std::chrono::time_point_cast<Ms>(std::chrono::system_clock::now());
    }
    std::string boot_identity() const override { return identity_; }

  private:
    static std::string read_identity() {
        std::string boot;
        std::ifstream file("/proc/sys/kernel/random/boot_id");
        std::getline(file, boot);
        // Processes in different time namespaces read different boot times.
        struct stat facts {};
        const bool named = stat("/proc/self/ns/time", &facts) == 0;
        return boot + "/" + (named ? std::to_string(facts.st_ino) : "0");
    }
    std::string identity_;
};

class SystemRandom final : public Random {
  public:
    std::uint64_t next() override {
        std::uint64_t bits = 0;
        while (getrandom(&bits, sizeof bits, 0) != sizeof bits) {
            if (errno != EINTR) throw Error(ErrorCode::io, "random", "", "getrandom failed");
        }
        return bits;
    }
};

}  // namespace

}  // namespace headpond::platform

namespace headpond {

std::shared_ptr<Clock> system_clock() {
    return std::make_shared<platform::SystemClock>();
}
std::shared_ptr<Random> system_random() {
    return std::make_shared<platform::SystemRandom>();
}

}  // namespace headpond
