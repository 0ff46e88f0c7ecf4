// When a server wants to be asked again.
#pragma once

#include <headpond/clock.h>

#include <optional>
#include <string_view>

namespace headpond::ingest {

// The value of Retry-After (RFC 9110, 10.2.3): seconds, or a date, of which the past is 0. nullopt
// for anything else. At most retry_after_max, so that a mistake of the server is not obeyed for
// years.
inline constexpr Ms retry_after_max{24 * 3600'000};
[[nodiscard]] std::optional<Ms> parse_retry_after(std::string_view value, WallTime now);

}  // namespace headpond::ingest
