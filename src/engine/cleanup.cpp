#include "engine/departure.h"
#include "engine/operations.h"
#include "engine/rules.h"

#include <algorithm>
#include <array>

namespace headpond::engine {

using store::BatchRow;
using store::Counters;
using store::ItemRow;

namespace {

constexpr std::int64_t recount_items_max = 100'000;
constexpr std::int64_t recover_limit = 64;

std::int64_t rows_of(const Context& context) {
    return std::min(context.settings.cleanup_rows, context.rows_max);
}

// Every part answers true when it has nothing more to do.

bool step_recover(Context& context, CleanupReport& report) {
    const auto recovered = recover(context, std::min(recover_limit, rows_of(context)));
    report.reclaimed += recovered.batches;
    report.abandoned += recovered.abandoned;
    return recovered.batches == 0;
}

bool step_give_up(Context& context, Progress& progress, CleanupReport& report) {
    constexpr std::int64_t chunk = 64;
    auto batches = context.tx.waiting(progress.cursor, chunk);
    for (BatchRow& batch : batches) {
        const std::int64_t first = batch.first_id;
        const bool dies =
            batch.not_before.value_or(0) <= context.now && exhausted(batch, context.settings);
        if (dies) {
            const GivenUp given_up = give_up(context, std::move(batch));
            if (given_up == GivenUp::not_yet) return false;
            report.abandoned += given_up == GivenUp::abandoned ? 1 : 0;
            progress.cursor = first;
            return false;
        }
        progress.cursor = first;
    }
    return static_cast<std::int64_t>(batches.size()) < chunk;
}

void drop(Context& context, OldestFirst::Victims& run, Reason reason,
          const std::vector<Leaving>& leaving) {
    if (leaving.empty()) return;
    BatchRow* batch = run.batch ? &*run.batch : nullptr;
    depart(context, leaving, reason, batch);
    if (batch != nullptr) save_or_end(context, *batch);
}

// Items grow younger along the walk, so that the first young one ends it.
bool step_expire(Context& context, CleanupReport& report) {
    std::int64_t left = rows_of(context);
    const store::Millis cutoff = context.now - context.settings.age_max;
    OldestFirst walk(context, buries(Reason::expired, context.settings));
    while (left > 0) {
        auto run = walk.next(left);
        std::vector<Leaving> old;
        for (const ItemRow& item : run.items) {
            if (item.enqueued_at < cutoff) old.push_back({&item, {}});
        }
        const bool end = old.size() < run.items.size() || run.items.empty();
        left -= static_cast<std::int64_t>(old.size());
        report.expired += static_cast<std::int64_t>(old.size());
        drop(context, run, Reason::expired, old);
        if (end) return true;
    }
    return false;
}

bool step_stale_queued(Context& context, Progress& progress, CleanupReport& report) {
    std::int64_t left = rows_of(context);
    const store::Millis cutoff = context.now - context.settings.pending_max;
    OldestFirst walk(context, false, progress.cursor);
    while (left > 0) {
        auto run = walk.next(left);
        if (run.items.empty()) return true;
        std::vector<Leaving> old;
        for (const ItemRow& item : run.items) {
            if (stale(item, context.settings, context.now)) old.push_back({&item, {}});
        }
        const bool end = run.items.back().enqueued_at >= cutoff;
        progress.cursor = run.items.back().id;
        left -= static_cast<std::int64_t>(run.items.size());
        report.stale += static_cast<std::int64_t>(old.size());
        drop(context, run, Reason::stale, old);
        if (end) return true;
    }
    return false;
}

// Those whose time counts from publishing; leased ones are judged when their batch comes back.
bool step_stale_published(Context& context, CleanupReport& report) {
    const std::int64_t rows = rows_of(context);
    const auto found = context.tx.stale(
        context.now, rows + std::max<std::int64_t>(0, context.totals.leased_items));
    std::int64_t dropped = 0;
    for (const ItemRow& item : found) {
        if (dropped == rows) break;
        auto batch = context.tx.batch_of(item.id);
        if (batch && batch->leased) continue;
        const std::array<Leaving, 1> leaving{{{&item, {}}}};
        depart(context, leaving, Reason::stale, batch ? &*batch : nullptr);
        if (batch) save_or_end(context, *batch);
        ++dropped;
    }
    report.stale += dropped;
    return dropped < rows;
}

// Only evict_oldest promises that old items make room; the other policies drain.
bool step_trim(Context& context, CleanupReport& report) {
    if (context.settings.overflow_policy() != Overflow::evict_oldest) return true;
    Excess over = excess(fill_of(context.totals), context.settings);
    if (!over.any()) return true;
    const std::int64_t gone = Evictor(context).bring_down(over, rows_of(context));
    report.evicted += gone;
    return gone < rows_of(context);
}

bool step_dead(Context& context, CleanupReport& report) {
    const std::int64_t rows = rows_of(context);
    const store::Millis cutoff = context.now - context.settings.dead_age_max;
    auto ids = context.tx.dead_before(cutoff, rows);
    if (ids.empty() && context.totals.dead_letters > context.settings.dead_max) {
        ids = context.tx.dead_before(
            store::no_limit,
            std::min(rows, context.totals.dead_letters - context.settings.dead_max));
    }
    for (const std::int64_t id : ids) {
        const std::int64_t gone = context.tx.remove_dead(id);
        context.count(&Counters::dead_letters, -gone);
        report.dead_dropped += gone;
    }
    return ids.empty();
}

// Walks by item id: settled_at needs no index of its own, since outcomes_max bounds the walk.
bool step_outcomes(Context& context, Progress& progress, CleanupReport& report) {
    const std::int64_t rows = rows_of(context);
    const store::Millis cutoff = context.now - context.settings.outcome_age_max;
    std::int64_t over = context.totals.outcomes - context.settings.outcomes_max;
    const auto found = context.tx.outcomes(progress.cursor, rows);
    for (const auto& row : found) {
        progress.cursor = row.item_id;
        if (over <= 0 && row.settled_at >= cutoff) continue;
        --over;
        context.require_sync();
        const std::int64_t gone = context.tx.remove_outcomes(row.item_id, row.item_id);
        context.count(&Counters::outcomes, -gone);
        context.count(&Counters::outcomes_unclaimed, gone);
        report.outcomes_dropped += gone;
    }
    return static_cast<std::int64_t>(found.size()) < rows;
}

bool step_attempts(Context& context, CleanupReport& report) {
    const std::int64_t gone =
        context.tx.prune_attempts(context.settings.attempts_kept, rows_of(context));
    report.attempts_dropped += gone;
    context.dirty |= gone > 0;
    return gone < rows_of(context);
}

// Those of a replaced lock file can't be probed: they go when they hold nothing.
bool step_owners(Context& context) {
    for (const auto& owner : context.tx.owners()) {
        if (owner.id == context.host.owner_id()) continue;
        if (context.host.life_of(owner) == Host::Life::alive) continue;
        if (!context.tx.held_by(owner.id, 1).empty()) continue;
        context.tx.remove_owner(owner.id);
        context.dirty = true;
    }
    return true;
}

// The rows decide: a counter that hand edits made wrong must not forbid its own mending.
bool step_recount(Context& context, CleanupReport& report) {
    report.recounted =
        context.totals.items <= recount_items_max || !context.tx.more_items_than(recount_items_max);
    if (report.recounted) report.edited += recount(context);
    return true;
}

bool run_step(Context& context, Progress& progress, CleanupReport& report) {
    switch (progress.step) {
        case Step::claim:
            return true;
        case Step::recover:
            return step_recover(context, report);
        case Step::give_up:
            return step_give_up(context, progress, report);
        case Step::expire:
            return step_expire(context, report);
        case Step::stale_queued:
            return step_stale_queued(context, progress, report);
        case Step::stale_published:
            return step_stale_published(context, report);
        case Step::trim:
            return step_trim(context, report);
        case Step::dead:
            return step_dead(context, report);
        case Step::outcomes:
            return step_outcomes(context, progress, report);
        case Step::attempts:
            return step_attempts(context, report);
        case Step::owners:
            return step_owners(context);
        case Step::recount:
            return step_recount(context, report);
        case Step::done:
            return true;
    }
    return true;
}

}  // namespace

bool cleanup_is_due(const store::Totals& totals, const Settings& settings,
                    store::Millis now) noexcept {
    return now - totals.last_cleanup_at >= settings.cleanup_interval;
}

void cleanup_step(Context& context, Progress& progress, CleanupReport& report, bool force) {
    if (progress.step == Step::claim) {
        // Another process may have been first since the caller looked.
        if (!force && !cleanup_is_due(context.totals, context.settings, context.now)) {
            progress.step = Step::done;
            return;
        }
        context.tx.set_last_cleanup(context.now);
        context.totals.last_cleanup_at = context.now;
        context.dirty = true;
    }
    if (!run_step(context, progress, report)) return;
    progress.step = static_cast<Step>(static_cast<int>(progress.step) + 1);
    progress.cursor = 0;
}

}  // namespace headpond::engine
