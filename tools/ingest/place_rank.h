#pragma once

#include "gazetteer_data.h"
#include "place_hints.h"
#include "place_match.h"
#include "place_score.h"

#include <optional>
#include <vector>

namespace headpond::ingest {

// The most likely place of an alert's mentions, or nothing. The title's mentions come first, with
// their chains as find_mentions gives them.
std::optional<Candidate> rank_places(std::vector<Mention> title, std::vector<Mention> summary,
                                     const PlaceHints& hints, const GazetteerData& data);

}  // namespace headpond::ingest
