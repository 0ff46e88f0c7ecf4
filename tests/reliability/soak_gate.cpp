// Three processes of four threads on one file, beside a foreign writer that knows nothing of our
// turn; then a drain. Nothing may be lost, and nothing acked twice.
#include "reliability/gate.h"
#include "reliability/oracle.h"
#include "support/child_process.h"
#include "support/raw_database.h"

#include <headpond/headpond.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

namespace headpond::reliability {

namespace {

constexpr int processes = 3;
constexpr int threads = 4;

Options options_of(const std::filesystem::path& path) {
    Options options;
    options.path = path;
    options.items_max = 100'000;
    options.outcomes_max = 1'000'000'000;  // the oracle asks for each
    options.backoff_base = Ms{0};
    options.attempts_max = 1'000'000;
    options.log = [](LogLevel, std::string_view) {};
    return options;
}

// One thread's share: it produces while told, and consumes until the queue is empty.
class Worker {
  public:
    Worker(Queue& queue, const std::filesystem::path& history, std::string name, std::uint64_t seed,
           const std::atomic<bool>& producing)
        : queue_(queue),
          history_(history),
          name_(std::move(name)),
          random_(seed),
          producing_(producing) {}

    void run() {
        for (;;) {
            const bool producing = producing_;
            if (producing && random_() % 2 == 0) enqueue();
            const bool found = consume();
            if (!producing && !found && queue_.health().items == 0) return;
        }
    }

  private:
    void enqueue() {
        const std::size_t count = 1 + random_() % 4;
        std::vector<std::string> keys;
        for (std::size_t i = 0; i < count; ++i)
            keys.push_back(name_ + "-" + std::to_string(++keys_));
        std::vector<NewItem> items;
        for (const auto& key : keys)
            items.push_back({.key = key, .payload = "payload", .tracking = Tracking::tracked});
        history_.asked(Verb::enqueue, keys);
        const auto answers = queue_.enqueue(items);
        std::vector<std::pair<std::string, Told>> all;
        for (std::size_t i = 0; i < count; ++i)
            all.emplace_back(keys[i], answers[i] == Enqueued::stored ? Told::yes : Told::no);
        history_.told(Verb::enqueue, all);
    }

    bool consume() {
        const std::int64_t asked_at = History::now();
        auto batch = queue_.lease({.wait = Ms{5}, .items_max = 8});
        if (!batch) return false;
        std::vector<std::string> keys, acked;
        Settlement settlement;
        settlement.error = "now and then it fails";
        for (const auto& item : batch->items()) {
            keys.push_back(item.key);
            if (random_() % 8 == 0) continue;  // is nacked and comes again
            settlement.acked.push_back({.item_id = item.id, .result = "result of " + item.key});
            acked.push_back(item.key);
        }
        history_.delivered(keys, asked_at);
        history_.asked(Verb::ack, acked);
        const Settled settled = batch->settle(settlement);
        const bool all = !settled.fenced && settled.gone == 0;
        history_.told(Verb::ack, acked, all ? Told::yes : Told::no);
        return true;
    }

    Queue& queue_;
    History history_;
    const std::string name_;
    std::mt19937_64 random_;
    const std::atomic<bool>& producing_;
    int keys_ = 0;
};

void work(const test::ChildProcess::Parent& parent, const std::filesystem::path& folder,
          int process, std::uint64_t seed) {
    Queue queue(options_of(folder / "queue.db"));
    std::atomic<bool> producing{true};
    std::vector<std::unique_ptr<Worker>> workers;
    for (int i = 0; i < threads; ++i) {
        const std::string name = std::to_string(process) + "-" + std::to_string(i);
        workers.push_back(std::make_unique<Worker>(
            queue, folder / ("history-" + name), name,
            seed + static_cast<std::uint64_t>(process * threads + i), producing));
    }
    std::atomic<bool> failed{false};
    std::mutex mutex;
    std::string failure;
    std::vector<std::thread> running;
    for (const auto& worker : workers) {
        running.emplace_back([&, one = worker.get()] {
            try {
                one->run();
            } catch (const std::exception& error) {
                const std::lock_guard lock(mutex);
                failure = error.what();
            }
        });
    }
    (void)parent.receive();
    producing = false;
    for (auto& thread : running) thread.join();
    parent.send(failure.empty() ? "done" : failure);
}

// A guest that writes by its own connection, without the turn: begins, dawdles, commits.
void write_beside(const test::ChildProcess::Parent& parent, const std::filesystem::path& folder) {
    using namespace std::chrono_literals;
    std::atomic<bool> stopped{false};
    std::thread writer([&] {
        test::RawDatabase raw(folder / "queue.db");
        raw.exec("CREATE TABLE IF NOT EXISTS foreign_rows (n INTEGER) STRICT");
        while (!stopped) {
            raw.exec("BEGIN IMMEDIATE; INSERT INTO foreign_rows VALUES (1)");
            std::this_thread::sleep_for(200us);
            raw.exec("COMMIT");
            std::this_thread::sleep_for(300us);
        }
    });
    (void)parent.receive();
    stopped = true;
    writer.join();
    parent.send("done");
}

GateReport soak(const GateRun& run) {
    GateReport report;
    const auto folder = run.disk;
    std::vector<std::unique_ptr<test::ChildProcess>> children;
    for (int i = 0; i < processes; ++i) {
        children.push_back(std::make_unique<test::ChildProcess>(
            [&, i](const auto& parent) { work(parent, folder, i, run.seed * 100); }));
    }
    while (!std::filesystem::exists(folder / "history-0-0")) std::this_thread::yield();
    children.push_back(std::make_unique<test::ChildProcess>(
        [&](const auto& parent) { write_beside(parent, folder); }));
    std::this_thread::sleep_for(std::chrono::seconds(run.amount));
    for (const auto& child : children) {
        try {
            child->send("drain");
        } catch (const std::exception&) {
            continue;  // it has ended: what it said is below
        }
    }
    for (const auto& child : children) {
        const std::string answer = child->receive();
        if (answer != "done") report.violation("a process ended: " + answer);
    }
    for (const auto& line : broken_invariants(folder / "queue.db")) report.violation(line);
    Oracle oracle;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().filename().string().starts_with("history-")) oracle.add_file(entry.path());
    }
    const auto verdict = oracle.judge(folder / "queue.db");
    for (const auto& line : verdict.violations) report.violation(line);
    std::int64_t acked = 0;
    for (const auto& [key, facts] : oracle.keys()) {
        const auto acks = facts.yes[static_cast<int>(Verb::ack)];
        acked += acks ? 1 : 0;
        if (!acks) report.violation("key " + key + " was drained and never acked");
    }
    report.reached = std::to_string(verdict.keys) + " items, " + std::to_string(acked) +
                     " acked: lost " + std::to_string(verdict.lost) + ", duplicated " +
                     std::to_string(verdict.duplicated);
    report.enough = verdict.keys >= 1000;
    return report;
}

const Registered registered{
    {.name = "soak",
     .promised = "3 processes x 4 threads, drain: 0 lost, 0 duplicated at the ack",
     .amount = 15,
     .unit = "seconds",
     .run = soak}};

}  // namespace

}  // namespace headpond::reliability
