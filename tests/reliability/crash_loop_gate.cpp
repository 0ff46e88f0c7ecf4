// A batch that kills every process that handles it: delivered attempts_max times, then abandoned,
// and the rest of the queue is processed by whoever comes after.
#include "reliability/gate.h"
#include "support/child_process.h"
#include "support/raw_database.h"

#include <headpond/headpond.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include <fcntl.h>

namespace headpond::reliability {

namespace {

constexpr int batch_items = 5;
constexpr int processes = 2;

struct Round {
    std::string path, side_log;
    int batches = 0;
    int attempts_max = 0;
    std::set<int> poisoned;  // batches, in the order of their items

    Round(const GateRun& run, std::int64_t number, std::mt19937_64& random)
        : path((run.memory / ("loop-" + std::to_string(number) + ".db")).string()),
          side_log((run.memory / ("deliveries-" + std::to_string(number))).string()),
          batches(static_cast<int>(4 + random() % 8)),
          attempts_max(static_cast<int>(1 + random() % 4)) {
        const auto count = 1 + random() % 3;
        while (poisoned.size() < count) {
            poisoned.insert(static_cast<int>(random() % static_cast<unsigned>(batches)));
        }
    }
    [[nodiscard]] Options options() const {
        Options options;
        options.path = path;
        options.attempts_max = attempts_max;
        options.batch_items_max = batch_items;
        options.log = [](LogLevel, std::string_view) {};
        return options;
    }
    [[nodiscard]] int deaths_max() const {
        return attempts_max * static_cast<int>(poisoned.size());
    }
};

// One line a delivery, by one write: what a killed process wrote before its death stays.
void note(const std::string& file, const std::string& key) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    const std::string line = key + "\n";
    if (fd < 0 || ::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        throw std::runtime_error("cannot write " + file);
    }
    ::close(fd);
}

void work(const Round& round) {
    Queue queue(round.options());
    Processor processor(queue, [&](std::span<const Item> items, const std::stop_token&) {
        note(round.side_log, items.front().key);
        if (items.front().payload == "poison") ::kill(getpid(), SIGKILL);
        return Settlement{.rest = Rest::ack};
    });
    while (queue.health().items > 0) processor.run_once(When::immediate, Ms{100});
}

void fill(const Round& round, GateReport& report) {
    Queue queue(round.options());
    for (int batch = 0; batch < round.batches; ++batch) {
        for (int i = 0; i < batch_items; ++i) {
            const std::string key = std::to_string(batch) + "." + std::to_string(i);
            const NewItem item{.key = key,
                               .payload = round.poisoned.contains(batch) ? "poison" : "good",
                               .tracking = Tracking::tracked};
            if (queue.enqueue(item) != Enqueued::stored) report.violation(key + " was not stored");
        }
    }
}

// Keeps the workers running until they find the queue empty; false: too many of them died.
bool run_workers(const Round& round) {
    std::vector<std::unique_ptr<test::ChildProcess>> workers;
    const auto start = [&] {
        return std::make_unique<test::ChildProcess>([&](const auto& /*parent*/) { work(round); });
    };
    for (int i = 0; i < processes; ++i) workers.push_back(start());
    int deaths = 0;
    for (auto& worker : workers) {
        while (worker->wait() != 0) {
            if (++deaths > round.deaths_max() + processes) return false;
            worker = start();
        }
    }
    return true;
}

std::map<std::string, int> deliveries(const Round& round) {
    std::map<std::string, int> counts;
    std::ifstream file(round.side_log);
    for (std::string key; std::getline(file, key);) ++counts[key];
    return counts;
}

void judge_deliveries(const Round& round, GateReport& report) {
    auto counts = deliveries(round);
    for (int batch = 0; batch < round.batches; ++batch) {
        const int allowed = round.poisoned.contains(batch) ? round.attempts_max : 1;
        const int seen = counts[std::to_string(batch) + ".0"];
        if (seen == allowed) continue;
        report.violation((allowed == 1 ? "a batch" : "a deadly batch") + std::string(" had ") +
                         std::to_string(seen) + " deliveries; allowed: exactly " +
                         std::to_string(allowed));
    }
}

void judge_file(const Round& round, GateReport& report) {
    test::RawDatabase file(round.path);
    const auto expect = [&](const std::string& sql, std::int64_t allowed) {
        const std::int64_t seen = file.integer(sql);
        if (seen == allowed) return;
        report.violation(sql + ": " + std::to_string(seen) +
                         "; allowed: " + std::to_string(allowed));
    };
    const auto dead = static_cast<std::int64_t>(round.poisoned.size()) * batch_items;
    const std::string poison =
        "SELECT count(*) FROM dead_letters WHERE payload = CAST('poison' AS "
        "BLOB) AND reason = 'abandoned' AND attempts = ";
    expect(poison + std::to_string(round.attempts_max), dead);
    expect("SELECT count(*) FROM outcomes WHERE state = 'fallback' AND reason = 'abandoned'", dead);
    expect("SELECT count(*) FROM outcomes WHERE state = 'resolved'",
           std::int64_t{round.batches} * batch_items - dead);
    expect("SELECT count(*) FROM items", 0);
    expect("SELECT count(*) FROM batches", 0);
    expect("SELECT difference FROM ledger", 0);
}

GateReport crash_loop(const GateRun& run) {
    GateReport report;
    auto random = run.random();
    std::int64_t deaths = 0;
    std::int64_t abandoned = 0;
    for (std::int64_t i = 0; i < run.amount && report.violations.size() < 5; ++i) {
        const Round round(run, i, random);
        fill(round, report);
        const bool ended = run_workers(round);
        judge_deliveries(round, report);
        if (ended) {
            judge_file(round, report);
        } else {
            report.violation("round " + std::to_string(i) + ": workers go on dying; allowed: " +
                             std::to_string(round.deaths_max()) + " deaths");
        }
        deaths += round.deaths_max();
        abandoned += static_cast<std::int64_t>(round.poisoned.size());
    }
    report.reached = std::to_string(deaths) + " deaths over " + std::to_string(abandoned) +
                     " deadly batches, each delivered attempts_max times";
    report.enough = deaths >= run.amount;
    return report;
}

const Registered registered{{.name = "crash loop",
                             .promised = "abandoned after exactly attempts_max deliveries",
                             .amount = 30,
                             .unit = "queues",
                             .run = crash_loop}};

}  // namespace

}  // namespace headpond::reliability
