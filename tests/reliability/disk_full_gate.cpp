// ENOSPC: a small file system filled by another tenant while the log stands at its reserve. What
// enters is answered `no_room`; what drains goes on; when the tenant leaves, all goes on.
#include "reliability/gate.h"
#include "reliability/oracle.h"
#include "reliability/small_disk.h"
#include "support/child_process.h"
#include "support/fake_clock.h"
#include "support/raw_database.h"

#include <headpond/admin.h>
#include <headpond/headpond.h>

#include <algorithm>
#include <functional>
#include <optional>

namespace headpond::reliability {

namespace {

using Report = std::function<void(const std::string&)>;

// One queue on a small disk: filled to somewhere by a history, then with the disk full.
class Tenancy {
  public:
    Tenancy(std::filesystem::path folder, std::mt19937_64 random, Report report)
        : folder_(std::move(folder)),
          random_(random),
          report_(std::move(report)),
          durability_(pick(2) == 0 ? Durability::power_loss : Durability::process_crash),
          payload_max_(std::size_t{1} << (pick(3) == 0 ? 16 : pick(17))),
          tenant_(folder_ / "tenant") {}

    void run() {
        open();
        fill();
        tenant_.fill();
        full_ = true;
        if (pick(3) == 0) step("reopen", [&] { reopen(); });
        drain();
        tenant_.leave();
        full_ = false;
        step("enqueue after the tenant left", [&] {
            const auto answer = enqueue_one(100);
            if (answer != Enqueued::stored) {
                report_("enqueue answers " + std::string(to_string(answer)) +
                        " after the tenant left; allowed: stored");
            }
        });
        step("lease after the tenant left", [&] { settle_all(need_lease()); });
        held_.clear();
        queue_.reset();
        judge();
    }
    [[nodiscard]] std::int64_t verbs() const { return verbs_; }

  private:
    std::size_t pick(std::size_t below) { return random_() % below; }
    [[nodiscard]] std::filesystem::path database() const { return folder_ / "queue.db"; }

    void open() {
        Options options;
        options.path = database();
        options.durability = durability_;
        options.clock = clock_;
        options.log = [](LogLevel, std::string_view) {};
        options.payload_bytes_max = 64 * 1024;
        options.items_max = items_max;
        options.attempts_max = 2;
        options.batch_items_max = 5;
        options.backoff_base = Ms{0};
        options.release_delay_min = Ms{0};
        options.cleanup_interval = Ms{24 * 3600 * 1000};
        options.outcome_age_max = options.pending_max = Ms{1'000'000'000};
        queue_.emplace(options);
    }
    void reopen() {
        for (auto& batch : held_) settle_all(std::move(batch));
        held_.clear();
        queue_.reset();
        open();
    }

    // A call on the full disk: whatever it throws is a violation. What a call before it gave back
    // to the disk is the tenant's now.
    void step(const std::string& what, const std::function<void()>& fn) {
        verbs_ += 1;
        if (full_) tenant_.fill();
        try {
            fn();
        } catch (const std::exception& error) {
            report_(what + " (payloads up to " + std::to_string(payload_max_) + " B, log " +
                    std::to_string(log_bytes_) + " B): " + error.what());
        }
    }

    Enqueued enqueue_one(std::size_t bytes) {
        const std::string key = "k" + std::to_string(++keys_);
        const std::string payload(bytes, 'p');
        history_.asked(Verb::enqueue, {key});
        const auto answer =
            queue_->enqueue({.key = key, .payload = payload, .tracking = Tracking::tracked});
        history_.told(Verb::enqueue, {key}, answer == Enqueued::stored ? Told::yes : Told::no);
        return answer;
    }
    std::size_t some_bytes() { return pick(8) == 0 ? payload_max_ : pick(payload_max_ + 1); }

    std::optional<Batch> lease() {
        const std::int64_t asked_at = History::now();
        auto batch = queue_->lease();
        if (batch) history_.delivered(keys_of(*batch), asked_at);
        return batch;
    }
    // There is always something to lease when this is called.
    Batch need_lease() {
        auto batch = lease();
        if (!batch) throw std::runtime_error("lease finds nothing; allowed: a batch");
        return std::move(*batch);
    }
    static std::vector<std::string> keys_of(const Batch& batch) {
        std::vector<std::string> keys;
        for (const auto& item : batch.items()) keys.push_back(item.key);
        return keys;
    }
    void settle_all(Batch batch) {
        Settlement settlement;
        for (const auto& item : batch.items()) {
            settlement.acked.push_back({.item_id = item.id, .result = "result of " + item.key});
        }
        const auto keys = keys_of(batch);
        history_.asked(Verb::ack, keys);
        const auto settled = batch.settle(settlement);
        const bool all = settled.acked == static_cast<std::int64_t>(keys.size());
        if (!all)
            report_("ack of " + std::to_string(keys.size()) + " items acked " +
                    std::to_string(settled.acked));
        history_.told(Verb::ack, keys, all ? Told::yes : Told::unknown);
    }

    // Ends with some batches held, some waiting, most items ready, and the log at any place.
    void fill() {
        const std::size_t rounds = 10 + pick(200);
        for (std::size_t i = 0; i < rounds; ++i) {
            for (std::size_t n = pick(6); n > 0; --n) (void)enqueue_one(some_bytes());
            if (pick(2) == 0) {
                if (auto batch = lease()) settle_all(std::move(*batch));
            }
        }
        while (queue_->health().items < items_ready) {
            if (enqueue_one(some_bytes()) != Enqueued::stored) break;
        }
        if (pick(2) == 0) lose_the_log();
        for (int i = 0; i < 4; ++i) held_.push_back(need_lease());
        (void)held_[3].nack("before");
        held_.pop_back();
        log_bytes_ = std::filesystem::file_size(database().string() + "-wal");
    }

    // As the last shell that is closed, or a restored backup, leaves the file: the next opening has
    // a reserve to make.
    void lose_the_log() {
        queue_.reset();
        test::RawDatabase(database()).exec("PRAGMA wal_checkpoint(TRUNCATE)");
        open();
    }

    void drain() {
        std::vector<std::function<void()>> verbs{
            [&] { step("enqueue", [&] { enqueue_finds_no_room(); }); },
            [&] { step("lease, ack", [&] { settle_all(need_lease()); }); },
            [&] { step("ack of a held batch", [&] { ack_held(); }); },
            [&] { step("nack", [&] { (void)need_lease().nack("service said 500"); }); },
            [&] { step("release", [&] { (void)need_lease().release(Ms{0}, "later"); }); },
            [&] { step("reject", [&] { reject(); }); },
            [&] { step("abandon", [&] { abandon(); }); },
            [&] { step("evict by newcomers", [&] { newcomers_at_the_bound(); }); },
            [&] { step("cancel", [&] { cancel(); }); },
            [&] { step("forget", [&] { forget(); }); },
        };
        for (int round = 0; round < 3; ++round) {
            std::shuffle(verbs.begin(), verbs.end(), random_);
            for (const auto& verb : verbs) verb();
        }
        step("evict by a lower limit", [&] { lower_the_limit(); });
        step("enqueue", [&] { enqueue_finds_no_room(); });
        // Everything that is left can be drained.
        for (int i = 0; i < 5; ++i) step("lease, ack", [&] { drain_one(); });
        step("expire", [&] { expire(); });
    }

    void enqueue_finds_no_room() {
        const auto answer = enqueue_one(some_bytes());
        if (answer != Enqueued::no_room) {
            report_("enqueue on a full disk answers " + std::string(to_string(answer)) +
                    "; allowed: no_room");
        }
    }
    void ack_held() {
        if (held_.empty()) return;
        settle_all(std::move(held_.back()));
        held_.pop_back();
    }
    void drain_one() {
        if (auto batch = lease()) settle_all(std::move(*batch));
    }
    void reject() {
        auto batch = need_lease();
        Settlement settlement;
        for (const auto& item : batch.items()) {
            settlement.rejected.push_back({.item_id = item.id, .reason = "not a place"});
        }
        history_.asked(Verb::reject, keys_of(batch));
        (void)batch.settle(settlement);
        history_.told(Verb::reject, keys_of(batch), Told::yes);
    }
    void abandon() {
        for (int i = 0; i < 10; ++i) {
            if (need_lease().nack("service said 503").abandoned) return;
        }
        report_("ten nacks of batches of two attempts abandoned none");
    }
    // What is evicted makes room in the file for a newcomer of its size, and maybe for no larger.
    void newcomers_at_the_bound() {
        Admin(*queue_).set("items_max", std::to_string(queue_->health().items), "gate");
        const std::int64_t before = evicted();
        const auto answer = enqueue_one(some_bytes());
        const std::int64_t gone = evicted() - before;
        Admin(*queue_).set("items_max", std::to_string(items_max), "gate");
        if (answer == Enqueued::stored && gone == 1) return;
        if (answer == Enqueued::no_room && gone == 0) return;
        report_("a newcomer at the bound is answered " + std::string(to_string(answer)) + " and " +
                std::to_string(gone) +
                " were evicted; allowed: stored with one, no_room with none");
    }
    [[nodiscard]] std::int64_t evicted() {
        for (const auto& row : Admin(*queue_).view("counters").rows) {
            if (row[0] == "evicted") return std::stoll(row[1]);
        }
        throw std::runtime_error("the view counters has no row evicted");
    }
    void lower_the_limit() {
        const std::int64_t limit = std::max<std::int64_t>(queue_->health().items - 10, 1);
        Admin(*queue_).set("items_max", std::to_string(limit), "gate");
        (void)queue_->cleanup();
        const std::int64_t left = queue_->health().items;
        if (left > limit) {
            report_("after the limit was lowered to " + std::to_string(limit) + " a cleanup left " +
                    std::to_string(left));
        }
        Admin(*queue_).set("items_max", std::to_string(items_max), "gate");
    }
    void expire() {
        clock_->advance(Ms{3'700'000});
        const auto report = queue_->cleanup();
        const auto health = queue_->health();
        if (health.ready + health.waiting > 0) {
            report_("a cleanup expired " + std::to_string(report.expired) + " and left " +
                    std::to_string(health.ready + health.waiting) + " over their age");
        }
    }
    void cancel() {
        for (const auto& item : Admin(*queue_).peek(1000)) {
            if (item.state == "leased") continue;
            history_.asked(Verb::cancel, {item.key});
            const bool done = queue_->cancel(item.key);
            history_.told(Verb::cancel, {item.key}, done ? Told::yes : Told::no);
            if (!done)
                report_("cancel of " + item.key + ", which is " + item.state + ", did nothing");
            return;
        }
    }
    void forget() {
        std::vector<std::string> keys;
        std::vector<std::int64_t> ids;
        for (const auto& outcome : queue_->outcomes(5)) {
            keys.push_back(outcome.key);
            ids.push_back(outcome.item_id);
        }
        history_.asked(Verb::forget, keys);
        const std::size_t forgotten = queue_->forget(ids);
        history_.told(Verb::forget, keys, Told::yes);
        if (forgotten != ids.size()) report_("forget forgot " + std::to_string(forgotten));
    }

    void judge() {
        for (const auto& line : broken_invariants(database())) report_(line);
        Oracle oracle;
        oracle.add(history_.text());
        for (const auto& line : oracle.judge(database()).violations) report_(line);
    }

    static constexpr std::int64_t items_max = 300;
    static constexpr std::int64_t items_ready = 220;  // more than the verbs below use up
    const std::filesystem::path folder_;
    std::mt19937_64 random_;
    const Report report_;
    const Durability durability_;
    const std::size_t payload_max_;
    const Tenant tenant_;
    bool full_ = false;
    std::shared_ptr<test::FakeClock> clock_ = std::make_shared<test::FakeClock>();
    std::optional<Queue> queue_;
    std::vector<Batch> held_;
    History history_;
    std::uintmax_t log_bytes_ = 0;
    std::int64_t verbs_ = 0;
    int keys_ = 0;
};

// Blocks until the child is done; answers the verbs that it made, 0 where it failed.
std::int64_t listen(const test::ChildProcess& child, const std::string& disk, GateReport& report,
                    std::string& impossible) {
    constexpr std::string_view done = "done ";
    constexpr std::string_view cannot = "impossible ";
    for (;;) {
        const std::string line = child.receive();
        if (line.starts_with(done)) return std::stoll(line.substr(done.size()));
        if (line.starts_with(cannot)) {
            impossible = line.substr(cannot.size());
            return 0;
        }
        report.violation(disk + ": " + (line.empty() ? "the process died" : line));
        if (line.empty() || line.starts_with("error: ")) return 0;
    }
}

GateReport disk_full(const GateRun& run) {
    GateReport report;
    std::int64_t disks = 0;
    std::int64_t verbs = 0;
    std::string impossible;
    for (std::int64_t i = 0; i < run.amount && impossible.empty(); ++i) {
        const auto folder = run.memory / ("disk-" + std::to_string(i));
        std::filesystem::create_directories(folder);
        const test::ChildProcess child([&](const test::ChildProcess::Parent& parent) {
            auto random = run.random(static_cast<std::uint64_t>(i));
            const std::int64_t bytes = static_cast<std::int64_t>(24 + random() % 16) << 20;
            const std::string failure = mount_small_disk(folder, bytes);
            if (!failure.empty()) {
                parent.send("impossible " + failure);
                return;
            }
            Tenancy tenancy(folder, random, [&](const std::string& line) { parent.send(line); });
            tenancy.run();
            parent.send("done " + std::to_string(tenancy.verbs()));
        });
        const std::int64_t made = listen(child, "disk " + std::to_string(i), report, impossible);
        verbs += made;
        disks += made > 0 ? 1 : 0;
        if (report.violations.size() > 20) break;
    }
    report.reached =
        std::to_string(disks) + " disks filled, " + std::to_string(verbs) + " calls on them";
    if (!impossible.empty()) report.reached = "no small disk can be mounted: " + impossible;
    report.enough = disks >= 20;
    return report;
}

const Registered registered{{.name = "ENOSPC",
                             .promised = ">= 20 disks filled, each verb that drains goes on",
                             .amount = 20,
                             .unit = "disks",
                             .run = disk_full}};

}  // namespace

}  // namespace headpond::reliability
