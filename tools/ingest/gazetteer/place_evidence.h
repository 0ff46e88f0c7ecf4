// What speaks for a place: the mentions in a text, weighed.
#pragma once

#include "gazetteer/gazetteer_data.h"
#include "gazetteer/place_hints.h"
#include "gazetteer/place_match.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace headpond::ingest {

// A country that the text names: by its name, or by what its people are called.
struct NamedCountry {
    std::uint32_t country;
    std::size_t mention;
    double weight;  // 1 for a name in the title, less for a summary or a demonym
    bool demonym;
};

// What the mentions of one alert say about each other. Holds the mentions; read-only once made.
class PlaceEvidence {
  public:
    PlaceEvidence(std::vector<Mention> title, std::vector<Mention> summary, const PlaceHints& hints,
                  const GazetteerData& data);

    const std::vector<Mention>& mentions() const { return mentions_; }
    const std::vector<NamedCountry>& countries() const { return countries_; }

    // Whether a mention is read as a country, and so as no city or region of that name.
    bool is_country(std::size_t mention) const { return is_country_[mention]; }

    // The country that a mention names, none_index if it names none.
    std::uint32_t country_of(std::size_t mention) const;

    // Whether a mention is read as a region, and so as no city outside of it: "Spokane,
    // Washington".
    bool is_region(std::size_t mention) const { return is_region_[mention]; }

    // 0 to 1: how surely another mention than this one names the country.
    double names_country(std::uint32_t country, std::size_t mention) const;
    // 0 to 1: how surely the text names countries, none of them this one.
    double names_other_country(std::uint32_t country, std::size_t mention) const;
    // 0 to 1: how surely another mention names the region, the district, or a city of the region.
    double names_region(std::uint32_t region, std::size_t mention) const;
    double names_district(std::uint32_t district, std::size_t mention) const;
    double names_neighbour(std::uint32_t region, std::size_t mention) const;

    // Whether the mention chained to this one names this region or country, or another country.
    bool chains_to_region(std::uint32_t region, std::size_t mention) const;
    bool chains_to_country(std::uint32_t country, std::size_t mention) const;
    bool chains_elsewhere(std::uint32_t country, std::size_t mention) const;
    // Whether the mention chained to this one is surely a region, and not this one.
    bool chains_to_other_region(std::uint32_t region, std::size_t mention) const;
    // Whether the region may be meant by the mention.
    bool may_be_region(std::uint32_t region, std::size_t mention) const;

  private:
    struct Group {
        std::vector<std::uint32_t> regions;       // that the mention may name
        std::vector<std::uint32_t> districts;     // likewise
        std::vector<std::uint32_t> city_regions;  // of the cities it may name, sorted
        std::uint64_t key = 0;                    // of its name
    };

    void group(std::size_t mention);
    bool decide_country(std::size_t mention, const PlaceHints& hints) const;
    bool prefers_region(std::size_t mention, const NameEntry& region, std::uint32_t country,
                        const PlaceHints& hints) const;
    bool has_city_in(std::size_t mention, std::uint32_t region) const;
    bool decide_region(std::size_t mention) const;
    void name_countries();
    bool tells(std::size_t other, std::size_t mention) const;
    // Whether the named country is this one, or the one that this territory belongs to.
    bool is_or_has(std::uint32_t named, std::uint32_t country) const;

    const GazetteerData& data_;
    std::vector<Mention> mentions_;
    std::vector<Group> groups_;
    std::vector<bool> is_country_;
    std::vector<bool> is_region_;
    std::vector<NamedCountry> countries_;
};

}  // namespace headpond::ingest
