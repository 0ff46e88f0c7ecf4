// The decisions, as pure functions: no store, no clock, no randomness of their own.
#pragma once

#include "engine/settings.h"
#include "store/rows.h"

#include <headpond/item.h>

#include <cstdint>
#include <optional>

namespace headpond::engine {

using store::Millis;

// --- admission (rule 1) --------------------------------------------------------------------------

// What is in the queue while an enqueue decides, newcomers already admitted included.
struct Fill {
    std::int64_t items = 0, bytes = 0;
    std::int64_t leased_items = 0, leased_bytes = 0;
};
enum class Admission { store, too_large, refused };

// A newcomer of `bytes` is too large where it could never fit; refused where what is leased leaves
// no room, or where the queue is full and nothing may be evicted. Otherwise it is stored, and
// evict_excess says what goes.
[[nodiscard]] Admission admit(const Fill& fill, std::int64_t bytes, const Settings& limits,
                              bool may_evict) noexcept;

struct Excess {
    std::int64_t items = 0, bytes = 0;
    [[nodiscard]] bool any() const noexcept { return items > 0 || bytes > 0; }
};
// By how much `fill` is over the bounds.
[[nodiscard]] Excess excess(const Fill& fill, const Settings& limits) noexcept;

// --- leasing (rule 3) ----------------------------------------------------------------------------

struct ReadyFacts {
    std::int64_t items = 0;  // ready, as counted
    std::optional<Millis> oldest_enqueued_at;
};
[[nodiscard]] bool cut_is_due(const ReadyFacts& ready, const Settings& limits, Millis now) noexcept;
// When cut_is_due becomes true if nothing arrives; nullopt without ready items.
[[nodiscard]] std::optional<Millis> cut_due_at(const ReadyFacts& ready,
                                               const Settings& limits) noexcept;

// --- attempts and retries (rules 4, 6) -----------------------------------------------------------

// Deliveries this batch may have.
[[nodiscard]] std::int64_t attempts_allowed(const store::BatchRow& batch,
                                            const Settings& limits) noexcept;
[[nodiscard]] bool exhausted(const store::BatchRow& batch, const Settings& limits) noexcept;
// After the failed attempt `attempts` (from 1): exponential with full jitter, uniform in
// [0, min(backoff_max, backoff_base * 2^(attempts-1))] ("Exponential Backoff And Jitter", AWS
// Architecture Blog, 2015). `random` is 64 random bits.
[[nodiscard]] Millis backoff(std::int64_t attempts, const Settings& limits,
                             std::uint64_t random) noexcept;

enum class AfterFailure { retry, split, abandon };
[[nodiscard]] AfterFailure after_failure(const store::BatchRow& batch,
                                         const Settings& limits) noexcept;
// attempts_max of both halves of a split: at least one more delivery.
[[nodiscard]] std::int64_t attempts_after_split(const store::BatchRow& batch,
                                                const Settings& limits) noexcept;

// --- staleness (rule 10) -------------------------------------------------------------------------

[[nodiscard]] bool stale(const store::ItemRow& item, const Settings& limits, Millis now) noexcept;
[[nodiscard]] std::optional<Millis> stale_at(const std::optional<Millis>& published_at,
                                             const Settings& limits) noexcept;

// --- the gate (rule 17) --------------------------------------------------------------------------

// closed -> half_open when its time has come; else unchanged.
[[nodiscard]] store::GateRow gate_at(store::GateRow gate, Millis now) noexcept;
// How a settlement looks to the service: it answered, or it was never really asked.
enum class Verdict { none, answered, unavailable };
// nullopt: the gate stays as it is.
[[nodiscard]] std::optional<store::GateRow> gate_after(const store::GateRow& gate,
                                                       std::int64_t batch, Verdict verdict,
                                                       const Settings& limits, Millis now);

}  // namespace headpond::engine
