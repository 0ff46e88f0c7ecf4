// Restore: a backup taken in the middle of a history is put back over the file after more history.
// Tokens of what the backup forgot, and of what is leased again, change nothing.
#include "reliability/gate.h"
#include "reliability/oracle.h"
#include "support/fake_clock.h"
#include "support/raw_database.h"

#include <headpond/admin.h>
#include <headpond/headpond.h>

#include <optional>
#include <set>

namespace headpond::reliability {

namespace {

using Keys = std::set<std::string>;

class Restoring {
  public:
    Restoring(std::filesystem::path folder, std::mt19937_64 random, GateReport& report)
        : folder_(std::move(folder)), random_(random), report_(report) {
        std::filesystem::create_directories(folder_);
    }

    void run() {
        open();
        live(10 + pick(30));
        Admin(*queue_).backup(backup());
        const Keys resident = keys_in(backup());
        const std::size_t before = tokens_.size();
        live(10 + pick(30));
        owned_.clear();
        queue_.reset();
        put_back();
        open();
        judge_tokens(before);
        judge_deliveries(resident);
        queue_.reset();
        for (const auto& line : broken_invariants(path())) violation(line);
    }
    std::int64_t fenced = 0, delivered = 0;

  private:
    std::size_t pick(std::size_t below) { return random_() % below; }
    [[nodiscard]] std::filesystem::path path() const { return folder_ / "queue.db"; }
    [[nodiscard]] std::filesystem::path backup() const { return folder_ / "backup.db"; }
    void violation(const std::string& line) {
        report_.violation(folder_.filename().string() + ": " + line);
    }

    void open() {
        Options options;
        options.path = path();
        options.durability = Durability::process_crash;
        options.clock = clock_;
        options.random = std::make_shared<test::FakeRandom>(random_());
        options.log = [](LogLevel, std::string_view) {};
        options.attempts_max = 1000;
        options.age_max = options.pending_max = Ms{1'000'000'000};
        options.backoff_base = options.release_delay_min = Ms{0};
        options.batch_items_max = 4;
        options.breaker_failures = 1'000'000;
        queue_.emplace(options);
    }

    void live(std::size_t steps) {
        for (std::size_t i = 0; i < steps; ++i) step();
    }
    void step() {
        const auto rest = pick(2) == 0 ? Rest::nack : Rest::release;
        switch (pick(5)) {
            case 0:  // settled late, or never
                if (!tokens_.empty()) {
                    (void)queue_->settle(tokens_[pick(tokens_.size())], {.rest = Rest::ack});
                }
                break;
            case 1:
                if (auto batch = queue_->lease()) (void)batch->settle({.rest = rest});
                break;
            case 2:
                if (auto batch = queue_->lease({.detached = true})) {
                    tokens_.emplace_back(batch->token());
                }
                break;
            case 3:
                if (auto batch = queue_->lease()) {
                    tokens_.emplace_back(batch->token());
                    owned_.push_back(std::move(*batch));
                }
                break;
            default:
                for (std::size_t n = 1 + pick(5); n > 0; --n) {
                    const std::string key = "k" + std::to_string(++keys_);
                    (void)queue_->enqueue(
                        {.key = key, .payload = "x", .tracking = Tracking::tracked});
                }
        }
    }

    // As README tells operators; the lock file may stay.
    void put_back() {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path().string() + suffix);
        }
        if (pick(2) == 0) std::filesystem::remove(path().string() + "-owners");
        std::filesystem::copy_file(backup(), path());
    }

    static Keys keys_in(const std::filesystem::path& file) {
        Keys keys;
        test::RawDatabase raw(file);
        for (const auto& row : raw.rows("SELECT key FROM items")) keys.insert(row[0]);
        return keys;
    }
    void expect_fenced(const std::string& token, const std::string& what) {
        const Keys before = keys_in(path());
        const Settled settled = queue_->settle(token, {.rest = Rest::ack});
        if (!settled.fenced || keys_in(path()) != before) {
            violation("token " + token + " of " + what + " acked " + std::to_string(settled.acked) +
                      "; allowed: fenced");
        }
        fenced += settled.fenced ? 1 : 0;
    }
    // Issued after the backup: fenced at once, and still when its batch's id is leased again.
    void judge_tokens(std::size_t before) {
        for (std::size_t i = before; i < tokens_.size(); ++i) {
            expect_fenced(tokens_[i], "after the backup");
        }
    }
    // Everything that was resident is delivered again; then every old token is fenced.
    void judge_deliveries(const Keys& resident) {
        clock_->advance(Ms{120'000});  // leases of the backup lapse
        Keys again;
        std::vector<Batch> held;
        while (auto batch = queue_->lease()) {
            for (const auto& item : batch->items()) {
                if (!again.insert(item.key).second) violation(item.key + " was delivered twice");
            }
            held.push_back(std::move(*batch));
        }
        if (again != resident) {
            violation(std::to_string(resident.size()) + " were resident at the backup, " +
                      std::to_string(again.size()) + " were delivered after the restore");
        }
        for (const auto& token : tokens_) expect_fenced(token, "a lease before the restore");
        for (auto& batch : held) delivered += batch.ack().acked;
        if (!keys_in(path()).empty()) violation("what was leased after the restore is not acked");
    }

    const std::filesystem::path folder_;
    std::mt19937_64 random_;
    GateReport& report_;
    std::shared_ptr<test::FakeClock> clock_ = std::make_shared<test::FakeClock>();
    std::optional<Queue> queue_;
    std::vector<std::string> tokens_;
    std::vector<Batch> owned_;
    int keys_ = 0;
};

GateReport restore(const GateRun& run) {
    GateReport report;
    std::int64_t fenced = 0;
    std::int64_t delivered = 0;
    for (std::int64_t i = 0; i < run.amount; ++i) {
        const auto folder = run.memory / ("restore-" + std::to_string(i));
        Restoring restoring(folder, run.random(static_cast<std::uint64_t>(i)), report);
        restoring.run();
        fenced += restoring.fenced;
        delivered += restoring.delivered;
        if (report.violations.size() > 20) break;
        std::filesystem::remove_all(folder);
    }
    report.reached = std::to_string(run.amount) + " restores, " + std::to_string(delivered) +
                     " items delivered again, " + std::to_string(fenced) + " old tokens fenced";
    report.enough = run.amount >= 100 && fenced >= 500 && delivered >= 500;
    return report;
}

const Registered registered{{.name = "restore",
                             .promised = ">= 100 restores, old tokens fenced, residents delivered",
                             .amount = 100,
                             .unit = "restores",
                             .run = restore}};

}  // namespace

}  // namespace headpond::reliability
