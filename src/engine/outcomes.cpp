// Outcomes, cancellation, dead letters, the gate by hand, the health line.
#include "engine/batches.h"
#include "engine/departure.h"
#include "engine/operations.h"
#include "engine/rules.h"
#include "engine/text.h"

#include <headpond/error.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace headpond::engine {

using store::Counters;
using store::GateRow;

Outcome to_outcome(store::OutcomeRow&& row) {
    Outcome outcome;
    outcome.item_id = row.item_id;
    outcome.key = std::move(row.key);
    outcome.state = row.resolved ? OutcomeState::resolved : OutcomeState::fallback;
    outcome.reason = std::move(row.reason);
    outcome.result = std::move(row.result);
    if (row.published_at) outcome.published_at = to_wall(*row.published_at);
    outcome.queued_at = to_wall(row.queued_at);
    outcome.settled_at = to_wall(row.settled_at);
    return outcome;
}

std::vector<Outcome> outcomes(store::Transaction& tx, std::size_t limit) {
    std::vector<Outcome> all;
    const auto most = static_cast<std::int64_t>(
        std::min<std::size_t>(limit, static_cast<std::size_t>(store::no_limit)));
    for (auto& row : tx.outcomes(0, most)) all.push_back(to_outcome(std::move(row)));
    return all;
}

std::size_t forget(Context& context, std::span<const std::int64_t> item_ids) {
    std::int64_t gone = 0;
    for (std::size_t first = 0; first < item_ids.size();) {
        std::size_t last = first;
        while (last + 1 < item_ids.size() && item_ids[last] < store::no_limit &&
               item_ids[last + 1] == item_ids[last] + 1) {
            ++last;
        }
        gone += context.tx.remove_outcomes(item_ids[first], item_ids[last]);
        first = last + 1;
    }
    context.count(&Counters::outcomes, -gone);
    return static_cast<std::size_t>(gone);
}

bool cancel(Context& context, std::string_view key) {
    if (!context.settings.keys_are_unique()) {
        throw Error(ErrorCode::unsupported, "cancel", "",
                    "the file's keys are free, so that items are not found by key; allowed with "
                    "keys = unique or mapped");
    }
    const auto item = context.tx.find(key);
    if (!item) return false;
    auto batch = context.tx.batch_of(item->id);
    if (batch && batch->leased) return false;
    const std::array<Leaving, 1> leaving{{{&*item, {}}}};
    depart(context, leaving, Reason::cancelled, batch ? &*batch : nullptr);
    if (batch) save_or_end(context, *batch);
    return true;
}

RedriveAnswer redrive(Context& context, const store::DeadQuery& query) {
    RedriveAnswer answer;
    for (const auto& letter : context.tx.dead(query)) {
        const auto& item = letter.item;
        // Never evicts, whatever the policy: old items do not push out new ones.
        const Admission admission =
            admit(fill_of(context.totals), item.bytes, context.settings, false);
        const bool room = admission == Admission::store;
        // As at enqueue, a duplicate is told before the bounds: it needs no room.
        const bool duplicate =
            !room && context.settings.keys_are_unique() && context.tx.find(item.key).has_value();
        const bool too_large = !duplicate && admission == Admission::too_large;
        answer.full = !room && !duplicate && !too_large;
        if (answer.full) break;
        answer.last = {letter.died_at, item.id};
        if (too_large) {
            answer.too_large += 1;
            continue;
        }
        if (duplicate) {
            answer.duplicates += 1;
            continue;
        }
        const auto id = context.tx.insert({.key = item.key,
                                           .source_tag = item.source_tag,
                                           .payload = item.payload,
                                           .enqueued_at = context.now,
                                           .tracked = item.tracked,
                                           .published_at = item.published_at,
                                           .stale_at = std::nullopt});
        if (!id) {
            answer.duplicates += 1;
            continue;
        }
        answer.redriven += 1;
        context.count(&Counters::dead_letters, -context.tx.remove_dead(item.id));
        context.count(&Counters::outcomes, -context.tx.remove_outcomes(item.id, item.id));
        context.count(&Counters::redriven, 1);
        context.count(&Counters::items, 1);
        context.count(&Counters::bytes, item.bytes);
        context.count(&Counters::age_sum, context.now - context.totals.age_base);
        context.effects.wake = true;
    }
    return answer;
}

std::int64_t purge(Context& context, const store::DeadQuery& query) {
    std::int64_t gone = 0;
    for (const auto& row : context.tx.dead(query)) gone += context.tx.remove_dead(row.item.id);
    context.count(&Counters::dead_letters, -gone);
    return gone;
}

void close_gate(Context& context, std::optional<store::Millis> duration, std::string_view reason,
                std::string_view by) {
    GateRow gate = context.tx.gate();
    gate.state = GateRow::State::closed;
    gate.until.reset();
    if (duration)
        gate.until = context.now +
                     std::min(*duration, store::no_limit - std::max<store::Millis>(context.now, 0));
    gate.reason = clean(reason, 200);
    gate.changed_by = clean(by, 100);
    gate.changed_at = context.now;
    gate.trial_batch_id.reset();
    gate.failures = 0;
    context.tx.set_gate(gate);
    context.dirty = true;
}

void open_gate(Context& context, std::string_view by) {
    GateRow gate;
    gate.changed_by = clean(by, 100);
    gate.changed_at = context.now;
    context.tx.set_gate(gate);
    context.dirty = true;
    context.effects.wake = true;
}

std::string health_line(const store::Totals& totals, const Settings& settings,
                        store::Millis oldest_age) {
    char line[200];
    std::snprintf(
        line, sizeof line,
        "Buffer health: size=%lld/%lld, utilization=%.1f%%, max_age=%.1fs, "
        "failed_batches=%lld",
        static_cast<long long>(totals.items), static_cast<long long>(settings.items_max),
        100.0 * static_cast<double>(totals.items) / static_cast<double>(settings.items_max),
        static_cast<double>(oldest_age) / 1000.0, static_cast<long long>(totals.failed_batches));
    return line;
}

}  // namespace headpond::engine
