// Random operations on a small queue, by two Queue objects, with the invariants checked after each.
// HEADPOND_SEED=n runs one seed of your own.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

class RandomOperations : public QueueTest, public ::testing::WithParamInterface<std::uint64_t> {
  protected:
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(dice.next() % n); }
    bool one_in(std::size_t n) { return below(n) == 0; }

    Options small(std::uint64_t seed) {
        Options options = QueueTest::options();
        options.items_max = 3 + static_cast<std::int64_t>(seed % 6);
        options.bytes_max = 200;
        options.batch_items_max = 1 + static_cast<std::int64_t>(seed % 4);
        options.attempts_max = attempts_max;
        options.age_max = Ms{60'000};
        options.pending_max = Ms{40'000};
        options.cleanup_interval = Ms{30'000};
        options.cleanup_rows = 2;
        options.backoff_base = Ms{500};
        options.backoff_max = Ms{3'000};
        options.outcomes_max = 20;
        options.dead_max = 10;
        options.attempts_kept = 15;
        options.breaker_failures = 3;
        options.breaker_closed = Ms{2'000};
        options.isolate_poison = seed % 2 == 0;
        options.overflow = seed % 3 == 0 ? Overflow::refuse : Overflow::evict_oldest;
        options.keep_dropped = seed % 5 == 0;
        options.stale_from = seed % 4 == 1 ? StaleFrom::published : StaleFrom::queued;
        return options;
    }

    void enqueue(Queue& queue) {
        std::vector<std::string> keys;
        std::vector<std::string> payloads;
        for (std::size_t i = 0, n = 1 + below(4); i < n; ++i) {
            keys.push_back("k" + std::to_string(below(30)));
            payloads.emplace_back(below(90), 'p');
        }
        std::vector<NewItem> items;
        for (std::size_t i = 0; i < keys.size(); ++i) {
            items.push_back({.key = keys[i],
                             .payload = payloads[i],
                             .tracking = one_in(3) ? Tracking::untracked : Tracking::tracked,
                             .published_at = clock->wall() - Ms{static_cast<int>(below(50'000))}});
        }
        EXPECT_EQ(queue.enqueue(items).size(), items.size());
    }

    void lease(Queue& queue) {
        LeaseRequest request{.when = one_in(3) ? When::due : When::immediate,
                             .lease_time = Ms{1 + static_cast<int>(below(10'000))},
                             .detached = one_in(2)};
        if (one_in(3)) request.items_max = 1 + static_cast<std::int64_t>(below(3));
        auto batch = queue.lease(request);
        if (!batch) return;
        EXPECT_GE(batch->attempt(), 1);
        EXPECT_LE(batch->attempt(), batch->attempts_max());
        EXPECT_FALSE(batch->items().empty());
        expect_alone(queue, *batch);
        held.push_back(std::move(*batch));
    }

    // Of two leases with a common item, the older one must be fenced.
    void expect_alone(Queue& queue, const Batch& batch) {
        Settlement nothing;
        nothing.rest = Rest::keep;
        for (const Batch& other : held) {
            const bool shares =
                std::any_of(other.items().begin(), other.items().end(), [&](const Item& item) {
                    return std::any_of(batch.items().begin(), batch.items().end(),
                                       [&](const Item& mine) { return mine.id == item.id; });
                });
            if (!shares) continue;
            EXPECT_TRUE(queue.settle(other.token(), nothing).fenced);
        }
    }

    Settlement some_settlement(const Batch& batch) {
        Settlement settlement;
        settlement.rest = static_cast<Rest>(below(5));
        settlement.error = "error " + std::to_string(below(3));
        if (one_in(3)) settlement.delay = Ms{static_cast<int>(below(3'000))};
        for (const Item& item : batch.items()) {
            const std::size_t fate = below(6);
            if (fate == 0) settlement.acked.push_back({.item_id = item.id, .result = "r"});
            if (fate == 1) settlement.acked.push_back({.key = item.key});
            if (fate == 2) settlement.rejected.push_back({.item_id = item.id, .reason = "bad"});
        }
        if (one_in(20)) settlement.close_gate = GateClosure{.duration = Ms{1'500}, .reason = "429"};
        return settlement;
    }

    void settle(Queue& queue) {
        if (held.empty()) return;
        const std::size_t at = below(held.size());
        Batch& one = held[at];
        if (one_in(6)) {
            one.extend(Ms{5'000});
            return;
        }
        const auto drop = [&] { held.erase(held.begin() + static_cast<std::ptrdiff_t>(at)); };
        if (one_in(8)) {  // unsettled
            drop();
            return;
        }
        const Settlement settlement = some_settlement(one);
        const Settled settled =
            one_in(4) ? queue.settle(one.token(), settlement) : one.settle(settlement);
        EXPECT_LE(settled.acked + settled.rejected + settled.stale,
                  static_cast<std::int64_t>(one.items().size()));
        EXPECT_TRUE(!settled.fenced || settled.acked + settled.rejected + settled.gone == 0);
        if (one_in(2)) drop();
    }

    void operate(Queue& queue) {
        switch (below(14)) {
            case 0:
            case 1:
            case 2:
                enqueue(queue);
                break;
            case 3:
            case 4:
            case 5:
                lease(queue);
                break;
            case 6:
            case 7:
            case 8:
                settle(queue);
                break;
            case 9:
                clock->advance(Ms{static_cast<int>(below(6'000))});
                break;
            case 10:
                (void)queue.cancel("k" + std::to_string(below(30)));
                break;
            case 11:
                if (one_in(3)) queue.cleanup();
                break;
            case 12:
                seldom(queue);
                break;
            default:
                read_and_forget(queue);
                break;
        }
    }

    void seldom(Queue& queue) {
        Admin admin(queue);
        switch (below(8)) {
            case 0:
                (void)admin.redrive({.limit = 1 + below(5)});
                break;
            case 1:
                (void)admin.purge({.limit = 1 + below(3)});
                break;
            case 2:
                admin.pause(Ms{1 + static_cast<int>(below(3'000))}, "random", "test");
                break;
            case 3:
                admin.resume("test");
                break;
            case 4:
                queue.flush();
                break;
            case 5:
                clock->step_wall(Ms{static_cast<int>(below(20'000'000)) - 10'000'000});
                break;
            case 6:
                clock->reboot(Ms{static_cast<int>(below(2'000))});
                break;
            default:
                transact(queue);
                break;
        }
    }

    void transact(Queue& queue) {
        const bool undo = one_in(2);
        try {
            queue.transact([&](Transaction& tx) {
                const std::string key = "k" + std::to_string(below(30));
                (void)tx.enqueue({.key = key, .payload = "x", .tracking = Tracking::tracked});
                if (!held.empty()) {
                    const Batch& one = held[below(held.size())];
                    (void)tx.settle(one.token(), some_settlement(one));
                }
                if (undo) throw std::runtime_error("undo");
            });
        } catch (const std::runtime_error& error) {
            EXPECT_STREQ(error.what(), "undo");
        }
    }

    void read_and_forget(Queue& queue) {
        std::vector<std::int64_t> ids;
        for (const auto& outcome : queue.outcomes(1 + below(10))) {
            ids.push_back(outcome.item_id);
            EXPECT_TRUE(forgotten.insert(outcome.item_id).second)
                << "item " << outcome.item_id << " has had its one outcome before";
        }
        EXPECT_EQ(queue.forget(ids), ids.size());
    }

    void check(Queue& queue, RawDatabase& raw) {
        EXPECT_EQ(raw.integer("SELECT difference FROM ledger"), 0);
        EXPECT_EQ(raw.text("SELECT fault || ': ' || detail FROM range_faults"), "");
        EXPECT_EQ(raw.integer("SELECT count(*) FROM batches WHERE attempts < 0 OR attempts > "
                              "max(3, ifnull(attempts_max, 0))"),
                  0);
        EXPECT_EQ(raw.integer("SELECT count(*) FROM items JOIN outcomes ON item_id = id"), 0);
        EXPECT_EQ(raw.integer("SELECT outcomes - (SELECT count(*) FROM outcomes) FROM totals"), 0);
        EXPECT_EQ(
            raw.integer("SELECT dead_letters - (SELECT count(*) FROM dead_letters) FROM totals"),
            0);
        EXPECT_EQ(raw.integer("SELECT age_sum - (SELECT ifnull(sum(enqueued_at - age_base), 0) "
                              "FROM items) FROM totals"),
                  0);
        EXPECT_EQ(raw.integer("SELECT count(*) FROM items AS a JOIN items AS b ON a.id < b.id "
                              "WHERE a.enqueued_at > b.enqueued_at"),
                  0);
        EXPECT_LE(raw.integer("SELECT count(*) FROM attempts"), 15);
        const Health health = queue.health();
        EXPECT_LE(health.items, health.items_max);
        EXPECT_LE(health.bytes, 200);
        EXPECT_LE(health.dead_letters, 10);
        EXPECT_LE(health.outcomes, 20);
        EXPECT_GE(health.age_max.count(), 0);
        EXPECT_GE(health.age_average.count(), 0);
        EXPECT_EQ(health.ready + health.waiting + health.leased, health.items);
        EXPECT_EQ(health.ledger_difference, 0);
    }

    // Whatever happened, everything that is resident can still be worked off.
    void drain(Queue& queue) {
        held.clear();
        for (int round = 0; round < 100 && !resident(queue).empty(); ++round) {
            clock->advance(Ms{15'000});
            Admin(queue).resume("test");
            while (auto batch = queue.lease()) batch->ack();
        }
        EXPECT_TRUE(resident(queue).empty());
    }

    static constexpr std::int64_t attempts_max = 3;
    FakeRandom dice{GetParam()};
    std::vector<Batch> held;
    std::set<std::int64_t> forgotten;
};

TEST_P(RandomOperations, KeepTheInvariants) {
    SCOPED_TRACE("HEADPOND_SEED=" + std::to_string(GetParam()));
    const Options options = small(GetParam());
    Queue one(options);
    std::optional<Queue> other(options);
    RawDatabase raw(dir / "queue.db");
    for (int step = 0; step < 400; ++step) {
        if (one_in(60)) {
            other.reset();
            other.emplace(options);
        }
        operate(one_in(2) ? one : *other);
        check(one, raw);
        ASSERT_FALSE(HasFailure()) << "step " << step;
    }
    drain(one);
    check(one, raw);
    expect_sound(one);
}

std::vector<std::uint64_t> seeds() {
    if (const char* seed = std::getenv("HEADPOND_SEED")) return {std::strtoull(seed, nullptr, 10)};
    return {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomOperations, ::testing::ValuesIn(seeds()),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace headpond::test
