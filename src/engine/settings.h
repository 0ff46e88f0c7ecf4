// The limits in force, as the file has them. Counts, bytes, milliseconds.
#pragma once

#include <headpond/options.h>

#include <cstdint>

namespace headpond::engine {

struct Settings {
    std::int64_t items_max = 0, bytes_max = 0, payload_bytes_max = 0;
    std::int64_t overflow = 0;  // Overflow
    std::int64_t age_max = 0, cleanup_interval = 0, cleanup_rows = 0;
    std::int64_t attempts_max = 0;
    std::int64_t batch_items_max = 0, batch_bytes_max = 0, batch_items_due = 0, batch_linger = 0;
    std::int64_t backoff_base = 0, backoff_max = 0, release_delay_min = 0;
    std::int64_t isolate_poison = 0;
    std::int64_t pending_max = 0;
    std::int64_t stale_from = 0;  // StaleFrom
    std::int64_t outcomes_max = 0, outcome_age_max = 0;
    std::int64_t dead_max = 0, dead_age_max = 0, keep_dropped = 0;
    std::int64_t attempts_kept = 0;
    std::int64_t breaker_failures = 0, breaker_closed = 0, breaker_closed_max = 0;
    std::int64_t keys = 0;  // Keys
    [[nodiscard]] bool keys_are_unique() const { return static_cast<Keys>(keys) != Keys::free; }
    [[nodiscard]] bool keys_are_mapped() const { return static_cast<Keys>(keys) == Keys::mapped; }
    std::int64_t wal_bytes_max = 0, file_bytes_max = 0, disk_free_min = 0;

    [[nodiscard]] Overflow overflow_policy() const noexcept {
        return static_cast<Overflow>(overflow);
    }
    [[nodiscard]] bool stale_from_published() const noexcept {
        return static_cast<StaleFrom>(stale_from) == StaleFrom::published;
    }
    // The WAL is never trimmed below this, so that what drains works on a full disk (rule 13).
    [[nodiscard]] std::int64_t wal_reserve() const noexcept {
        constexpr std::int64_t mebibyte = 1 << 20;
        return payload_bytes_max > mebibyte / 2 ? 2 * payload_bytes_max : mebibyte;
    }
};

}  // namespace headpond::engine
