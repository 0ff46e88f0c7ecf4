// Finds names of places in a text.
#pragma once

#include "gazetteer/gazetteer_data.h"
#include "gazetteer/place_text.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace headpond::ingest {

// A run of words that is a name in the gazetteer, and what its neighbours say about it.
struct Mention {
    std::size_t first = 0;  // tokens [first, last)
    std::size_t last = 0;
    bool in_title = false;
    Letters letters = Letters::mixed;
    std::vector<NameEntry> entries;  // of cities only the largest, largest first

    bool stop = false;             // a word that is hardly ever a place
    bool colour = false;           // a word that is rarely a place ("Orange", "Roman")
    bool common = false;           // a common word that is also a place
    bool also_person = false;      // a given name or surname that is also a place
    bool sentence_start = false;   // where a capital letter says nothing
    bool place_before = false;     // "in X", "near X"
    bool origin_before = false;    // "from X", "to X"
    bool distance_before = false;  // "23 km SSE of X"
    bool distance_in = false;      // "23 km SSE of Y, X", where Y is unknown
    bool follows_unknown = false;  // "Y, X", where Y is unknown
    double away_km = 0;            // those 23 km
    double away_degrees = 0;       // clockwise from north
    bool part = false;             // "northern X"
    double part_degrees = 0;       // which part of it, clockwise from north
    bool settlement = false;       // "city of X", "X airport"
    bool region = false;           // "shire of X", "X province"
    bool person = false;           // "President X", "Paris X said"
    bool part_of_name = false;     // an unknown capitalised word stands beside it
    bool adjective = false;        // "US officials": the abbreviation of a country before a noun
    bool feature = false;          // "X Creek", "X Road": of that name, but elsewhere
    bool incident = false;         // "X Fire" as a whole title
    bool longer_name = false;      // "X del Rey": the beginning of a longer, unknown name
    bool volcano = false;          // "X volcano", "Mount X", or a text about volcanoes
    bool issuer = false;           // "NWS X", "Weather Service in X": who speaks, not of where
    bool dotted = false;           // "Calif."

    static constexpr std::size_t npos = static_cast<std::size_t>(-1);
    std::size_t chained = npos;  // the mention that directly follows: "X, Y" or "X (Y" or "X in Y"
    bool is_chained = false;     // some mention is chained to this one
    std::size_t border_with = npos;  // "X-Y border", "border between X and Y": Y
};

// Finds the mentions in one text, left to right, the longest name first; in_title is passed on.
// Chains are indices into the returned vector.
std::vector<Mention> find_mentions(const TokenText& text, bool in_title, const GazetteerData& data);

}  // namespace headpond::ingest
