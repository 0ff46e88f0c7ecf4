// What the feed parser makes of one item of a feed.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace headpond::ingest {

/// Wall time as feeds give it, in UTC.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// One news alert. A plain value. All strings are valid UTF-8 without control characters.
struct Alert {
    std::string uuid;        ///< version 5 (name-based, SHA-1) of source, title and link
    std::string title;       ///< text without markup, never empty, at most title_bytes_max
    std::string summary;     ///< text without markup, may be empty, at most summary_bytes_max
    std::string link;        ///< as the feed gives it, may be empty
    std::string source_tag;  ///< which feed it came from
    std::optional<WallTime> published_at;
    std::optional<double> latitude;   ///< degrees, -90 to 90; set exactly when longitude is
    std::optional<double> longitude;  ///< degrees, -180 to 180
};

}  // namespace headpond::ingest
