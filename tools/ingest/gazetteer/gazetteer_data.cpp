#include "gazetteer/gazetteer_data.h"

#include "gazetteer/gazetteer_reader.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <numbers>

namespace headpond::ingest {
namespace {

// Names are found by the upper bits of their hash first: about one name a slot.
constexpr unsigned slot_bits = 18;
constexpr std::size_t slot_of(std::uint64_t hash) {
    return static_cast<std::size_t>(hash >> (64U - slot_bits));
}

}  // namespace

GazetteerData::GazetteerData(std::initializer_list<std::string_view> texts) {
    country_by_code_.fill(none_index);
    // places.tsv has a city every 40 bytes and a name every 20: no growing and copying meanwhile.
    std::size_t bytes = 0;
    for (const std::string_view text : texts) bytes += text.size();
    cities_.reserve(bytes / 40);
    names_.reserve(bytes / 20);
    GazetteerReader reader(*this);
    for (const std::string_view text : texts) reader.read(text);
    index_names();
    choose_largest_cities();
}

void GazetteerData::add_name(std::string_view name, Meaning meaning, std::size_t index) {
    const std::string key = folding_.name(name);
    if (key.empty()) return;
    names_.push_back({key_hash(key), meaning, static_cast<std::uint32_t>(index)});
}

// A counting sort into slots, then each slot by itself: a quarter of the time of one sort.
void GazetteerData::index_names() {
    first_name_.assign((std::size_t{1} << slot_bits) + 1, 0);
    for (const NameEntry& entry : names_) ++first_name_[slot_of(entry.hash) + 1];
    for (std::size_t slot = 1; slot < first_name_.size(); ++slot) {
        first_name_[slot] += first_name_[slot - 1];
    }
    std::vector<NameEntry> sorted(names_.size());
    std::vector<std::uint32_t> next(first_name_.begin(), first_name_.end() - 1);
    for (const NameEntry& entry : names_) sorted[next[slot_of(entry.hash)]++] = entry;
    names_ = std::move(sorted);
    const auto by_hash = [](const NameEntry& a, const NameEntry& b) {
        if (a.hash != b.hash) return a.hash < b.hash;
        return a.meaning != b.meaning ? a.meaning < b.meaning : a.index < b.index;
    };
    for (std::size_t slot = 0; slot + 1 < first_name_.size(); ++slot) {
        if (first_name_[slot + 1] - first_name_[slot] < 2) continue;
        std::sort(names_.begin() + first_name_[slot], names_.begin() + first_name_[slot + 1],
                  by_hash);
    }
}

std::span<const NameEntry> GazetteerData::find(std::uint64_t hash) const {
    std::size_t first = first_name_[slot_of(hash)];
    const std::size_t slot_end = first_name_[slot_of(hash) + 1];
    while (first < slot_end && names_[first].hash < hash) ++first;
    std::size_t last = first;
    while (last < slot_end && names_[last].hash == hash) ++last;
    return std::span(names_).subspan(first, last - first);
}

std::uint32_t GazetteerData::word(const std::string& key) const {
    const auto known = words_.find(key);
    return known != words_.end() ? known->second : 0;
}

std::size_t GazetteerData::code_slot(std::string_view code) {
    // The lower five bits of an ASCII letter are its place in the alphabet, whatever its case.
    const auto bits = [](char c) {
        return static_cast<std::size_t>(static_cast<unsigned char>(c) & 0x1FU);
    };
    return bits(code[0]) * 32 + bits(code[1]);
}

std::uint32_t GazetteerData::country_of_code(std::string_view code) const {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (code.size() != 2 || !is_letter(code[0]) || !is_letter(code[1])) return none_index;
    return country_by_code_[code_slot(code)];
}

void GazetteerData::choose_largest_cities() {
    const auto prefer = [&](std::uint32_t& chosen, std::uint32_t city) {
        if (chosen == none_index || cities_[city].population > cities_[chosen].population) {
            chosen = city;
        }
    };
    for (std::uint32_t city = 0; city < cities_.size(); ++city) {
        RegionRow& region = regions_[cities_[city].region];
        prefer(region.city, city);
        region.population += cities_[city].population;
        prefer(countries_[region.country].city, city);
        countries_[region.country].population += cities_[city].population;
        if (cities_[city].district != none_index) {
            prefer(districts_[cities_[city].district].city, city);
        }
    }
}

void GazetteerData::place_cities_on_sphere() const {
    on_sphere_.reserve(cities_.size());
    constexpr float radians = std::numbers::pi_v<float> / 180.0F;
    for (std::uint32_t city = 0; city < cities_.size(); ++city) {
        const float latitude = cities_[city].latitude * radians;
        const float longitude = cities_[city].longitude * radians;
        on_sphere_.push_back({std::cos(latitude) * std::cos(longitude),
                              std::cos(latitude) * std::sin(longitude), std::sin(latitude), city});
    }
    std::sort(on_sphere_.begin(), on_sphere_.end(), [](const SpherePoint& a, const SpherePoint& b) {
        return a.z != b.z ? a.z < b.z : a.city < b.city;
    });
}

// The nearest city has the smallest chord, which grows with the distance along the ground. From the
// position's own latitude outwards it takes some thousand cities to be sure, and no case for poles
// and date line.
std::uint32_t GazetteerData::city_at(double latitude, double longitude) const {
    std::call_once(placed_on_sphere_, [this] { place_cities_on_sphere(); });
    constexpr double radians = std::numbers::pi / 180.0;
    const auto x = static_cast<float>(std::cos(latitude * radians) * std::cos(longitude * radians));
    const auto y = static_cast<float>(std::cos(latitude * radians) * std::sin(longitude * radians));
    const auto z = static_cast<float>(std::sin(latitude * radians));
    std::uint32_t nearest = none_index;
    float smallest = 5.0F;  // no chord of a unit sphere is longer than 2
    // Whether the cities beyond this one may still be nearer.
    const auto look = [&](const SpherePoint& point) {
        const float dz = point.z - z;
        if (dz * dz > smallest) return false;
        const float dx = point.x - x;
        const float dy = point.y - y;
        const float chord = dx * dx + dy * dy + dz * dz;
        if (chord < smallest || (chord == smallest && point.city < nearest)) {
            smallest = chord;
            nearest = point.city;
        }
        return true;
    };
    auto north = std::lower_bound(on_sphere_.begin(), on_sphere_.end(), z,
                                  [](const SpherePoint& point, float at) { return point.z < at; });
    auto south = std::make_reverse_iterator(north);
    bool more = true;
    while (more) {
        more = false;
        if (north != on_sphere_.end() && look(*north)) {
            ++north;
            more = true;
        }
        if (south != on_sphere_.rend() && look(*south)) {
            ++south;
            more = true;
        }
    }
    return nearest;
}

std::uint32_t GazetteerData::nearest_of(std::uint32_t country, std::uint32_t to_city) const {
    constexpr float radians = std::numbers::pi_v<float> / 180.0F;
    const CityRow& to = cities_[to_city];
    const float narrowing = std::cos(to.latitude * radians);
    std::uint32_t nearest = none_index;
    float smallest = 0;
    for (std::uint32_t city = 0; city < cities_.size(); ++city) {
        if (country_of_city(city) != country) continue;
        const float north = cities_[city].latitude - to.latitude;
        const float east =
            narrowing * std::remainder(cities_[city].longitude - to.longitude, 360.0F);
        const float square = north * north + east * east;
        if (nearest != none_index && square >= smallest) continue;
        smallest = square;
        nearest = city;
    }
    return nearest;
}

// From the largest city of the one to the nearest of the other, and to and fro once more.
std::optional<std::pair<double, double>> GazetteerData::border_at(std::uint32_t one,
                                                                  std::uint32_t other) const {
    std::uint32_t there = countries_[other].city;
    if (there == none_index || countries_[one].city == none_index) return std::nullopt;
    std::uint32_t here = nearest_of(one, there);
    there = nearest_of(other, here);
    here = nearest_of(one, there);
    const CityRow& a = cities_[here];
    const CityRow& b = cities_[there];
    const double east = static_cast<double>(std::remainder(b.longitude - a.longitude, 360.0F));
    return std::pair{static_cast<double>(a.latitude + b.latitude) / 2,
                     std::remainder(static_cast<double>(a.longitude) + east / 2, 360.0)};
}

std::optional<std::pair<double, double>> GazetteerData::part_at(std::uint32_t country,
                                                                std::uint32_t region,
                                                                double bearing) const {
    constexpr std::size_t cities_min = 6;
    constexpr double radians = std::numbers::pi / 180.0;
    if (countries_[country].city == none_index) return std::nullopt;
    // Longitudes count from the largest city: some countries lie on both sides of the date line.
    const double middle = static_cast<double>(cities_[countries_[country].city].longitude);
    std::vector<std::pair<double, std::uint32_t>> along;  // how far that way, city
    for (std::uint32_t city = 0; city < cities_.size(); ++city) {
        const CityRow& row = cities_[city];
        if (region != none_index ? row.region != region : country_of_city(city) != country) {
            continue;
        }
        const double east = std::remainder(static_cast<double>(row.longitude) - middle, 360.0);
        const double latitude = static_cast<double>(row.latitude);
        along.emplace_back(latitude * std::cos(bearing * radians) +
                               east * std::cos(latitude * radians) * std::sin(bearing * radians),
                           city);
    }
    if (along.size() < cities_min) return std::nullopt;
    const std::size_t third = along.size() / 3;
    std::nth_element(along.begin(), along.begin() + static_cast<std::ptrdiff_t>(third), along.end(),
                     std::greater<>());
    double x = 0;
    double y = 0;
    double z = 0;
    for (std::size_t i = 0; i < third; ++i) {
        const CityRow& row = cities_[along[i].second];
        const double latitude = static_cast<double>(row.latitude) * radians;
        const double longitude = static_cast<double>(row.longitude) * radians;
        x += std::cos(latitude) * std::cos(longitude);
        y += std::cos(latitude) * std::sin(longitude);
        z += std::sin(latitude);
    }
    return std::pair{std::atan2(z, std::hypot(x, y)) / radians, std::atan2(y, x) / radians};
}

}  // namespace headpond::ingest
