// ISO 8601 times.
#pragma once

#include <headpond/clock.h>

#include <optional>
#include <string>
#include <string_view>

namespace headpond::cli {

// UTC with milliseconds, as in 2026-11-24T08:42:57.250Z.
[[nodiscard]] std::string iso_time(WallTime time);

// What parse_iso reads, for messages.
inline constexpr std::string_view iso_allowed =
    "ISO 8601 with a zone, as in 2026-11-24T08:42:57Z or 2026-11-24T08:42:57.5+01:00";
// YYYY-MM-DDTHH:MM:SS, decimals of the second if any, then Z or an offset +HH:MM. Decimals beyond
// the millisecond are cut. The years 1970 to 9999. Anything else is nullopt.
[[nodiscard]] std::optional<WallTime> parse_iso(std::string_view text);

}  // namespace headpond::cli
