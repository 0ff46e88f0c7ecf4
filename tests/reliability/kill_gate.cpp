// kill -9: three processes work on one file; one after the other is killed and replaced. The
// histories that they leave, written before and after each call, are the oracle.
#include "reliability/gate.h"
#include "reliability/oracle.h"
#include "reliability/shared.h"
#include "reliability/shim_vfs.h"
#include "reliability/workload.h"

#include <array>
#include <atomic>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace headpond::reliability {

namespace {

constexpr int slots = 3;
constexpr int kills_a_file = 20;

// What a worker was doing, readable after its death.
struct Seen {
    std::atomic<bool> writing{false};  // holds the write lock
    std::atomic<bool> holding{false};  // holds a lease
    std::atomic<std::int64_t> errors{0};
    char error[200] = {};
};

using AllSeen = std::array<Seen, slots>;

struct Counts {
    std::int64_t rounds = 0, writing = 0, holding = 0;
    std::int64_t lost = 0, unexpected = 0, duplicated = 0, recovered = 0, keys = 0;
};

class Session {
  public:
    Session(std::filesystem::path folder, Durability durability, std::mt19937_64& random,
            AllSeen& seen)
        : folder_(std::move(folder)), durability_(durability), random_(random), seen_(seen) {
        std::filesystem::create_directories(folder_);
        for (int slot = 0; slot < slots; ++slot) start(slot);
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { end(); }

    void kill_one(Counts& counts) {
        const int slot = static_cast<int>(random_() % slots);
        wait_for_moment(slot);
        stop(slot);
        counts.rounds += 1;
        counts.writing += seen_[slot].writing ? 1 : 0;
        counts.holding += seen_[slot].holding ? 1 : 0;
        start(slot);
    }
    void end() {
        for (int slot = 0; slot < slots; ++slot) stop(slot);
    }
    void judge(Counts& counts, GateReport& report) {
        const auto database = folder_ / "queue.db";
        for (const auto& line : broken_invariants(database, Workload::items_highest))
            report.violation(line);
        Oracle oracle;
        for (const auto& history : histories_) oracle.add_file(history);
        const auto verdict = oracle.judge(database);
        for (const auto& line : verdict.violations) report.violation(line);
        counts.lost += verdict.lost;
        counts.unexpected += verdict.unexpected;
        counts.duplicated += verdict.duplicated;
        counts.recovered += verdict.recovered;
        counts.keys += verdict.keys;
    }

  private:
    void start(int slot) {
        const int generation = ++generation_;
        const auto history = folder_ / ("history-" + std::to_string(generation));
        histories_.push_back(history);
        const std::uint64_t seed = random_();
        Seen& seen = seen_[slot];
        seen.writing = seen.holding = false;
        const pid_t child = fork();
        if (child < 0) throw std::runtime_error("fork failed");
        if (child == 0) {
            work(history, generation, seed, seen);
            _exit(0);
        }
        children_[static_cast<std::size_t>(slot)] = child;
    }

    void work(const std::filesystem::path& history_file, int generation, std::uint64_t seed,
              Seen& seen) {
        ShimVfs::instance().watch_write_lock([&](bool held) { seen.writing = held; });
        History history(history_file);
        Workload::Order order{.path = folder_ / "queue.db",
                              .durability = durability_,
                              .seed = seed,
                              .rounds = INT_MAX};
        order.name = "p" + std::to_string(generation) + "-";
        order.live = true;
        order.holding = [&](bool held) { seen.holding = held; };
        order.on_error = [&](const Error& error) {
            seen.errors += 1;
            std::strncpy(seen.error, error.what(), sizeof seen.error - 1);
        };
        Workload(order, history).run();
    }

    // Any time, or where it matters: inside a write transaction, or with a lease held. Looks at
    // what the worker says of itself; gives up when the moment does not come.
    void wait_for_moment(int slot) {
        using namespace std::chrono;
        const auto spare = microseconds(1000 + random_() % 14'000);
        std::this_thread::sleep_for(spare);
        const auto kind = random_() % 3;
        if (kind == 0) return;
        const Seen& seen = seen_[slot];
        const auto deadline = steady_clock::now() + milliseconds(200);
        while (!(kind == 1 ? seen.writing : seen.holding) && steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
    }

    void stop(int slot) {
        pid_t& child = children_[static_cast<std::size_t>(slot)];
        if (child == 0) return;
        ::kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        child = 0;
    }

    const std::filesystem::path folder_;
    const Durability durability_;
    std::mt19937_64& random_;
    AllSeen& seen_;
    std::array<pid_t, slots> children_{};
    std::vector<std::filesystem::path> histories_;
    int generation_ = 0;
};

GateReport kill_nine(const GateRun& run) {
    GateReport report;
    Counts counts;
    const Shared<AllSeen> shared;
    AllSeen& seen = *shared;
    auto random = run.random();
    for (std::int64_t file = 0; counts.rounds < run.amount; ++file) {
        const auto& parent = file % 2 == 0 ? run.disk : run.memory;
        const auto folder = parent / ("file-" + std::to_string(file));
        const bool synced = file % 4 < 2;
        Session session(folder, synced ? Durability::power_loss : Durability::process_crash, random,
                        seen);
        for (int i = 0; i < kills_a_file; ++i) session.kill_one(counts);
        session.end();
        session.judge(counts, report);
        if (report.violations.size() > 20) break;
        if (report.violations.empty()) std::filesystem::remove_all(folder);
    }
    for (int slot = 0; slot < slots; ++slot) {
        if (seen[slot].errors > 0) {
            report.violation("a worker met " + std::to_string(seen[slot].errors) +
                             " errors, the last: " + seen[slot].error);
        }
    }
    const auto share = [&](std::int64_t part) { return 100 * part / counts.rounds; };
    report.reached = std::to_string(counts.rounds) + " kills (" +
                     std::to_string(share(counts.writing)) + "% inside a write transaction, " +
                     std::to_string(share(counts.holding)) + "% with a lease held), " +
                     std::to_string(counts.keys) + " keys: lost " + std::to_string(counts.lost) +
                     ", unexpected " + std::to_string(counts.unexpected) + ", duplicated " +
                     std::to_string(counts.duplicated) + ", recovered " +
                     std::to_string(counts.recovered);
    report.enough =
        counts.rounds >= 2000 && share(counts.writing) >= 30 && share(counts.holding) >= 30;
    return report;
}

const Registered registered{{.name = "kill -9",
                             .promised = ">= 2000 rounds, half on a real disk, 30% inside a write "
                                         "transaction, 30% with a lease held",
                             .amount = 2000,
                             .unit = "kills",
                             .run = kill_nine}};

}  // namespace

}  // namespace headpond::reliability
