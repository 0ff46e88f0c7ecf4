// Distances and directions as feeds write them: "95.5 km WNW of X".
#pragma once

#include "gazetteer/place_text.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace headpond::ingest {

// The compass bearing of a folded word ("sse", "southeast", "northern", "sudlich"), in degrees
// clockwise from north.
std::optional<double> bearing_of(std::string_view word);

// Whether the token is a number and its unit in one word: "23km".
bool has_unit(const Token& token);

// The distance whose unit (km, or miles) is the token of that index, in km. 0 if no number of a
// believable size stands before it or in it.
double km_before(const std::vector<Token>& tokens, std::size_t unit);

}  // namespace headpond::ingest
