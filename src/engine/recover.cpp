#include "engine/batches.h"
#include "engine/departure.h"
#include "engine/operations.h"
#include "engine/rules.h"

#include <algorithm>

namespace headpond::engine {

using store::AttemptOutcome;
using store::BatchRow;
using store::Counters;
using store::ItemRow;

namespace {

void note_end(Context& context, BatchRow& batch, AttemptOutcome outcome, const char* error) {
    batch.last_error = error;
    if (batch.attempt_id) {
        context.tx.finish_attempt(*batch.attempt_id, context.now, outcome, error, -1);
    }
}

// Staleness is judged when a batch comes back (rule 10).
void drop_stale(Context& context, BatchRow& batch) {
    const auto rows = context.tx.survey(batch.first_id, batch.last_id, store::no_limit);
    std::vector<Leaving> old;
    for (const ItemRow& row : rows) {
        if (stale(row, context.settings, context.now)) old.push_back({&row, {}});
    }
    depart(context, old, Reason::stale, &batch);
}

// With attempts left, the batch is due after its backoff; without, that is when it dies.
void take_back_lapsed(Context& context, BatchRow batch) {
    note_end(context, batch, AttemptOutcome::lapsed, "lease lapsed");
    const store::Millis wait = backoff(batch.attempts, context.settings, context.host.random());
    park_batch(context, batch, batch.lease_expires_at.value_or(context.now) + wait);
}

// True: the batch was abandoned.
bool take_back_dead(Context& context, BatchRow batch) {
    note_end(context, batch, AttemptOutcome::owner_died, "owner died");
    drop_stale(context, batch);
    if (batch.items <= 0) {
        save_or_end(context, batch);
        return false;
    }
    park_batch(context, batch, context.now);
    return after_failure(batch, context.settings) == AfterFailure::abandon &&
           give_up(context, batch) == GivenUp::abandoned;
}

}  // namespace

Recovered recover(Context& context, std::int64_t limit) {
    Recovered recovered;
    for (BatchRow& batch : context.tx.lapsed(context.now, limit)) {
        take_back_lapsed(context, std::move(batch));
        recovered.batches += 1;
    }
    if (!context.tx.next_lapse()) return recovered;  // nothing is leased
    for (const auto& owner : context.tx.owners()) {
        if (owner.id == context.host.owner_id()) continue;
        if (context.host.life_of(owner) != Host::Life::dead) continue;
        // With more lapsed ones to come, none of them is taken for a dead owner's.
        const std::int64_t left = limit - recovered.batches;
        if (left <= 0) return recovered;
        auto held = context.tx.held_by(owner.id, left);
        for (BatchRow& batch : held) {
            recovered.abandoned += take_back_dead(context, std::move(batch)) ? 1 : 0;
            recovered.batches += 1;
        }
        if (static_cast<std::int64_t>(held.size()) < left) {
            context.tx.remove_owner(owner.id);
            context.dirty = true;
        }
    }
    return recovered;
}

GivenUp give_up(Context& context, BatchRow batch) {
    context.require_sync();
    if (context.rows_max == store::no_limit) {
        drop_stale(context, batch);
        if (batch.items <= 0) {
            save_or_end(context, batch);
            return GivenUp::stale;
        }
    }
    const std::int64_t rows_max = context.rows_max;
    auto rows = context.tx.load(batch.first_id, batch.last_id, rows_max, store::no_limit);
    if (after_failure(batch, context.settings) == AfterFailure::split && rows.size() > 1 &&
        rows_max == store::no_limit) {
        std::vector<const ItemRow*> all;
        for (const ItemRow& row : rows) all.push_back(&row);
        split_batch(context, batch, all);
        return GivenUp::abandoned;
    }
    std::vector<Leaving> leaving;
    for (const ItemRow& row : rows) leaving.push_back({&row, {}});
    depart(context, leaving, Reason::abandoned, &batch);
    if (!context.tx.survey(batch.first_id, batch.last_id, 1).empty()) {
        // A full disk: the rest dies in the next transactions.
        batch.lease_token.clear();
        park_batch(context, batch, context.now);
        return GivenUp::not_yet;
    }
    end_batch(context, batch);
    context.count(&Counters::failed_batches, 1);
    context.log(LogLevel::error, "Batch batch_" + std::to_string(batch.id) +
                                     " permanently failed, cleared " + std::to_string(rows.size()) +
                                     " items");
    return GivenUp::abandoned;
}

}  // namespace headpond::engine
