// The queue clock (rule 9): time since boot plus an offset that the file keeps once per boot.
#pragma once

#include "store/store.h"

#include <headpond/clock.h>

#include <optional>

namespace headpond::engine {

struct Instant {
    store::Millis now = 0;   // by the queue clock
    store::Millis wall = 0;  // by the wall clock, for the skew
    // Set when this boot is not the one of the anchor: the new row to store.
    std::optional<store::ClockRow> anchor;
};

// Never reads less than any stored time, whatever the wall clock did while nobody looked. `row` is
// tx.clock(); tx is asked for the newest enqueued_at only when a new anchor is needed.
[[nodiscard]] Instant read_clock(const Clock& clock, const store::ClockRow& row,
                                 store::Transaction& tx);

// The row with seen_at and skew moved, if either is more than a second off.
[[nodiscard]] std::optional<store::ClockRow> touched(const store::ClockRow& row,
                                                     const Instant& instant);

}  // namespace headpond::engine
