// Every allocation of SQLite's and of ours fails once, and from then on: an error or a bad_alloc is
// the answer, and what was acknowledged before is there. Opening has most of them and is tried by
// itself, with nothing but another opening behind it.
#include "reliability/allocations.h"
#include "reliability/gate.h"
#include "reliability/shared.h"
#include "reliability/trial.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace headpond::reliability {

namespace {

constexpr std::size_t violations_max = 20;

enum class Part { opening, calls };

struct Point {
    Part part = Part::opening;
    Allocator allocator = Allocator::sqlite;
    std::int64_t at = 0;
    bool from_then_on = false;

    [[nodiscard]] std::string text() const {
        return std::string(allocator == Allocator::sqlite ? "SQLite's" : "operator new's") +
               " allocation " + std::to_string(at) + (from_then_on ? " and from then on" : "") +
               (part == Part::opening ? " of an opening" : " of a round of calls");
    }
};

Trial with_part(Trial trial, Part part) {
    trial.rounds = part == Part::opening ? 0 : 1;
    trial.inside = [passed = part == Part::opening](bool inside) mutable {
        count_allocations(inside && passed);
        passed |= !inside;  // the first call opens
    };
    return trial;
}

// How many there are in a run without a fault.
std::int64_t count(const Trial& trial, Allocator allocator) {
    fail_allocation(allocator, -1, false);
    (void)run_here(trial);
    return stop_failing();
}

std::vector<Point> points_of(const Trial& trial, std::int64_t percent) {
    std::vector<Point> points;
    const std::int64_t stride = std::max<std::int64_t>(1, 100 / percent);
    // Of a sample another part by each seed.
    const auto first =
        1 + static_cast<std::int64_t>(trial.seed % static_cast<std::uint64_t>(stride));
    for (const Part part : {Part::opening, Part::calls}) {
        for (const Allocator allocator : {Allocator::sqlite, Allocator::cxx}) {
            const std::int64_t allocations = count(with_part(trial, part), allocator);
            for (const bool from_then_on : {false, true}) {
                for (std::int64_t at = first; at <= allocations; at += stride)
                    points.push_back({part, allocator, at, from_then_on});
            }
        }
    }
    return points;
}

// Strikes one point after the other in a child, telling in `mine` which; the violations go to a
// file.
void strike(const Trial& scene, const std::vector<Point>& points, std::atomic<std::size_t>& next,
            std::atomic<std::size_t>& mine, const std::filesystem::path& findings) {
    std::ofstream out(findings, std::ios::app);
    for (std::size_t i = next++; i < points.size(); i = next++) {
        mine = i;
        const Point& point = points[i];
        const Trial trial = with_part(scene, point.part);
        fail_allocation(point.allocator, point.at, point.from_then_on);
        const std::string history = run_here(trial);
        stop_failing();
        for (const auto& line : judge_trial(trial, history).violations) {
            out << (point.text() + ": " + line + "\n") << std::flush;
        }
    }
}

// Where a child dies, the next goes on behind it.
GateReport memory(const GateRun& run) {
    GateReport report;
    count_sqlite_allocations();
    const Trial created{.folder = run.memory / "image", .seed = run.seed, .rounds = 0};
    (void)run_here(created);
    const auto trial_in = [&](const std::string& name) {
        return Trial{.folder = run.memory / name,
                     .image = created.folder,
                     .durability = Durability::process_crash,
                     .seed = run.seed};
    };
    const auto points = points_of(trial_in("trial-0"), run.amount);
    const Shared<std::atomic<std::size_t>> shared;  // how far the children came
    std::atomic<std::size_t>& next = *shared;
    const auto findings = run.memory / "findings";
    std::mutex mutex;  // guards report
    const auto work = [&](std::size_t worker) {
        const Trial trial = trial_in("trial-" + std::to_string(worker));
        while (next < points.size()) {
            const Shared<std::atomic<std::size_t>> mine;  // the point that a child works on
            const int signal = run_child([&] { strike(trial, points, next, *mine, findings); });
            if (signal == 0) continue;
            const std::lock_guard lock(mutex);
            report.violation(points[*mine].text() + ": the process died of signal " +
                             std::to_string(signal));
            if (report.violations.size() >= violations_max) next = points.size();
        }
    };
    {
        std::vector<std::jthread> workers;
        const std::size_t count = std::clamp(std::thread::hardware_concurrency(), 1U, 10U);
        for (std::size_t i = 0; i < count; ++i) workers.emplace_back(work, i);
    }
    std::ifstream in(findings);
    for (std::string line; std::getline(in, line);) report.violation(line);
    report.reached = std::to_string(points.size()) + " points, " +
                     (run.amount >= 100 ? "every allocation" : "a sample") + " of the workload, " +
                     std::to_string(report.violations.size()) + " violations";
    report.enough = run.amount >= 100 && report.violations.empty();
    return report;
}

const Registered registered{{.name = "memory",
                             .promised = "every allocation of SQLite's and of operator new, once "
                                         "and from then on",
                             .amount = 100,
                             .unit = "percent",
                             .run = memory}};

}  // namespace

}  // namespace headpond::reliability
