// The feeds that the command line names; files are read one by one.
#pragma once

#include "feed/feed.h"
#include "settings.h"

#include <optional>
#include <stop_token>
#include <string>

namespace headpond::ingest {

// Looks at what can be seen before anything is opened or asked. Throws UsageError where an address
// is none or comes twice, and where a file is missing.
void require_feeds(const IngestSettings& settings);

// Reads a file or, for -, standard input; logs the feed's warnings. nullopt: `stop` was asked for
// before the feed's end. Throws FeedError.
[[nodiscard]] std::optional<Feed> read_feed(const std::string& name, const std::stop_token& stop);

}  // namespace headpond::ingest
