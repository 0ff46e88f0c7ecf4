#include "gazetteer/place_score.h"

#include <algorithm>
#include <cmath>

namespace headpond::ingest {
namespace {

// Points. A city starts from its population (1 000: 5, 15 000: 6.7, 1 million: 9.6), a region or
// country from what such a name is worth alone. What says where a place is adds, what says that the
// word is no place or another one takes away. The values were set by trial on the labelled
// headlines of tests/ingest/data; their order of size matters more than their decimals.
constexpr double population_factor = 1.6;
constexpr double population_offset = 300;
constexpr double population_unknown = 3000;  // what a 0 in the data stands for
constexpr double small_city = -1.5;
constexpr std::uint32_t small_city_below = 15000;
constexpr double alternate_name = -1.5;
constexpr double region_offset = -1.2;  // a region starts from the population of its cities too,
constexpr double region_least = 5;      // from this
constexpr double region_most = 9.2;     // up to this
constexpr double abbreviation_base = 6.8;
constexpr double subdivision_base = 6.5;
constexpr double district_base = 5.5;
constexpr double area_base = 7.5;
constexpr double country_base = 7;
constexpr double demonym_base = 4.5;

constexpr double title = 1;
constexpr double later_mention = -0.15;
constexpr double place_word_before = 1.5;
constexpr double origin_word_before = -1;
constexpr double distance_phrase = 3;
constexpr double distance_to_unknown_in = 2;
constexpr double not_there = -12;  // "20 km N of Santiago, Philippines" is no other Santiago
constexpr double kind_fits = 2.5;
constexpr double kind_differs = -2;

constexpr double country_named = 4;
constexpr double country_chained = 3;
constexpr double other_country_named = -3;
constexpr double other_country_named_elsewhere = -1.5;  // "talks on Syria in Geneva"
constexpr double other_country_chained = -5;
constexpr double region_named = 3.5;
constexpr double region_chained = 2;
constexpr double district_named = 3;
constexpr double neighbour_named = 1.2;
constexpr double tag_agrees = 3;
constexpr double tag_differs = -1.5;
constexpr double local_source_differs = -4;  // small places abroad are not what it speaks of
constexpr double link_agrees = 2;
constexpr double link_government_agrees = 3;
constexpr double link_differs = -1;
constexpr double link_region_agrees = 1.5;
constexpr double only_place_of_name = 0.7;
constexpr double only_place_of_long_name = 1.4;
constexpr std::size_t long_name_bytes_min = 6;

constexpr double stop_word = -7;
constexpr double colour_word = -6;
constexpr double colour_word_in_place = -3.5;
constexpr double common_word = -3.5;
constexpr double common_word_large = -1.5;
constexpr std::uint32_t large_city = 300000;
constexpr double doubtful_capital = -1.5;
constexpr double person = -6;
constexpr double also_person = -2;  // "Jackson", "Chelsea", unless a preposition stands before
constexpr std::uint32_t also_person_below = 1000000;
constexpr double part_of_name = -2;
constexpr double outshone = -2;  // Bali is the island's province, not the town in West Bengal
constexpr double feature_name = -4;
constexpr double feature_name_large = -1.5;
constexpr double incident_name = -4;
constexpr double longer_name = -3;
constexpr double volcano_not_spoken_of = -6;
constexpr double volcano_spoken_of = 2;

class Scorer {
  public:
    Scorer(const PlaceEvidence& evidence, const PlaceHints& hints, const GazetteerData& data)
        : evidence_(evidence), hints_(hints), data_(data) {}

    std::vector<Candidate> run() {
        for (std::size_t i = 0; i < evidence_.mentions().size(); ++i) read(i);
        return std::move(candidates_);
    }

  private:
    void read(std::size_t mention) {
        const Mention& here = evidence_.mentions()[mention];
        for (const NameEntry& entry : here.entries) {
            if (evidence_.is_country(mention) && !is_country(entry.meaning)) continue;
            if (entry.meaning == Meaning::subdivision && is_known_better(entry, here)) continue;
            if (is_city(entry.meaning) && is_known_as_area(entry, here)) continue;
            if (entry.meaning == Meaning::alternate && is_name_of_region(entry, here)) continue;
            if (is_city(entry.meaning) && evidence_.is_region(mention) &&
                !evidence_.may_be_region(data_.cities()[entry.index].region, mention)) {
                continue;
            }
            Candidate candidate = describe(entry);
            candidate.mention = mention;
            candidate.part = here.part;
            candidate.part_degrees = here.part_degrees;
            if (is_country(entry.meaning)) {
                rate_country(candidate, here);
            } else {
                rate_place(candidate, here);
            }
            candidates_.push_back(candidate);
        }
    }

    // A volcano or an island is better known than the village that is called like it.
    bool is_known_as_area(const NameEntry& city, const Mention& here) const {
        return data_.cities()[city.index].population < small_city_below &&
               std::any_of(here.entries.begin(), here.entries.end(), [&](const NameEntry& entry) {
                   return entry.meaning == Meaning::area &&
                          (!data_.areas()[entry.index].volcano || here.volcano);
               });
    }

    // Bihar is the region, though a city there is sometimes called so too.
    bool is_name_of_region(const NameEntry& alternate, const Mention& here) const {
        const std::uint32_t region = data_.cities()[alternate.index].region;
        return std::any_of(here.entries.begin(), here.entries.end(), [&](const NameEntry& entry) {
            return entry.meaning == Meaning::region && entry.index == region;
        });
    }

    // Whether there is one city of the name at most, and all that is called so is in one country.
    bool is_only_of_name(const Mention& here) const {
        const auto cities =
            std::count_if(here.entries.begin(), here.entries.end(),
                          [](const NameEntry& entry) { return is_city(entry.meaning); });
        if (cities > 1) return false;
        const std::uint32_t country = describe(here.entries.front()).country;
        return std::all_of(here.entries.begin(), here.entries.end(), [&](const NameEntry& entry) {
            return describe(entry).country == country;
        });
    }

    // A subdivision has no position of its own: a city or district of its name and country has.
    bool is_known_better(const NameEntry& subdivision, const Mention& here) const {
        const std::uint32_t country = data_.subdivisions()[subdivision.index].country;
        return std::any_of(here.entries.begin(), here.entries.end(), [&](const NameEntry& entry) {
            const bool placed = is_city(entry.meaning) || entry.meaning == Meaning::district;
            return placed && describe(entry).country == country;
        });
    }

    Candidate describe(const NameEntry& entry) const {
        Candidate candidate;
        candidate.meaning = entry.meaning;
        candidate.index = entry.index;
        switch (entry.meaning) {
            case Meaning::country:
            case Meaning::demonym:
            case Meaning::nationality:
                candidate.country = entry.index;
                candidate.city = data_.countries()[entry.index].city;
                break;
            case Meaning::region:
            case Meaning::abbreviation:
                candidate.region = entry.index;
                candidate.country = data_.regions()[entry.index].country;
                candidate.city = data_.regions()[entry.index].city;
                break;
            case Meaning::subdivision:
                candidate.country = data_.subdivisions()[entry.index].country;
                candidate.city = data_.countries()[candidate.country].city;
                break;
            case Meaning::district:
            case Meaning::county:
                candidate.district = entry.index;
                candidate.region = data_.districts()[entry.index].region;
                candidate.country = data_.regions()[candidate.region].country;
                candidate.city = data_.districts()[entry.index].city;
                break;
            case Meaning::city:
            case Meaning::alternate:
                candidate.city = entry.index;
                candidate.region = data_.cities()[entry.index].region;
                candidate.district = data_.cities()[entry.index].district;
                candidate.country = data_.country_of_city(entry.index);
                break;
            case Meaning::area:
                candidate.country = data_.areas()[entry.index].country;
                break;
            case Meaning::skip:
                break;
        }
        return candidate;
    }

    void rate_country(Candidate& candidate, const Mention& here) const {
        const bool demonym = candidate.meaning != Meaning::country || here.adjective;
        if (candidate.meaning == Meaning::country && !evidence_.is_country(candidate.mention))
            return;
        candidate.score = (demonym ? demonym_base : country_base) + position(candidate, here);
        if (demonym) candidate.meaning = Meaning::demonym;
        if (here.border_with != Mention::npos) {
            candidate.border = evidence_.country_of(here.border_with);
        }
        if (here.part_of_name) candidate.score += part_of_name;
        if (here.stop) candidate.score += stop_word;
    }

    double position(const Candidate& candidate, const Mention& here) const {
        double score = here.in_title ? title : 0;
        score += later_mention * std::min(10.0, static_cast<double>(candidate.mention));
        if (here.place_before) score += place_word_before;
        if (here.origin_before) score += origin_word_before;
        return score;
    }

    double base(const Candidate& candidate) const {
        switch (candidate.meaning) {
            case Meaning::region: {
                const auto population =
                    static_cast<double>(data_.regions()[candidate.region].population);
                const double known = population_factor * std::log10(population + population_offset);
                return std::clamp(known + region_offset, region_least, region_most);
            }
            case Meaning::abbreviation:
                return abbreviation_base;
            case Meaning::subdivision:
                return subdivision_base;
            case Meaning::district:
            case Meaning::county:
                return district_base;
            case Meaning::area:
                return area_base;
            case Meaning::city:
            case Meaning::alternate: {
                const std::uint32_t population = data_.cities()[candidate.city].population;
                const double known = population == 0 ? population_unknown : population;
                double score = population_factor * std::log10(known + population_offset);
                if (population < small_city_below) score += small_city;
                if (candidate.meaning == Meaning::alternate) score += alternate_name;
                return score;
            }
            default:
                return 0;
        }
    }

    void rate_place(Candidate& candidate, const Mention& here) const {
        if (candidate.meaning == Meaning::abbreviation && !stands_alone(candidate, here)) return;
        candidate.score = base(candidate) + position(candidate, here) + doubt(candidate, here);
        if (is_only_of_name(here)) {
            const bool long_name =
                is_city(candidate.meaning) && !here.common &&
                data_.cities()[candidate.city].name.size() >= long_name_bytes_min;
            candidate.score += long_name ? only_place_of_long_name : only_place_of_name;
        }
        if (here.distance_before) candidate.score += distance_phrase;
        if (here.distance_in && !is_city(candidate.meaning)) {
            candidate.score += distance_to_unknown_in;
        }
        if (is_volcano(candidate)) {
            const bool country = candidate.country != none_index &&
                                 evidence_.chains_to_country(candidate.country, candidate.mention);
            candidate.score += here.volcano ? volcano_spoken_of
                               : country    ? 0
                                            : volcano_not_spoken_of;
        }
        if (here.settlement) candidate.score += is_city(candidate.meaning) ? kind_fits : 0;
        if (here.region) candidate.score += is_city(candidate.meaning) ? kind_differs : kind_fits;
        rate_surroundings(candidate);
        rate_hints(candidate);
    }

    bool is_volcano(const Candidate& candidate) const {
        return candidate.meaning == Meaning::area && data_.areas()[candidate.index].volcano;
    }

    // Of a region and a city of one name that lies elsewhere, the more populous is better known.
    bool is_outshone(const Candidate& candidate, const Mention& here) const {
        const bool city = is_city(candidate.meaning);
        if (!city && candidate.meaning != Meaning::region) return false;
        return std::any_of(here.entries.begin(), here.entries.end(), [&](const NameEntry& other) {
            if (city && other.meaning == Meaning::region) {
                return other.index != candidate.region &&
                       data_.regions()[other.index].population >
                           data_.cities()[candidate.city].population;
            }
            return !city && is_city(other.meaning) &&
                   data_.cities()[other.index].region != candidate.region &&
                   data_.country_of_city(other.index) == candidate.country &&
                   data_.cities()[other.index].population >= large_city &&
                   !evidence_.is_region(candidate.mention);
        });
    }

    // An abbreviation is evidence for what stands before it. It is the place itself where that is
    // unknown ("12 km N of Nowhere, CA"), or where it stands alone ("Calif. fire").
    bool stands_alone(const Candidate& candidate, const Mention& here) const {
        if (here.dotted || here.distance_in) return true;
        return here.follows_unknown && (hints_.tag_country == candidate.country ||
                                        hints_.link_country == candidate.country);
    }

    // What speaks against the word being a place at all.
    double doubt(const Candidate& candidate, const Mention& here) const {
        double score = 0;
        const bool city = is_city(candidate.meaning);
        const bool large = city && data_.cities()[candidate.city].population >= large_city;
        if (candidate.meaning == Meaning::county) return here.person ? person : 0;
        if (city && here.feature) score += large ? feature_name_large : feature_name;
        if (city && here.incident && !large) score += incident_name;
        if (city && here.longer_name && !large) score += longer_name;
        if (is_volcano(candidate) && here.volcano) return here.person ? person : 0;
        if (is_outshone(candidate, here)) score += outshone;
        if (here.stop && !here.distance_before) score += stop_word;
        if (here.colour) score += here.place_before ? colour_word_in_place : colour_word;
        if (here.common && candidate.meaning != Meaning::region) {
            score += large ? common_word_large : common_word;
            if (here.sentence_start || here.letters != Letters::mixed) score += doubtful_capital;
        }
        if (here.letters == Letters::lower) score += doubtful_capital;
        if (here.person) score += person;
        const bool famous = is_city(candidate.meaning) &&
                            data_.cities()[candidate.city].population >= also_person_below;
        if (here.also_person && !here.place_before && !famous) score += also_person;
        if (here.part_of_name) score += part_of_name;
        return score;
    }

    void rate_surroundings(Candidate& candidate) const {
        const std::size_t mention = candidate.mention;
        if (candidate.country != none_index) {
            const double named = evidence_.names_country(candidate.country, mention);
            candidate.country_named = named > 0.5;
            candidate.score += country_named * named;
            const bool in_place = evidence_.mentions()[mention].place_before;
            candidate.score += (in_place ? other_country_named_elsewhere : other_country_named) *
                               evidence_.names_other_country(candidate.country, mention);
            if (evidence_.chains_to_country(candidate.country, mention)) {
                candidate.score += country_chained;
            } else if (evidence_.chains_elsewhere(candidate.country, mention)) {
                const bool distance = evidence_.mentions()[mention].distance_before;
                candidate.score += distance ? not_there : other_country_chained;
            }
        }
        if (candidate.region == none_index) return;
        const bool within_region = candidate.meaning != Meaning::region;
        double region = 0;
        if (within_region) {
            region = evidence_.names_region(candidate.region, mention);
            candidate.score +=
                neighbour_named * evidence_.names_neighbour(candidate.region, mention);
        }
        if (evidence_.chains_to_region(candidate.region, mention) && within_region) {
            candidate.score += region_chained;
        } else if (evidence_.chains_to_other_region(candidate.region, mention)) {
            const bool distance = evidence_.mentions()[mention].distance_before;
            candidate.score += distance ? not_there : other_country_chained;
        }
        candidate.score += region_named * region;
        const double district = is_city(candidate.meaning) && candidate.district != none_index
                                    ? evidence_.names_district(candidate.district, mention)
                                    : 0;
        candidate.score += district_named * district;
        candidate.region_named = region > 0 || district > 0;
    }

    void rate_hints(Candidate& candidate) const {
        if (candidate.country == none_index) return;
        if (hints_.tag_country != none_index) {
            const bool agrees = hints_.tag_country == candidate.country;
            const bool local = hints_.tag_country_stated && is_unexpected(candidate);
            candidate.score += agrees ? tag_agrees : local ? local_source_differs : tag_differs;
            candidate.hinted = agrees;
        }
        if (hints_.tag_city != none_index &&
            data_.cities()[hints_.tag_city].region == candidate.region) {
            candidate.score += neighbour_named;
        }
        if (hints_.link_country == none_index) return;
        const bool agrees = hints_.link_country == candidate.country;
        const double agreement = hints_.link_government ? link_government_agrees : link_agrees;
        const bool local = hints_.link_government && is_unexpected(candidate);
        candidate.score += agrees ? agreement : local ? local_source_differs : link_differs;
        if (hints_.link_region != none_index && hints_.link_region == candidate.region) {
            candidate.score += link_region_agrees;
        }
        candidate.hinted = candidate.hinted || agrees;
    }

    // Whether a source that speaks of one country would name this place elsewhere only with its
    // country.
    bool is_unexpected(const Candidate& candidate) const {
        if (candidate.country_named) return false;
        return !is_city(candidate.meaning) ||
               data_.cities()[candidate.city].population < also_person_below;
    }

    const PlaceEvidence& evidence_;
    const PlaceHints& hints_;
    const GazetteerData& data_;
    std::vector<Candidate> candidates_;
};

}  // namespace

std::vector<Candidate> score_places(const PlaceEvidence& evidence, const PlaceHints& hints,
                                    const GazetteerData& data) {
    return Scorer(evidence, hints, data).run();
}

}  // namespace headpond::ingest
