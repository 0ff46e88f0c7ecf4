// Chooses among the candidates.
#pragma once

#include "gazetteer/gazetteer_data.h"
#include "gazetteer/place_hints.h"
#include "gazetteer/place_match.h"
#include "gazetteer/place_score.h"

#include <optional>
#include <vector>

namespace headpond::ingest {

// The most likely place of an alert's mentions, or nothing. The title's mentions come first, with
// their chains as find_mentions gives them.
std::optional<Candidate> rank_places(std::vector<Mention> title, std::vector<Mention> summary,
                                     const PlaceHints& hints, const GazetteerData& data);

}  // namespace headpond::ingest
