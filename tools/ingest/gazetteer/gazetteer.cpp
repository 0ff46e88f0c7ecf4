#include "gazetteer/gazetteer.h"

#include "gazetteer/gazetteer_data.h"
#include "gazetteer/place_hints.h"
#include "gazetteer/place_match.h"
#include "gazetteer/place_rank.h"
#include "gazetteer/place_text.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <tuple>
#include <vector>

namespace headpond::ingest {
namespace {

constexpr double earth_radius_km = 6371.0088;
constexpr double radians = std::numbers::pi / 180.0;
constexpr std::uint32_t medium_population_min = 100000;
constexpr double abroad_km_min = 25;  // so far off a place another country may be nearer

std::vector<Mention> read_mentions(std::string_view text, bool in_title,
                                   const GazetteerData& data) {
    return find_mentions(tokenise(text, data.folding()), in_title, data);
}

Confidence confidence_of(const Candidate& candidate, const GazetteerData& data) {
    if (is_country(candidate.meaning)) return Confidence::low;
    const bool exact =
        candidate.meaning != Meaning::area && candidate.meaning != Meaning::subdivision;
    if (exact && (candidate.country_named || candidate.region_named) && !candidate.rivalled) {
        return Confidence::high;
    }
    const bool known = !is_city(candidate.meaning) ||
                       data.cities()[candidate.city].population >= medium_population_min;
    if (candidate.country_named || candidate.region_named || candidate.hinted) {
        return Confidence::medium;
    }
    return exact && known && !candidate.rivalled ? Confidence::medium : Confidence::low;
}

std::string_view name_of(const Candidate& candidate, const GazetteerData& data) {
    switch (candidate.meaning) {
        case Meaning::country:
        case Meaning::demonym:
        case Meaning::nationality:
            return data.countries()[candidate.index].name;
        case Meaning::region:
        case Meaning::abbreviation:
            return data.regions()[candidate.index].name;
        case Meaning::subdivision:
            return data.subdivisions()[candidate.index].name;
        case Meaning::district:
        case Meaning::county:
            return data.districts()[candidate.index].name;
        case Meaning::area:
            return data.areas()[candidate.index].name;
        default:
            return data.cities()[candidate.city].name;
    }
}

std::string basis_of(const Candidate& candidate, const GazetteerData& data) {
    const auto what = [&]() -> std::string {
        switch (candidate.meaning) {
            case Meaning::country:
                return "country";
            case Meaning::demonym:
            case Meaning::nationality:
                return "demonym";
            case Meaning::area:
                return "area";
            case Meaning::district:
            case Meaning::county:
                return "district";
            case Meaning::region:
            case Meaning::abbreviation:
            case Meaning::subdivision:
                return "region";
            default:
                return "city";
        }
    }();
    std::string basis = what;
    if (is_city(candidate.meaning) && candidate.region != none_index) {
        basis += " in " + std::string(data.regions()[candidate.region].name);
    } else if (candidate.city != none_index) {
        basis += ", at " + std::string(data.cities()[candidate.city].name);
    }
    if (candidate.region_named) basis += ", region named";
    if (candidate.country_named) basis += ", country named";
    if (candidate.hinted) basis += ", source or link agrees";
    return basis;
}

// Moves a place by a distance along a bearing, on the sphere.
void move_away(Place& place, double km, double bearing_degrees) {
    const double arc = km / earth_radius_km;
    const double bearing = bearing_degrees * radians;
    const double latitude = place.latitude * radians;
    const double moved = std::asin(std::clamp(
        std::sin(latitude) * std::cos(arc) + std::cos(latitude) * std::sin(arc) * std::cos(bearing),
        -1.0, 1.0));
    const double turn = std::atan2(std::sin(bearing) * std::sin(arc) * std::cos(latitude),
                                   std::cos(arc) - std::sin(latitude) * std::sin(moved));
    place.latitude = moved / radians;
    place.longitude = std::remainder(place.longitude + turn / radians, 360.0);
    place.basis += ", " + std::to_string(std::lround(km)) + " km off at " +
                   std::to_string(std::lround(bearing_degrees)) + " degrees";
}

void move_to_part(Place& place, const Candidate& candidate, const GazetteerData& data) {
    const bool region = candidate.meaning == Meaning::region;
    if (!region && candidate.meaning != Meaning::country) return;
    const auto part = data.part_at(candidate.country, region ? candidate.index : none_index,
                                   candidate.part_degrees);
    if (!part) return;
    std::tie(place.latitude, place.longitude) = *part;
    place.basis += ", part named";
}

std::optional<Place> place_of(const Candidate& candidate, const GazetteerData& data) {
    Place place;
    place.name = name_of(candidate, data);
    place.confidence = confidence_of(candidate, data);
    place.basis = basis_of(candidate, data);
    std::uint32_t country = candidate.country;
    if (candidate.city != none_index) {
        place.latitude = static_cast<double>(data.cities()[candidate.city].latitude);
        place.longitude = static_cast<double>(data.cities()[candidate.city].longitude);
    } else if (candidate.meaning == Meaning::area) {
        place.latitude = static_cast<double>(data.areas()[candidate.index].latitude);
        place.longitude = static_cast<double>(data.areas()[candidate.index].longitude);
        const std::uint32_t city = data.city_at(place.latitude, place.longitude);
        if (country == none_index && city != none_index) country = data.country_of_city(city);
    } else {
        return std::nullopt;  // a country without a city in the data: nowhere to put it
    }
    if (candidate.part) move_to_part(place, candidate, data);
    if (candidate.border != none_index) {
        if (const auto border = data.border_at(candidate.country, candidate.border)) {
            std::tie(place.latitude, place.longitude) = *border;
            place.basis += ", its border named";
        }
    }
    if (candidate.away_km > 0) move_away(place, candidate.away_km, candidate.away_degrees);
    if (candidate.away_km >= abroad_km_min) {
        const std::uint32_t city = data.city_at(place.latitude, place.longitude);
        if (city != none_index) country = data.country_of_city(city);
    }
    if (country != none_index) place.country = data.countries()[country].code;
    return place;
}

// What is left when the text names no place: the source's own city or country, or the country of a
// government that speaks.
std::optional<Place> place_of(const PlaceHints& hints, const GazetteerData& data) {
    Candidate candidate;
    std::string basis = "the source's ";
    if (hints.tag_city != none_index) {
        candidate.meaning = Meaning::city;
        candidate.index = candidate.city = hints.tag_city;
        candidate.country = data.country_of_city(hints.tag_city);
        basis += "city";
    } else if (hints.tag_country_stated || hints.link_government) {
        const bool tag = hints.tag_country_stated;
        candidate.index = candidate.country = tag ? hints.tag_country : hints.link_country;
        candidate.city = data.countries()[candidate.country].city;
        if (!tag && hints.link_region != none_index) {
            candidate.meaning = Meaning::region;
            candidate.index = hints.link_region;
            candidate.city = data.regions()[hints.link_region].city;
        }
        basis = tag ? "the source's country" : "the link's government domain";
    } else {
        return std::nullopt;
    }
    std::optional<Place> place = place_of(candidate, data);
    if (place) {
        place->confidence = Confidence::low;
        place->basis = basis;
    }
    return place;
}

}  // namespace

std::string_view to_string(Confidence confidence) {
    switch (confidence) {
        case Confidence::low:
            return "low";
        case Confidence::medium:
            return "medium";
        case Confidence::high:
            return "high";
        case Confidence::none:
            break;
    }
    return "none";
}

Gazetteer::Gazetteer(std::initializer_list<std::string_view> texts)
    : data_(std::make_shared<const GazetteerData>(texts)) {}

std::optional<Place> Gazetteer::locate(const PlaceQuery& query) const {
    const PlaceHints hints = read_hints(query.source_tag, query.link, *data_);
    const std::optional<Candidate> best =
        rank_places(read_mentions(query.title, true, *data_),
                    read_mentions(query.summary, false, *data_), hints, *data_);
    if (best) return place_of(*best, *data_);
    return place_of(hints, *data_);
}

std::string Gazetteer::country_at(double latitude, double longitude) const {
    const std::uint32_t city = data_->city_at(latitude, longitude);
    if (city == none_index) return {};
    return std::string(data_->countries()[data_->country_of_city(city)].code);
}

double distance_km(double latitude_a, double longitude_a, double latitude_b, double longitude_b) {
    const double latitude_sine = std::sin((latitude_b - latitude_a) * radians / 2);
    const double longitude_sine = std::sin((longitude_b - longitude_a) * radians / 2);
    const double haversine = latitude_sine * latitude_sine + std::cos(latitude_a * radians) *
                                                                 std::cos(latitude_b * radians) *
                                                                 longitude_sine * longitude_sine;
    return 2 * earth_radius_km * std::asin(std::sqrt(std::clamp(haversine, 0.0, 1.0)));
}

}  // namespace headpond::ingest
