#include "gazetteer/place_evidence.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace headpond::ingest {
namespace {

bool contains(const std::vector<std::uint32_t>& list, std::uint32_t value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

bool is_region_name(Meaning meaning) {
    return meaning == Meaning::region || meaning == Meaning::abbreviation;
}

bool is_city(Meaning meaning) {
    return meaning == Meaning::city || meaning == Meaning::alternate;
}

// A territory's places are also said to be in the country that it belongs to.
constexpr std::pair<std::string_view, std::string_view> territories[] = {
    {"AS", "US"}, {"GU", "US"}, {"MP", "US"}, {"PR", "US"}, {"VI", "US"}, {"UM", "US"},
    {"GS", "GB"}, {"SH", "GB"}, {"FK", "GB"}, {"BM", "GB"}, {"MS", "GB"}, {"KY", "GB"},
    {"VG", "GB"}, {"TC", "GB"}, {"AI", "GB"}, {"PN", "GB"}, {"IO", "GB"}, {"GI", "GB"},
    {"PF", "FR"}, {"NC", "FR"}, {"RE", "FR"}, {"GP", "FR"}, {"MQ", "FR"}, {"GF", "FR"},
    {"YT", "FR"}, {"WF", "FR"}, {"TF", "FR"}, {"PM", "FR"}, {"MF", "FR"}, {"BL", "FR"},
    {"CX", "AU"}, {"CC", "AU"}, {"NF", "AU"}, {"HM", "AU"}, {"GL", "DK"}, {"FO", "DK"},
    {"CK", "NZ"}, {"NU", "NZ"}, {"TK", "NZ"}, {"SJ", "NO"}, {"BV", "NO"}, {"CW", "NL"},
    {"AW", "NL"}, {"BQ", "NL"}, {"SX", "NL"}};

}  // namespace

PlaceEvidence::PlaceEvidence(std::vector<Mention> title, std::vector<Mention> summary,
                             const PlaceHints& hints, const GazetteerData& data)
    : data_(data), mentions_(std::move(title)) {
    const std::size_t offset = mentions_.size();
    for (Mention& mention : summary) {
        if (mention.chained != Mention::npos) mention.chained += offset;
        if (mention.border_with != Mention::npos) mention.border_with += offset;
    }
    std::move(summary.begin(), summary.end(), std::back_inserter(mentions_));
    groups_.resize(mentions_.size());
    for (std::size_t i = 0; i < mentions_.size(); ++i) group(i);
    is_country_.assign(mentions_.size(), false);
    for (std::size_t i = 0; i < mentions_.size(); ++i) is_country_[i] = decide_country(i, hints);
    is_region_.assign(mentions_.size(), false);
    for (std::size_t i = 0; i < mentions_.size(); ++i) is_region_[i] = decide_region(i);
    name_countries();
}

void PlaceEvidence::group(std::size_t mention) {
    Group& group = groups_[mention];
    for (const NameEntry& entry : mentions_[mention].entries) {
        group.key = entry.hash;
        if (is_region_name(entry.meaning)) group.regions.push_back(entry.index);
        if (entry.meaning == Meaning::district || entry.meaning == Meaning::county) {
            group.districts.push_back(entry.index);
        }
        if (is_city(entry.meaning)) {
            group.city_regions.push_back(data_.cities()[entry.index].region);
        }
    }
}

bool PlaceEvidence::has_city_in(std::size_t mention, std::uint32_t region) const {
    return contains(groups_[mention].city_regions, region) ||
           std::any_of(groups_[mention].districts.begin(), groups_[mention].districts.end(),
                       [&](std::uint32_t i) { return data_.districts()[i].region == region; });
}

// "Georgia" is the state when a city of it stands before, or when the United States are named.
bool PlaceEvidence::prefers_region(std::size_t mention, const NameEntry& region,
                                   std::uint32_t country, const PlaceHints& hints) const {
    const std::uint32_t of = data_.regions()[region.index].country;
    if (of == country) return false;
    for (std::size_t i = 0; i < mentions_.size(); ++i) {
        if (i == mention) continue;
        if (mentions_[i].chained == mention && has_city_in(i, region.index)) return true;
        for (const NameEntry& entry : mentions_[i].entries) {
            if (entry.meaning == Meaning::country && entry.index == of) return true;
        }
    }
    return hints.tag_country == of || hints.link_country == of;
}

bool PlaceEvidence::decide_country(std::size_t mention, const PlaceHints& hints) const {
    const Mention& here = mentions_[mention];
    const auto country =
        std::find_if(here.entries.begin(), here.entries.end(),
                     [](const NameEntry& entry) { return entry.meaning == Meaning::country; });
    if (country == here.entries.end() || here.person) return false;
    for (const NameEntry& entry : here.entries) {
        if (entry.meaning == Meaning::region &&
            prefers_region(mention, entry, country->index, hints)) {
            return false;
        }
    }
    if (here.chained == Mention::npos) return true;
    // "Lebanon, Pennsylvania": a city of the region that follows.
    const Group& next = groups_[here.chained];
    return std::none_of(next.regions.begin(), next.regions.end(), [&](std::uint32_t region) {
        return data_.regions()[region].country != country->index && has_city_in(mention, region);
    });
}

void PlaceEvidence::name_countries() {
    for (std::size_t i = 0; i < mentions_.size(); ++i) {
        const Mention& mention = mentions_[i];
        double weight = mention.in_title ? 1.0 : 0.7;
        if (mention.origin_before) weight *= 0.7;
        if (mention.part_of_name) weight *= 0.5;
        std::uint32_t largest = none_index;
        bool demonym = mention.adjective;
        for (const NameEntry& entry : mention.entries) {
            const bool people =
                entry.meaning == Meaning::demonym || entry.meaning == Meaning::nationality;
            if (!people && !(entry.meaning == Meaning::country && is_country_[i])) continue;
            if (largest == none_index ||
                data_.countries()[entry.index].population > data_.countries()[largest].population) {
                largest = entry.index;
                demonym = people || mention.adjective;
            }
        }
        if (largest == none_index) continue;
        countries_.push_back({largest, i, demonym ? weight * 0.4 : weight, demonym});
    }
}

// Something of the region stands before, or a distance to something unknown in it.
bool PlaceEvidence::decide_region(std::size_t mention) const {
    const std::vector<std::uint32_t>& regions = groups_[mention].regions;
    if (regions.empty() || is_country_[mention]) return false;
    if (mentions_[mention].distance_in) return true;
    for (std::size_t i = 0; i < mentions_.size(); ++i) {
        if (mentions_[i].chained != mention || is_country_[i]) continue;
        if (mentions_[i].distance_before) return true;
        for (const std::uint32_t region : regions) {
            if (has_city_in(i, region)) return true;
        }
    }
    return false;
}

// A name that is repeated says nothing new about itself, unless it is called a region the second
// time ("MUNDARING, SHIRE OF MUNDARING") or stands behind ("New York, New York").
bool PlaceEvidence::tells(std::size_t other, std::size_t mention) const {
    if (other == mention || mentions_[other].person) return false;
    if (mentions_[other].stop && !mentions_[other].region) return false;
    return groups_[other].key != groups_[mention].key || mentions_[other].region ||
           mentions_[mention].chained == other;
}

bool PlaceEvidence::is_or_has(std::uint32_t named, std::uint32_t country) const {
    if (named == country) return true;
    const std::string_view code = data_.countries()[country].code;
    const std::string_view owner = data_.countries()[named].code;
    return std::find(std::begin(territories), std::end(territories), std::pair{code, owner}) !=
           std::end(territories);
}

std::uint32_t PlaceEvidence::country_of(std::size_t mention) const {
    const auto named =
        std::find_if(countries_.begin(), countries_.end(),
                     [&](const NamedCountry& country) { return country.mention == mention; });
    return named == countries_.end() ? none_index : named->country;
}

double PlaceEvidence::names_country(std::uint32_t country, std::size_t mention) const {
    double weight = 0;
    for (const NamedCountry& named : countries_) {
        if (named.mention != mention && is_or_has(named.country, country)) {
            weight = std::max(weight, named.weight);
        }
    }
    return weight;
}

double PlaceEvidence::names_other_country(std::uint32_t country, std::size_t mention) const {
    double weight = 0;
    for (const NamedCountry& named : countries_) {
        if (named.mention == mention) continue;
        if (is_or_has(named.country, country)) return 0;
        weight = std::max(weight, named.weight);
    }
    return weight;
}

double PlaceEvidence::names_region(std::uint32_t region, std::size_t mention) const {
    double weight = 0;
    for (std::size_t i = 0; i < mentions_.size(); ++i) {
        if (!tells(i, mention) || is_country_[i] || !contains(groups_[i].regions, region)) continue;
        const bool same_text = mentions_[i].in_title == mentions_[mention].in_title;
        weight = std::max(weight, same_text ? 1.0 : 0.7);
    }
    return weight;
}

double PlaceEvidence::names_district(std::uint32_t district, std::size_t mention) const {
    for (std::size_t i = 0; i < mentions_.size(); ++i) {
        if (tells(i, mention) && contains(groups_[i].districts, district)) {
            return mentions_[i].region || mentions_[mention].chained == i ? 1.0 : 0.6;
        }
    }
    return 0;
}

double PlaceEvidence::names_neighbour(std::uint32_t region, std::size_t mention) const {
    double weight = 0;
    for (std::size_t i = 0; i < mentions_.size(); ++i) {
        if (!tells(i, mention) || groups_[i].key == groups_[mention].key || is_country_[i])
            continue;
        if (!contains(groups_[i].city_regions, region)) continue;
        const bool linked = mentions_[i].chained == mention || mentions_[mention].chained == i;
        weight = std::max(weight, linked ? 1.0 : 0.5);
    }
    return weight;
}

bool PlaceEvidence::chains_to_region(std::uint32_t region, std::size_t mention) const {
    const std::size_t next = mentions_[mention].chained;
    return next != Mention::npos && !is_country_[next] && contains(groups_[next].regions, region);
}

bool PlaceEvidence::may_be_region(std::uint32_t region, std::size_t mention) const {
    return contains(groups_[mention].regions, region);
}

bool PlaceEvidence::chains_to_other_region(std::uint32_t region, std::size_t mention) const {
    const std::size_t next = mentions_[mention].chained;
    if (next == Mention::npos || is_country_[next] || groups_[next].regions.empty()) return false;
    if (contains(groups_[next].regions, region)) return false;
    const auto& entries = mentions_[next].entries;
    return mentions_[mention].distance_before ||
           std::any_of(entries.begin(), entries.end(), [](const NameEntry& entry) {
               return entry.meaning == Meaning::abbreviation;
           });
}

bool PlaceEvidence::chains_to_country(std::uint32_t country, std::size_t mention) const {
    const std::size_t next = mentions_[mention].chained;
    return std::any_of(countries_.begin(), countries_.end(), [&](const NamedCountry& named) {
        return named.mention == next && is_or_has(named.country, country) && !named.demonym;
    });
}

bool PlaceEvidence::chains_elsewhere(std::uint32_t country, std::size_t mention) const {
    const std::size_t next = mentions_[mention].chained;
    return std::any_of(countries_.begin(), countries_.end(), [&](const NamedCountry& named) {
        return named.mention == next && !is_or_has(named.country, country) && !named.demonym;
    });
}

}  // namespace headpond::ingest
