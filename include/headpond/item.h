// Items on their way in, leased, and what became of them. Plain values.
#pragma once

#include <headpond/clock.h>
#include <headpond/export.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headpond {

// A tracked item ends in exactly one Outcome; of an untracked one only the counters remain.
enum class Tracking { untracked, tracked };

// An item to enqueue. The views are borrowed for the length of the call.
struct NewItem {
    // 1 to 1024 bytes of UTF-8 without NUL; unique while the item is resident.
    std::string_view key{};
    // 0 to 256 bytes of UTF-8 without NUL: where the item comes from, for people and for handlers.
    std::string_view source_tag{};
    // Any bytes, 0 to `payload_bytes_max`.
    std::string_view payload{};
    Tracking tracking = Tracking::untracked;
    // The caller's wall time; counts only with stale_from = published.
    std::optional<WallTime> published_at{};
};

enum class Enqueued {
    stored,
    duplicate,  // an item with this key is resident; nothing was stored
    too_large,  // over payload_bytes_max or bytes_max; it would never fit
    refused,    // full: by policy, or because what is leased leaves no room
    no_room,    // the disk, or the file's own limit, leaves no room
};
[[nodiscard]] HEADPOND_API std::string_view to_string(Enqueued answer) noexcept;

// An item as leased. Owns its strings.
struct Item {
    std::int64_t id = 0;
    std::string key{};
    std::string source_tag{};
    std::string payload{};
    Tracking tracking = Tracking::untracked;
    WallTime enqueued_at{};  // by the queue clock
    std::optional<WallTime> published_at{};
};

enum class OutcomeState { resolved, fallback };
[[nodiscard]] HEADPOND_API std::string_view to_string(OutcomeState state) noexcept;

// What became of a tracked item.
struct Outcome {
    std::int64_t item_id = 0;
    std::string key{};
    OutcomeState state = OutcomeState::fallback;
    // Empty when resolved; else abandoned, rejected, evicted, expired, cancelled or stale.
    std::string reason{};
    // The handler's bytes; empty unless resolved.
    std::string result{};
    std::optional<WallTime> published_at{};
    WallTime queued_at{};
    WallTime settled_at{};
};

}  // namespace headpond
