// Dates as feeds write them.
#pragma once

#include "feed/alert.h"

#include <optional>
#include <string_view>

namespace headpond::ingest {

/// What parse_date reads, for messages.
inline constexpr std::string_view dates_allowed =
    "RFC 822, RFC 3339, YYYY-MM-DD HH:MM:SS (UTC) or YYYY-MM-DD";

/// Reads a date of one of these forms, with blanks around it:
///   RFC 822    `Thu, 30 Aug 2018 19:47:47 +0800`; weekday, seconds and zone may be missing, the
///              year may have two digits (00 to 49 is 20xx), the month may be spelled out; zones
///              are numeric, UT, UTC, GMT, Z, the military letters (UTC, as RFC 2822 says), the
///              American ones of RFC 822, and CET, CEST, BST, JST
///   RFC 3339   `2018-08-30T19:47:47.250+08:00`; a blank for the T; seconds and zone may be missing
///   ISO date   `2018-08-30`: midnight
/// Without a zone it is UTC. The years 1900 to 9999 are allowed: older ones are the default value
/// of some program's date, not a date. A leap second is the second after :59. Anything else is
/// nullopt.
std::optional<WallTime> parse_date(std::string_view text);

}  // namespace headpond::ingest
