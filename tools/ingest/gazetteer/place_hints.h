// What is known besides the text: source tag, domain of the link.
#pragma once

#include "gazetteer/gazetteer_data.h"

#include <cstdint>
#include <string_view>

namespace headpond::ingest {

// What the source and the link say about where an alert may be, without its text.
struct PlaceHints {
    std::uint32_t tag_country = none_index;   // "country:NZ", or a country named in the tag
    bool tag_country_stated = false;          // by "country:", so that it may be the place itself
    std::uint32_t tag_city = none_index;      // "local:Perth": the largest that fits tag_country
    std::uint32_t link_country = none_index;  // of the link's top-level domain
    std::uint32_t link_region = none_index;   // "wa.gov.au", "ca.gov", "gov.bc.ca"
    bool link_government = false;             // ".gov.au", ".gob.mx": speaks of its own country
};

PlaceHints read_hints(std::string_view source_tag, std::string_view link,
                      const GazetteerData& data);

}  // namespace headpond::ingest
