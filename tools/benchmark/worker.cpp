#include "worker.h"

#include "bench_vfs.h"
#include "child.h"
#include "floor_side.h"
#include "material.h"
#include "peers/peer.h"
#include "peers/program.h"
#include "rounds.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

namespace headpond::bench {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;  // the same for all processes

// SQLite's busy handler gives up after it: longer than any wait seen.
constexpr int busy_ms = 60'000;

std::int64_t sum(std::span<const Tally> tallies) {
    return std::accumulate(tallies.begin(), tallies.end(), std::int64_t{0},
                           [](std::int64_t all, const Tally& one) { return all + one.items; });
}

double milliseconds(Clock::duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

// --- the child's part ----------------------------------------------------------------------------

struct Span {
    Clock::time_point begin, end;
};

// One thread's single calls. Items are made beforehand and used again: keys are free.
class Caller {
  public:
    Caller(std::unique_ptr<Side> side, bool producer, std::uint64_t seed)
        : side_(std::move(side)), producer_(producer), material_(seed) {
        constexpr std::size_t items = 256;
        if (producer_) items_ = material_.make(items, Tracking::untracked);
    }

    void run(const Span& span) {
        std::this_thread::sleep_until(span.begin);
        last_ = Clock::now();
        for (std::size_t i = 0; last_ < span.end; ++i) {
            const bool done = producer_ ? produce(i) : consume();
            if (done && last_ <= span.end) ++tally_.items;
        }
    }
    [[nodiscard]] const Tally& tally() const noexcept { return tally_; }

  private:
    bool produce(std::size_t i) {
        side_->enqueue(items_.subspan(i % items_.size(), 1));
        look();
        return true;
    }
    bool consume() {
        const bool found = side_->lease(1) == 1;
        look();
        if (!found) return false;
        side_->ack();
        look();
        return true;
    }
    void look() {
        const auto now = Clock::now();
        tally_.longest_ms = std::max(tally_.longest_ms, milliseconds(now - last_));
        last_ = now;
    }

    std::unique_ptr<Side> side_;
    bool producer_;
    Material material_;
    std::span<const NewItem> items_;
    Clock::time_point last_{};
    Tally tally_;
};

Span wait_for_span() {
    std::cout << "ready\n" << std::flush;
    std::int64_t begin = 0, end = 0;
    std::cin >> begin >> end;
    if (!std::cin) throw std::runtime_error("a worker was not told when to begin");
    return {Clock::time_point(std::chrono::nanoseconds(begin)),
            Clock::time_point(std::chrono::nanoseconds(end))};
}

// Answers a side for each thread, by its number.
std::function<std::unique_ptr<Side>(int)> opener(const json& task) {
    const std::string path = task.at("path"), peer_name = task.at("peer");
    const auto durability = task.at("durability").get<Durability>();
    if (!peer_name.empty()) return [=](int i) { return peer(peer_name).connect(path, i); };
    if (!task.at("library")) {
        return [=](int) { return std::make_unique<FloorSide>(path, durability, busy_ms); };
    }
    const auto queue = open_library(path, durability, key_options().front());
    return [=](int) { return std::make_unique<LibrarySide>(queue); };
}

json call_for_a_time(const json& task) {
    const int producers = task.at("producers"), consumers = task.at("consumers");
    const auto open = opener(task);
    std::vector<Caller> callers;
    for (int i = 0; i < producers + consumers; ++i) {
        auto side = open(i);
        const auto seed = task.at("seed").get<std::uint64_t>() + static_cast<std::uint64_t>(i);
        callers.emplace_back(std::move(side), i < producers, seed);
    }
    const Span span = wait_for_span();
    std::vector<std::exception_ptr> failures(callers.size());
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < callers.size(); ++i) {
            threads.emplace_back([&, i] {
                try {
                    callers[i].run(span);
                } catch (...) {
                    failures[i] = std::current_exception();
                }
            });
        }
    }
    for (const auto& failure : failures) {
        if (failure) std::rethrow_exception(failure);
    }
    json answer{{"producers", json::array()}, {"consumers", json::array()}};
    for (int i = 0; i < producers + consumers; ++i) {
        const Tally& tally = callers[static_cast<std::size_t>(i)].tally();
        answer[i < producers ? "producers" : "consumers"].push_back(
            {{"items", tally.items}, {"longest_ms", tally.longest_ms}});
    }
    return answer;
}

// A figure of a file like /proc/self/status; 0 where it does not tell.
double figure_of(const std::string& path, const std::string& name) {
    std::ifstream file(path);
    for (std::string word; file >> word;) {
        double value = 0;
        if (word == name + ":" && file >> value) return value;
    }
    return 0;
}

void cycle(Side& side, Material& material, Tracking tracking, std::int64_t calls,
           Stopwatch& watch) {
    constexpr std::size_t per_call = 100;
    for (std::int64_t i = 0; i < calls; ++i) {
        const auto items = material.make(per_call, tracking);
        watch.start();
        side.enqueue(items);
        lease_exactly(side, per_call);
        side.ack();
        if (tracking == Tracking::tracked) side.collect(per_call);
        watch.stop();
    }
}

json count_costs(const json& task) {
    const std::string path = task.at("path");
    const auto durability = task.at("durability").get<Durability>();
    const KeyOption& keys = key_option(task.at("keys").get<std::string>());
    std::unique_ptr<Side> side;
    if (task.at("library")) {
        side = std::make_unique<LibrarySide>(open_library(path, durability, keys));
    } else {
        side = std::make_unique<FloorSide>(path, durability);
    }
    Material material(task.at("seed").get<std::uint64_t>());
    const auto tracking = task.at("tracked").get<bool>() ? Tracking::tracked : Tracking::untracked;
    const auto calls = task.at("calls").get<std::int64_t>();
    Stopwatch warming, watch;
    cycle(*side, material, tracking, calls / 4, warming);
    const DiskCounts before = disk_counts();
    const double disk_before = figure_of("/proc/self/io", "write_bytes");
    cycle(*side, material, tracking, calls, watch);
    const DiskCounts after = disk_counts();
    const double items = 100.0 * static_cast<double>(calls);
    return {{"us", watch.microseconds() / items},
            {"written_bytes", static_cast<double>(after.bytes - before.bytes) / items},
            {"syncs", static_cast<double>(after.syncs - before.syncs) / items},
            {"disk_bytes", (figure_of("/proc/self/io", "write_bytes") - disk_before) / items},
            {"resident_mib", figure_of("/proc/self/status", "VmRSS") / 1024},
            {"resident_max_mib", figure_of("/proc/self/status", "VmHWM") / 1024}};
}

}  // namespace

int run_worker(const std::string& task) {
    const json parsed = json::parse(task);
    if (parsed.at("kind") == "program") become_program(task);
    const json answer = parsed.at("kind") == "team" ? call_for_a_time(parsed) : count_costs(parsed);
    std::cout << answer.dump() << '\n' << std::flush;
    return 0;
}

// --- the parent's part ---------------------------------------------------------------------------

std::int64_t Tallies::sum_in() const {
    return sum(producers);
}
std::int64_t Tallies::sum_out() const {
    return sum(consumers);
}
double Tallies::rate() const {
    return static_cast<double>(sum_in() + sum_out()) / seconds;
}
double Tallies::longest_ms() const {
    double longest = 0;
    for (const Tally& one : producers) longest = std::max(longest, one.longest_ms);
    for (const Tally& one : consumers) longest = std::max(longest, one.longest_ms);
    return longest;
}

double fairness(std::span<const Tally> tallies) {
    const auto [slowest, fastest] =
        std::minmax_element(tallies.begin(), tallies.end(),
                            [](const Tally& a, const Tally& b) { return a.items < b.items; });
    if (slowest == tallies.end() || fastest->items == 0) return 0;
    return static_cast<double>(slowest->items) / static_cast<double>(fastest->items);
}

Tallies run_team(std::span<const TeamMember> team, double seconds) {
    std::vector<Child> children;
    for (const TeamMember& one : team) {
        children.emplace_back(json{
            {"kind", "team"},
            {"library", one.library},
            {"peer", one.peer},
            {"path", one.path.string()},
            {"durability", one.durability},
            {"producers", one.producers},
            {"consumers", one.consumers},
            {"seed", one.seed}}.dump());
    }
    for (Child& child : children) (void)child.read_line();
    // All have read it by then.
    const auto begin = Clock::now() + std::chrono::milliseconds(20);
    const auto end =
        begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    const auto text = [](Clock::time_point at) {
        const auto since = std::chrono::nanoseconds(at.time_since_epoch());
        return std::to_string(since.count());
    };
    for (const Child& child : children) child.write_line(text(begin) + " " + text(end));
    Tallies tallies{.seconds = seconds};
    for (Child& child : children) {
        const json answer = json::parse(child.read_line());
        for (const bool in : {true, false}) {
            for (const json& one : answer.at(in ? "producers" : "consumers")) {
                (in ? tallies.producers : tallies.consumers)
                    .push_back({.items = one.at("items"), .longest_ms = one.at("longest_ms")});
            }
        }
    }
    return tallies;
}

Cost run_cost(const CostTask& task) {
    Child child(json{
        {"kind", "cost"},
        {"library", task.library},
        {"path", task.path.string()},
        {"durability", task.durability},
        {"keys", task.keys},
        {"tracked", task.tracked},
        {"calls", task.calls},
        {"seed",
         task.seed}}.dump());
    const json answer = json::parse(child.read_line());
    return {.us = answer.at("us"),
            .written_bytes = answer.at("written_bytes"),
            .syncs = answer.at("syncs"),
            .disk_bytes = answer.at("disk_bytes"),
            .resident_mib = answer.at("resident_mib"),
            .resident_max_mib = answer.at("resident_max_mib")};
}

}  // namespace headpond::bench
