// The gazetteer in memory: places, their names, the words that mean no place.
#pragma once

#include "gazetteer/place_text.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace headpond::ingest {

// No region, district, city or country.
inline constexpr std::uint32_t none_index = UINT32_MAX;

struct CityRow {
    std::string_view name;
    float latitude;   // degrees
    float longitude;  // degrees
    std::uint32_t population;
    std::uint32_t region;
    std::uint32_t district;
};

struct DistrictRow {
    std::string_view name;
    std::uint32_t region;
    std::uint32_t city;  // the most populous, none_index while there is none
};

struct RegionRow {
    std::string_view code;  // GeoNames: country.admin1
    std::string_view name;
    std::uint32_t country;
    std::uint32_t city;
    std::uint64_t population;  // of its cities: how well known it is
};

// An ISO 3166-2 subdivision that is known by name only.
struct SubdivisionRow {
    std::string_view name;
    std::uint32_t country;
};

struct CountryRow {
    std::string_view code;  // ISO 3166-1 alpha-2
    std::string_view name;
    std::uint32_t city;
    std::uint64_t population;  // of its cities: which of two countries of one name is meant
};

struct AreaRow {
    std::string_view name;
    float latitude;
    float longitude;
    std::uint32_t country;
    bool volcano;  // its name counts only where the text speaks of one, or of its country
};

// What a name may stand for.
enum class Meaning : std::uint8_t {
    country,
    demonym,
    nationality,  // a demonym that other languages write small ("mexicana")
    region,
    abbreviation,  // of a region: counts only behind a comma
    subdivision,
    district,
    county,  // a district without its kind ("Harris"): counts only before its region
    city,
    alternate,  // another name of a city
    area,
    skip,  // a phrase with a place's name in it that is none ("Paris Agreement")
};

struct NameEntry {
    std::uint64_t hash;
    Meaning meaning;
    std::uint32_t index;  // into the rows of that meaning
};

// What a single word says about its neighbours; a word may be several of these.
enum class Word : std::uint32_t {
    stop = 1U << 0U,
    common = 1U << 1U,
    place_before = 1U << 2U,
    origin_before = 1U << 3U,
    direction = 1U << 4U,
    distance_unit = 1U << 5U,
    kind_settlement = 1U << 6U,
    kind_region = 1U << 7U,
    person_before = 1U << 8U,
    given_name = 1U << 9U,
    speech_after = 1U << 10U,
    particle = 1U << 11U,
    colour = 1U << 12U,  // and the like: "Orange", "Roman"
    kind_institution = 1U << 13U,
    surname = 1U << 14U,
    kind_feature = 1U << 15U,   // "Austin Creek", "Denver Road"
    kind_incident = 1U << 16U,  // "Ferris Fire"
    kind_volcano = 1U << 17U,   // "volcano", "Gunung", "lava"
    border = 1U << 19U,         // "A-B border region"
    issuer = 1U << 18U,         // who speaks from a place of no matter: "NWS", "service in"
};

// The rows of the gazetteer and the index of their names. Names are views into the texts it was
// made of, which must outlive it. Const use is thread-safe.
class GazetteerData {
  public:
    // Reads texts in the format of places.tsv and words.tsv, in order. Throws std::invalid_argument
    // with the line's number and what is wrong in it.
    explicit GazetteerData(std::initializer_list<std::string_view> texts);

    // All entries of the name with this key_hash.
    std::span<const NameEntry> find(std::uint64_t hash) const;

    // What is known of a word: the bits of Word.
    std::uint32_t word(const std::string& key) const;

    // The index of a country by its two letters, in either case; none_index if there is none.
    std::uint32_t country_of_code(std::string_view code) const;

    const Folding& folding() const { return folding_; }
    const std::vector<CityRow>& cities() const { return cities_; }
    const std::vector<DistrictRow>& districts() const { return districts_; }
    const std::vector<RegionRow>& regions() const { return regions_; }
    const std::vector<SubdivisionRow>& subdivisions() const { return subdivisions_; }
    const std::vector<CountryRow>& countries() const { return countries_; }
    const std::vector<AreaRow>& areas() const { return areas_; }

    std::uint32_t country_of_city(std::uint32_t city) const {
        return regions_[cities_[city].region].country;
    }

    // The index of the city nearest to a position; none_index if there are no cities.
    std::uint32_t city_at(double latitude, double longitude) const;

    // The middle of the outermost third of a country's or, if it is not none_index, a region's
    // cities in that direction, in degrees: "northern Peru". Nothing for a handful of cities.
    std::optional<std::pair<double, double>> part_at(std::uint32_t country, std::uint32_t region,
                                                     double bearing) const;

    // A point on the border of two countries, in degrees: between two of their cities that lie near
    // each other. Nothing if one of them has no cities.
    std::optional<std::pair<double, double>> border_at(std::uint32_t one,
                                                       std::uint32_t other) const;

  private:
    friend class GazetteerReader;

    void add_name(std::string_view name, Meaning meaning, std::size_t index);
    static std::size_t code_slot(std::string_view code);
    void index_names();
    void choose_largest_cities();
    void place_cities_on_sphere() const;
    std::uint32_t nearest_of(std::uint32_t country, std::uint32_t to_city) const;

    Folding folding_;
    std::vector<CityRow> cities_;
    std::vector<DistrictRow> districts_;
    std::vector<RegionRow> regions_;
    std::vector<SubdivisionRow> subdivisions_;
    std::vector<CountryRow> countries_;
    std::vector<AreaRow> areas_;
    std::array<std::uint32_t, 1024> country_by_code_{};  // by code_slot
    std::vector<NameEntry> names_;                       // sorted by hash
    std::vector<std::uint32_t> first_name_;  // of the hashes with these upper bits, in names_
    std::unordered_map<std::string, std::uint32_t> words_;
    struct SpherePoint {
        float x, y, z;
        std::uint32_t city;
    };
    mutable std::once_flag placed_on_sphere_;  // by the first city_at
    mutable std::vector<SpherePoint>
        on_sphere_;  // of each city, from south to north; guarded by it
};

}  // namespace headpond::ingest
