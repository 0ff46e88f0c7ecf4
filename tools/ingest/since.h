// --since: from when on alerts are put out.
#pragma once

#include <headpond/clock.h>

#include <optional>
#include <string_view>

namespace headpond::ingest {

// A point in time, or a duration back from whenever something is put out.
struct Since {
    std::optional<WallTime> at;
    Ms back{0};  // without `at`

    [[nodiscard]] WallTime from(WallTime now) const { return at ? *at : now - back; }
};

// What parse_since reads, for messages.
inline constexpr std::string_view since_allowed =
    "a date (2026-11-24), a time with its zone (2026-11-24T08:00:00Z, 2026-11-24T08:00:00+01:00), "
    "or a duration back from now of at most 10 years (90s, 15m, 6h, 2d)";
// A date begins at midnight UTC. nullopt: it is none of these.
[[nodiscard]] std::optional<Since> parse_since(std::string_view text);

}  // namespace headpond::ingest
