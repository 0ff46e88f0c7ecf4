// Every call that SQLite makes to the disk fails once, from then on, as a full disk, or is where
// the process is killed; and the same while a queue recovers from a crash.
#include "reliability/gate.h"
#include "reliability/shim_vfs.h"
#include "reliability/trial.h"

#include <algorithm>
#include <csignal>

namespace headpond::reliability {

namespace {

constexpr std::size_t violations_max = 20;
constexpr std::int64_t promised_points = 10'000;
constexpr std::int64_t promised_crashes = 8;

std::string describe(const Fault& fault) {
    constexpr const char* names[] = {"I/O error", "disk full", "kill"};
    return std::string(names[static_cast<int>(fault.what)]) + " at call " +
           std::to_string(fault.at) + (fault.from_then_on ? " and from then on" : "");
}

void collect(const Aftermath& aftermath, const std::string& where, GateReport& report) {
    for (const auto& line : aftermath.violations) report.violation(where + ": " + line);
}

// --- during the workload -------------------------------------------------------------------------

// Runs with the fault; false when the workload ended before it.
bool strike(const Trial& trial, const Fault& fault, GateReport& report) {
    auto& vfs = ShimVfs::instance();
    std::string history;
    bool struck = true;
    if (fault.what == Fault::What::kill) {
        struck = run_in_child(trial, [&] { vfs.arm(fault); }) == SIGKILL;
        history = read_text(trial.history());
    } else {
        vfs.arm(fault);
        history = run_here(trial);
        struck = vfs.struck();
        vfs.disarm();
    }
    collect(judge_trial(trial, history),
            "seed " + std::to_string(trial.seed) + ", " + describe(fault), report);
    return struck;
}

// Strikes every call of the trial's workload in every way, or each `stride`th.
struct Sweep {
    Trial trial;
    GateReport& report;
    std::int64_t stride = 1;
    std::int64_t calls = 0;
    std::int64_t points = 0;

    void run() {
        auto& vfs = ShimVfs::instance();
        vfs.reset();
        (void)run_here(trial);
        calls = vfs.calls();
        const std::int64_t writes = vfs.writes();
        each(Fault::What::io_error, false, calls);
        each(Fault::What::io_error, true, calls);
        each(Fault::What::full, false, writes);
        each(Fault::What::full, true, writes);
        each(Fault::What::kill, false, calls);
    }
    void each(Fault::What what, bool from_then_on, std::int64_t count) {
        const std::int64_t first = 1 + static_cast<std::int64_t>(trial.seed) % stride;
        for (std::int64_t at = first; at <= count; at += stride) {
            if (report.violations.size() >= violations_max) return;
            const Fault fault{.what = what, .at = at, .from_then_on = from_then_on};
            if (strike(trial, fault, report)) points += 1;
        }
    }
};

GateReport io_faults(const GateRun& run) {
    GateReport report;
    std::int64_t points = 0, calls = 0;
    // A small amount is a sample.
    const std::int64_t stride = std::max<std::int64_t>(1, promised_points / run.amount);
    const auto sweep = [&](const Trial& trial) {
        Sweep one{.trial = trial, .report = report, .stride = stride};
        one.run();
        points += one.points;
        calls += one.calls;
    };
    // The creation of a file, and then the life of one that is there.
    sweep({.folder = run.memory / "trial", .seed = run.seed, .rounds = 1});
    const Trial created{.folder = run.memory / "image", .seed = run.seed, .rounds = 0};
    (void)run_here(created);
    for (std::uint64_t seed = run.seed; report.violations.size() < violations_max; ++seed) {
        sweep({.folder = run.memory / "trial", .image = created.folder, .seed = seed, .rounds = 7});
        if (stride > 1 || points >= run.amount) break;
    }
    report.reached = std::to_string(points) + " points, " +
                     (stride == 1 ? "every one" : "a sample") + " of " + std::to_string(calls) +
                     " calls, " + std::to_string(report.violations.size()) + " violations";
    report.enough = points >= promised_points;
    return report;
}

const Registered faults{{.name = "I/O faults",
                         .promised = "every call of the workload, >= 10000 points",
                         .amount = promised_points,
                         .unit = "points",
                         .run = io_faults}};

// --- during recovery -----------------------------------------------------------------------------

// What is done with a file after a crash; its errors are what the fault made.
void recover(const Trial& trial, History& history) {
    // The workload's first rounds with other keys would do; opening and a lease are where recovery
    // happens.
    Options options;
    options.path = trial.database();
    options.durability = trial.durability;
    options.log = [](LogLevel, std::string_view) {};
    const std::int64_t asked_at = History::now();
    try {
        Queue queue(options);
        const auto batch = queue.lease();
        if (!batch) return;
        std::vector<std::string> keys;
        for (const auto& item : batch->items()) keys.push_back(item.key);
        history.delivered(keys, asked_at);
    } catch (const Error&) {
        return;  // the verdict is the file's
    }
}

GateReport recovery_faults(const GateRun& run) {
    GateReport report;
    auto& vfs = ShimVfs::instance();
    auto random = run.random();
    std::int64_t points = 0, recovery_calls = 0;
    const std::int64_t stride =
        run.amount < promised_crashes ? 7 : 1;  // a small amount is a sample
    const Trial crashed{.folder = run.memory / "crashed", .seed = run.seed, .rounds = 10};
    vfs.reset();
    (void)run_here(crashed);
    const std::int64_t all = vfs.calls();
    const Trial trial{.folder = run.memory / "recovered", .seed = run.seed};
    for (std::int64_t image = 0; image < run.amount; ++image) {
        const Fault kill{
            .what = Fault::What::kill,
            .at = 1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(all))};
        (void)run_in_child(crashed, [&] { vfs.arm(kill); });
        const std::string before = read_text(crashed.history());
        copy_image(crashed.folder, trial.folder);
        vfs.reset();
        History dry;
        recover(trial, dry);
        const std::int64_t calls = vfs.calls();
        recovery_calls += calls;
        for (std::int64_t at = 1; at <= 3 * calls; at += stride) {
            if (report.violations.size() >= violations_max) break;
            copy_image(crashed.folder, trial.folder);
            const Fault fault{.what = at > 2 * calls ? Fault::What::kill : Fault::What::io_error,
                              .at = (at - 1) % calls + 1,
                              .from_then_on = at > calls && at <= 2 * calls};
            History after;
            const auto faulty = [&] {
                vfs.arm(fault);
                recover(trial, after);
                vfs.disarm();
            };
            if (fault.what == Fault::What::kill) {
                (void)run_child(faulty);
            } else {
                faulty();
            }
            points += 1;
            collect(judge_trial(trial, before + after.text()),
                    "killed at call " + std::to_string(kill.at) + " of seed " +
                        std::to_string(run.seed) + ", reopening: " + describe(fault),
                    report);
        }
    }
    report.reached = std::to_string(points) +
                     (stride == 1 ? " points, every one of " : " points, a sample of ") +
                     std::to_string(recovery_calls) + " calls of " + std::to_string(run.amount) +
                     " reopenings, " + std::to_string(report.violations.size()) + " violations";
    report.enough = run.amount >= promised_crashes;
    return report;
}

const Registered recovery{{.name = "fault during recovery",
                           .promised = "every VFS call of a reopen after a crash",
                           .amount = promised_crashes,
                           .unit = "crashes",
                           .run = recovery_faults}};

}  // namespace

}  // namespace headpond::reliability
