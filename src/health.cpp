// Health: the rows come from the view `health`; the level and the numbers are made here.
#include "core.h"
#include "engine/rules.h"

#include <headpond/queue.h>

namespace headpond {

namespace {

using detail::Core;

void raise(Health& health, HealthLevel level, std::string reason) {
    if (level > health.level) health.level = level;
    health.reasons.push_back(std::move(reason));
}

struct Seen {
    store::Totals totals;
    engine::Settings settings;
    store::GateRow gate;
    store::Millis oldest = 0, now = 0;
    std::int64_t log_bytes = 0;
    bool overdue = false;
};

Seen look(Core& core) {
    Seen seen;
    seen.log_bytes = core.file_size().log_bytes;
    core.read("health", [&](store::Transaction& tx) {
        seen.settings = *core.settings_for(tx);
        seen.totals = tx.totals();
        seen.now = engine::read_clock(core.clock(), tx.clock(), tx).now;
        seen.gate = engine::gate_at(tx.gate(), seen.now);
        const auto first = tx.survey(0, store::no_limit, 1);
        if (!first.empty()) seen.oldest = seen.now - first.front().enqueued_at;
        seen.overdue = tx.next_lapse().value_or(store::no_limit) <= seen.now;
    });
    return seen;
}

void judge(Health& health, const Seen& seen) {
    using enum HealthLevel;
    constexpr double nearly_full = 0.8;
    if (health.ledger_difference != 0) {
        raise(health, critical,
              "the ledger is off by " + std::to_string(health.ledger_difference) +
                  ": see `headpond check`");
    }
    if (health.utilization >= 1.0) {
        const bool drops = seen.settings.overflow_policy() == Overflow::evict_oldest;
        raise(health, drops ? warning : critical,
              drops ? "full: the oldest items are evicted" : "full: newcomers are refused");
    } else if (health.utilization >= nearly_full) {
        raise(health, warning, "over 80% full");
    }
    if (health.gate == "closed") raise(health, warning, "the gate is closed: " + seen.gate.reason);
    if (seen.log_bytes > 2 * seen.settings.wal_bytes_max) {
        raise(health, warning,
              "the log has " + std::to_string(seen.log_bytes) +
                  " bytes: a long reader, perhaps a shell left inside a transaction, keeps it from "
                  "being checkpointed");
    }
    if (seen.overdue) raise(health, warning, "a lease is past due");
    if (health.dead_letters > 0) {
        raise(health, warning,
              std::to_string(health.dead_letters) + " dead letters: see `headpond dead ls`");
    }
    if (health.age_max.count() > seen.settings.age_max + seen.settings.cleanup_interval) {
        raise(health, warning, "an item is past age_max and was not cleaned up");
    }
}

}  // namespace

Health Queue::health() const {
    const Seen seen = look(*core_);
    Health health;
    const auto wall = core_->clock().wall().time_since_epoch().count();
    for (auto& row : core_->store().view("health", wall).rows) {
        health.rows.push_back({.metric = std::move(row[0]),
                               .value = std::move(row[1]),
                               .limit = std::move(row[2]),
                               .note = std::move(row[3])});
    }
    const auto& totals = seen.totals;
    health.items = totals.items;
    health.items_max = seen.settings.items_max;
    health.bytes = totals.bytes;
    health.waiting = totals.waiting_items;
    health.leased = totals.leased_items;
    health.ready = std::max<std::int64_t>(0, totals.ready());
    health.utilization =
        static_cast<double>(totals.items) / static_cast<double>(seen.settings.items_max);
    health.age_max = Ms{seen.oldest};
    if (totals.items > 0) {
        health.age_average = Ms{seen.now - totals.age_base - totals.age_sum / totals.items};
    }
    health.attempts = totals.attempts;
    health.failed_batches = totals.failed_batches;
    health.dead_letters = totals.dead_letters;
    health.outcomes = totals.outcomes;
    health.ledger_difference = totals.entered() - totals.left() - totals.items;
    health.gate = to_string(seen.gate.state);
    judge(health, seen);
    return health;
}

void Queue::log_health() const {
    core_->log_health();
}

}  // namespace headpond
