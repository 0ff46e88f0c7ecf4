// From an item's XML to an alert.
#pragma once

#include "feed/alert.h"
#include "feed/feed_document.h"
#include "feed/xml_names.h"

#include <optional>
#include <string>
#include <vector>

#include <pugixml.hpp>

namespace headpond::ingest {

/// The alert of one item, or nullopt when it has no text. `scope` is the one around the item. What
/// could not be read is described in `problems`, a line each.
std::optional<Alert> read_item(pugi::xml_node item, const Scope& scope, FeedKind kind,
                               const std::string& source, std::vector<std::string>& problems);

/// The title of the feed, empty when it has none.
std::string feed_title(const FeedDocument& document);

}  // namespace headpond::ingest
