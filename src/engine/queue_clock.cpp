#include "engine/queue_clock.h"

#include <algorithm>
#include <cstdlib>

namespace headpond::engine {

namespace {
constexpr store::Millis tolerance = 1000;
}

Instant read_clock(const Clock& clock, const store::ClockRow& row, store::Transaction& tx) {
    const store::Millis since_boot = clock.since_boot().count();
    Instant instant;
    instant.wall = clock.wall().time_since_epoch().count();
    const std::string boot = clock.boot_identity();
    if (row.boot == boot) {
        instant.now = since_boot + row.offset;
        return instant;
    }
    const store::Millis start =
        std::max({instant.wall, row.seen_at, row.anchored_at, tx.newest_enqueued_at()});
    store::ClockRow anchor = row;
    anchor.boot = boot;
    anchor.offset = start - since_boot;
    anchor.anchored_at = start;
    anchor.seen_at = start;
    anchor.skew = instant.wall - start;
    instant.now = start;
    instant.anchor = anchor;
    return instant;
}

std::optional<store::ClockRow> touched(const store::ClockRow& row, const Instant& instant) {
    const store::Millis skew = instant.wall - instant.now;
    if (std::llabs(instant.now - row.seen_at) <= tolerance &&
        std::llabs(skew - row.skew) <= tolerance) {
        return std::nullopt;
    }
    store::ClockRow next = row;
    next.seen_at = instant.now;
    next.skew = skew;
    return next;
}

}  // namespace headpond::engine
