// How well a candidate fits the evidence.
#pragma once

#include "gazetteer/gazetteer_data.h"
#include "gazetteer/place_evidence.h"
#include "gazetteer/place_hints.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace headpond::ingest {

// One reading of one mention, with what speaks for it.
struct Candidate {
    Meaning meaning = Meaning::country;
    std::uint32_t index = none_index;    // into the rows of that meaning
    std::uint32_t country = none_index;  // none for an area of the sea
    std::uint32_t region = none_index;
    std::uint32_t district = none_index;
    std::uint32_t city = none_index;  // whose position is taken; none for an area
    std::size_t mention = 0;
    double score = 0;
    double away_km = 0;  // how far off the place itself the text says, and which way from north
    double away_degrees = 0;
    std::uint32_t border = none_index;  // the country whose border with it is named
    bool part = false;                  // the text names a part of it: "northern"
    double part_degrees = 0;
    bool country_named = false;  // the text names its country
    bool region_named = false;   // the text names its region or district
    bool hinted = false;         // the source or the link speaks for its country
    bool rivalled = false;       // another place of the same name scores nearly as much
};

// Every reading of every mention that is worth considering, with its score.
std::vector<Candidate> score_places(const PlaceEvidence& evidence, const PlaceHints& hints,
                                    const GazetteerData& data);

inline bool is_city(Meaning meaning) {
    return meaning == Meaning::city || meaning == Meaning::alternate;
}
inline bool is_country(Meaning meaning) {
    return meaning == Meaning::country || meaning == Meaning::demonym ||
           meaning == Meaning::nationality;
}

}  // namespace headpond::ingest
