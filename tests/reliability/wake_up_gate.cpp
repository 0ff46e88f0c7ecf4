// A blocked lease in another process: how soon an enqueue wakes it, and what it costs meanwhile.
#include "reliability/actor.h"
#include "reliability/gate.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include <poll.h>

namespace headpond::reliability {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds long_wait{20'000};
constexpr milliseconds long_lease{600'000};
constexpr milliseconds idle_time{2'500};
constexpr double promised_ms = 2;
constexpr double promised_share = 0.5;  // percent of a core

double median(std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Times {
    // From the call of enqueue, whose commit comes later: what is judged. And from its return.
    std::vector<double> from_call, from_return;
};

Times wake_ups(const GateRun& run, GateReport& report) {
    // On a tmpfs: the commit's own sync is no part of the wake-up.
    const std::string path = (run.memory / "wake.db").string();
    Actor waiter;
    Actor producer;
    waiter.open(path);
    producer.open(path);
    auto random = run.random();
    Times times;
    for (std::int64_t i = 0; i < run.amount; ++i) {
        waiter.start_lease(long_wait, long_lease);
        // So long that it has come to its wait, at any phase of its own looks every 50 ms.
        ::poll(nullptr, 0, static_cast<int>(5 + random() % 60));
        const std::string key = "item-" + std::to_string(i);
        const Added added = producer.enqueue(key);
        const Leased leased = waiter.leased();
        if (!added.stored || leased.attempt != 1 || leased.key != key) {
            report.violation("wake-up " + std::to_string(i) + " leased " + leased.key +
                             "; allowed: " + key);
            break;
        }
        times.from_call.push_back(reliability::milliseconds(leased.after - added.before));
        times.from_return.push_back(reliability::milliseconds(leased.after - added.after));
        if (waiter.ack() != 1) report.violation("an ack was not taken");
    }
    return times;
}

double share_of(Actor& actor, std::chrono::microseconds before) {
    const Leased none = actor.leased();
    const auto used = actor.cpu_time() - before;
    return 100 * reliability::milliseconds(used) /
           reliability::milliseconds(none.after - none.before);
}

// Percent of a core that a blocked lease takes, the median of three: on an empty queue, and while
// another process holds a lease, whose life the waiter probes.
std::vector<double> idle_shares(const GateRun& run) {
    const std::string empty = (run.memory / "empty.db").string();
    const std::string held = (run.memory / "held.db").string();
    Actor holder;
    Actor at_empty;
    Actor at_held;
    holder.open(held);
    holder.enqueue("held");
    (void)holder.lease(milliseconds{0}, long_lease);
    at_empty.open(empty);
    at_held.open(held);
    std::vector<double> empty_shares;
    std::vector<double> held_shares;
    for (int i = 0; i < 3; ++i) {
        const auto empty_before = at_empty.cpu_time();
        const auto held_before = at_held.cpu_time();
        at_empty.start_lease(idle_time, long_lease);
        at_held.start_lease(idle_time, long_lease);
        empty_shares.push_back(share_of(at_empty, empty_before));
        held_shares.push_back(share_of(at_held, held_before));
    }
    return {median(empty_shares), median(held_shares)};
}

GateReport wake_up(const GateRun& run) {
    GateReport report;
    Times times = wake_ups(run, report);
    if (times.from_call.empty()) return report;
    const double woken = median(times.from_call);
    if (woken >= promised_ms) {
        report.violation("enqueue to lease: median " + std::to_string(woken) +
                         " ms; allowed: under 2 ms");
    }
    const auto shares = idle_shares(run);
    for (const double share : shares) {
        if (share < promised_share) continue;
        report.violation("a blocked lease takes " + std::to_string(share) +
                         " % of a core; allowed: under 0.5 %");
    }
    char text[240];
    std::snprintf(text, sizeof text,
                  "%zu wake-ups, median %.3f ms from the enqueue's call (%.3f from its return), "
                  "slowest %.1f ms; idle %.2f %% of a core, beside a held lease %.2f %%",
                  times.from_call.size(), woken, median(times.from_return), times.from_call.back(),
                  shares[0], shares[1]);
    report.reached = text;
    report.enough = static_cast<std::int64_t>(times.from_call.size()) >= 100;
    return report;
}

const Registered registered{{.name = "wake-up",
                             .promised = "median of 100 under 2 ms, idle under 0.5 % of a core",
                             .amount = 100,
                             .unit = "wake-ups",
                             .run = wake_up}};

}  // namespace

}  // namespace headpond::reliability
