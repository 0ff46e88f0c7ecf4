#include "engine/rules.h"

#include <algorithm>
#include <limits>

namespace headpond::engine {

using store::GateRow;

Admission admit(const Fill& fill, std::int64_t bytes, const Settings& limits,
                bool may_evict) noexcept {
    if (bytes > limits.payload_bytes_max || bytes > limits.bytes_max) return Admission::too_large;
    const std::int64_t floor_items = may_evict ? fill.leased_items : fill.items;
    const std::int64_t floor_bytes = may_evict ? fill.leased_bytes : fill.bytes;
    if (floor_items >= limits.items_max) return Admission::refused;
    if (bytes > limits.bytes_max - floor_bytes) return Admission::refused;
    return Admission::store;
}

Excess excess(const Fill& fill, const Settings& limits) noexcept {
    return {.items = std::max<std::int64_t>(0, fill.items - limits.items_max),
            .bytes = std::max<std::int64_t>(0, fill.bytes - limits.bytes_max)};
}

bool cut_is_due(const ReadyFacts& ready, const Settings& limits, Millis now) noexcept {
    const auto due = cut_due_at(ready, limits);
    return due && *due <= now;
}

std::optional<Millis> cut_due_at(const ReadyFacts& ready, const Settings& limits) noexcept {
    if (!ready.oldest_enqueued_at) return std::nullopt;
    if (ready.items >= limits.batch_items_due) return *ready.oldest_enqueued_at;
    return *ready.oldest_enqueued_at + limits.batch_linger;
}

std::int64_t attempts_allowed(const store::BatchRow& batch, const Settings& limits) noexcept {
    return std::max(limits.attempts_max, batch.attempts_max.value_or(0));
}

bool exhausted(const store::BatchRow& batch, const Settings& limits) noexcept {
    return batch.attempts >= attempts_allowed(batch, limits);
}

Millis backoff(std::int64_t attempts, const Settings& limits, std::uint64_t random) noexcept {
    Millis ceiling = std::min(limits.backoff_base, limits.backoff_max);
    for (std::int64_t i = 1; i < attempts && ceiling < limits.backoff_max && ceiling > 0; ++i) {
        ceiling = ceiling > limits.backoff_max / 2 ? limits.backoff_max : ceiling * 2;
    }
    return static_cast<Millis>(random % (static_cast<std::uint64_t>(ceiling) + 1));
}

AfterFailure after_failure(const store::BatchRow& batch, const Settings& limits) noexcept {
    if (!exhausted(batch, limits)) return AfterFailure::retry;
    return limits.isolate_poison != 0 && batch.items > 1 ? AfterFailure::split
                                                         : AfterFailure::abandon;
}

std::int64_t attempts_after_split(const store::BatchRow& batch, const Settings& limits) noexcept {
    return std::max(limits.attempts_max, batch.attempts + 1);
}

bool stale(const store::ItemRow& item, const Settings& limits, Millis now) noexcept {
    if (!item.tracked) return false;
    if (item.stale_at) return *item.stale_at < now;
    return item.enqueued_at + limits.pending_max < now;
}

std::optional<Millis> stale_at(const std::optional<Millis>& published_at,
                               const Settings& limits) noexcept {
    if (!limits.stale_from_published() || !published_at) return std::nullopt;
    // The caller's time may be any.
    constexpr Millis last = std::numeric_limits<Millis>::max();
    return std::min(*published_at, last - limits.pending_max) + limits.pending_max;
}

GateRow gate_at(GateRow gate, Millis now) noexcept {
    if (gate.state == GateRow::State::closed && gate.until && *gate.until <= now) {
        gate.state = GateRow::State::half_open;
        gate.trial_batch_id.reset();
    }
    return gate;
}

namespace {

GateRow reopened(GateRow gate, Millis now) {
    gate.state = GateRow::State::open;
    gate.until.reset();
    gate.reason.clear();
    gate.changed_by = "trial";
    gate.changed_at = now;
    gate.trial_batch_id.reset();
    gate.failures = 0;
    gate.closures = 0;
    return gate;
}

GateRow tripped(GateRow gate, const Settings& limits, Millis now, const char* reason) {
    Millis closed_for = limits.breaker_closed;
    for (std::int64_t i = 0; i < gate.closures && closed_for < limits.breaker_closed_max; ++i) {
        closed_for =
            closed_for > limits.breaker_closed_max / 2 ? limits.breaker_closed_max : closed_for * 2;
    }
    // A pause or a Retry-After before it may have lasted longer than the breaker's own steps.
    if (gate.until && gate.changed_at > 0) {
        const Millis last = std::clamp<Millis>(*gate.until - gate.changed_at, 0, 1LL << 40);
        closed_for = std::max(closed_for, last * 2);
    }
    gate.state = GateRow::State::closed;
    gate.until = now + std::min(closed_for, limits.breaker_closed_max);
    gate.reason = reason;
    gate.changed_by = "breaker";
    gate.changed_at = now;
    gate.trial_batch_id.reset();
    gate.failures = 0;
    gate.closures += 1;
    return gate;
}

}  // namespace

std::optional<GateRow> gate_after(const GateRow& gate, std::int64_t batch, Verdict verdict,
                                  const Settings& limits, Millis now) {
    if (verdict == Verdict::none) return std::nullopt;
    const bool trial = gate.state == GateRow::State::half_open && gate.trial_batch_id == batch;
    if (verdict == Verdict::answered) {
        if (trial) return reopened(gate, now);
        if (gate.state != GateRow::State::open || gate.failures == 0) return std::nullopt;
        GateRow calm = gate;
        calm.failures = 0;
        return calm;
    }
    if (trial) return tripped(gate, limits, now, "trial failed");
    if (gate.state != GateRow::State::open) return std::nullopt;
    GateRow counted = gate;
    counted.failures += 1;
    if (counted.failures < limits.breaker_failures) return counted;
    return tripped(counted, limits, now, "failures in a row");
}

}  // namespace headpond::engine
