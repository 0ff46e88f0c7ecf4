// Processes that open a missing file at once: one creates it, and all find the same queue.
#include "reliability/gate.h"
#include "support/child_process.h"

#include <headpond/admin.h>
#include <headpond/headpond.h>

#include <memory>

namespace headpond::reliability {

namespace {

constexpr int processes = 4;

Options quiet(const std::filesystem::path& path) {
    Options options;
    options.path = path;
    options.log = [](LogLevel, std::string_view) {};
    return options;
}

GateReport create_race(const GateRun& run) {
    GateReport report;
    std::vector<std::unique_ptr<test::ChildProcess>> children;
    for (int i = 0; i < processes; ++i) {
        children.push_back(std::make_unique<test::ChildProcess>([i](const auto& parent) {
            for (std::string path; !(path = parent.receive()).empty();) {
                try {
                    Queue queue(quiet(path));
                    const std::string key = "from " + std::to_string(i);
                    const auto answer = queue.enqueue({.key = key, .payload = "x"});
                    parent.send(answer == Enqueued::stored ? "ok" : "the enqueue was not stored");
                } catch (const std::exception& error) {
                    parent.send(error.what());
                }
            }
        }));
    }
    const std::int64_t rounds = run.amount / processes;
    for (std::int64_t round = 0; round < rounds; ++round) {
        // Half of them on a real disk, where the syncs widen the race.
        const auto& folder = round % 2 == 0 ? run.disk : run.memory;
        const auto path = folder / ("race-" + std::to_string(round) + ".db");
        for (const auto& child : children) child->send(path.string());
        for (const auto& child : children) {
            const std::string answer = child->receive();
            if (answer != "ok") report.violation("an open: " + answer);
        }
        Queue queue(quiet(path));
        const auto items = Admin(queue).peek(100).size();
        if (items != processes) {
            report.violation("round " + std::to_string(round) + ": " + std::to_string(items) +
                             " items of " + std::to_string(processes));
        }
        if (!Admin(queue).check().ok()) report.violation("check finds something after a race");
        queue.close();
        for (const char* suffix : {"", "-wal", "-shm", "-owners"}) {
            std::filesystem::remove(path.string() + suffix);
        }
    }
    report.reached = std::to_string(rounds * processes) + " first opens, " +
                     std::to_string(report.violations.size()) + " failures";
    report.enough = rounds * processes >= 600;
    return report;
}

const Registered registered{{.name = "create race",
                             .promised = "4 processes x 150 first opens, 0 failures",
                             .amount = 600,
                             .unit = "opens",
                             .run = create_race}};

}  // namespace

}  // namespace headpond::reliability
