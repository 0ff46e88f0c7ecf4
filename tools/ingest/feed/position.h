// Coordinates of a feed's item.
#pragma once

#include "feed/xml_names.h"

#include <optional>
#include <string>
#include <vector>

#include <pugixml.hpp>

namespace headpond::ingest {

/// Degrees on WGS 84.
struct Position {
    double latitude = 0;   ///< -90 to 90
    double longitude = 0;  ///< -180 to 180
};

/// Where `item` is, by the first of these that is valid: georss:point; georss:where with gml:pos;
/// geo:lat with geo:long (or geo:lon), in the item or in its geo:Point; the centre of
/// georss:circle, georss:box or gml:Envelope, georss:polygon, georss:line or gml:posList. The
/// centre of a shape is the mean of its corners (a polygon's closing corner counts once), also
/// across the 180th meridian. What is there but is not valid is described in `problems`, a line
/// each.
std::optional<Position> position_of(pugi::xml_node item, const Scope& scope,
                                    std::vector<std::string>& problems);

}  // namespace headpond::ingest
