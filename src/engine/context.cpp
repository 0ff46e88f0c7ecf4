#include "engine/context.h"

#include <algorithm>
#include <utility>

namespace headpond::engine {

Context::Context(store::Transaction& transaction, const store::Totals& now_there, Host& machine,
                 const Settings& limits, std::int64_t rows)
    : tx(transaction),
      host(machine),
      settings(limits),
      rows_max(rows),
      clock_row(tx.clock()),
      instant(read_clock(host.clock(), clock_row, tx)),
      now(instant.now),
      totals(now_there) {}

void Context::count(std::int64_t store::Counters::*counter, std::int64_t change) {
    if (change == 0) return;
    delta.*counter += change;
    totals.*counter += change;
    dirty = true;
}

void Context::log(LogLevel level, std::string text) {
    effects.lines.push_back({level, std::move(text)});
}

void Context::finish() {
    if (!dirty) return;
    trim_outcomes();
    trim_dead();
    tx.apply(delta);
    delta = {};
    if (instant.anchor) {
        tx.set_clock(*instant.anchor);
    } else if (const auto row = touched(clock_row, instant)) {
        tx.set_clock(*row);
        const auto size = host.file_size();
        tx.set_sample(size.db_bytes, size.log_bytes, now);
    }
}

// The unread outcomes of the items that entered first go first; at most as many as this operation
// could have added and cleanup_rows of an old excess.
void Context::trim_outcomes() {
    if (delta.outcomes <= 0 || totals.outcomes <= settings.outcomes_max) return;
    const std::int64_t limit =
        std::min(totals.outcomes - settings.outcomes_max, delta.outcomes + settings.cleanup_rows);
    for (const auto& row : tx.outcomes(0, limit)) {
        count(&store::Counters::outcomes, -tx.remove_outcomes(row.item_id, row.item_id));
        count(&store::Counters::outcomes_unclaimed, 1);
    }
}

// The longest dead go first.
void Context::trim_dead() {
    if (delta.dead_letters <= 0 || totals.dead_letters <= settings.dead_max) return;
    const std::int64_t limit = std::min(totals.dead_letters - settings.dead_max,
                                        delta.dead_letters + settings.cleanup_rows);
    for (const std::int64_t id : tx.dead_before(store::no_limit, limit)) {
        count(&store::Counters::dead_letters, -tx.remove_dead(id));
    }
}

}  // namespace headpond::engine
