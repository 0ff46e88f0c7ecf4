#include "gazetteer/place_rank.h"

#include "gazetteer/gazetteer.h"
#include "gazetteer/place_evidence.h"

#include <algorithm>
#include <utility>

namespace headpond::ingest {
namespace {

// Points, as in place_score.cpp.
constexpr double place_enough = 7.75;
constexpr double country_enough = 4;
constexpr double nested_within = 7;  // a city of the best region is preferred up to so much below
constexpr double area_radius_km = 600;
constexpr double rival_within = 1.2;
constexpr std::size_t countries_listed_min = 4;

class Ranker {
  public:
    Ranker(std::vector<Mention> title, std::vector<Mention> summary, const PlaceHints& hints,
           const GazetteerData& data)
        : data_(data),
          evidence_(std::move(title), std::move(summary), hints, data),
          candidates_(score_places(evidence_, hints, data)) {}

    std::optional<Candidate> run() {
        const std::optional<Candidate> country = middle_of_list(best_country());
        std::optional<Candidate> place = best_place(true);
        if (!place) place = best_place(false);
        if (!place) place = best_issuer();
        if (!place) return country;
        if (!country || country->country == place->country) return place;
        if (country->meaning != Meaning::country) return place;
        // A title that names one country is not about a place in another one.
        const bool title = evidence_.mentions()[country->mention].in_title &&
                           !evidence_.mentions()[place->mention].in_title;
        if (title && !title_names(place->country)) return country;
        if (place->country_named) return place;
        return place->score > country->score ? place : country;
    }

    bool title_names(std::uint32_t country) const {
        const std::vector<NamedCountry>& named = evidence_.countries();
        return std::any_of(named.begin(), named.end(), [&](const NamedCountry& other) {
            return other.country == country && !other.demonym &&
                   evidence_.mentions()[other.mention].in_title;
        });
    }

  private:
    std::optional<Candidate> best_country() const {
        std::optional<Candidate> best;
        for (const Candidate& candidate : candidates_) {
            if (!is_country(candidate.meaning) || candidate.score < country_enough) continue;
            if (!best || is_better_country(candidate, *best)) best = candidate;
        }
        return best;
    }

    // What concerns many countries is placed in the middle one, not in the first of the alphabet.
    std::optional<Candidate> middle_of_list(std::optional<Candidate> first) const {
        if (!first) return first;
        std::vector<const Candidate*> list;
        std::size_t next = first->mention;
        for (const Candidate& candidate : candidates_) {
            if (candidate.meaning != Meaning::country || candidate.mention != next) continue;
            if (candidate.score < country_enough || candidate.city == none_index) continue;
            if (list.empty() || follows(candidate.mention)) {
                list.push_back(&candidate);
                ++next;
            }
        }
        if (list.size() < countries_listed_min) return first;
        const auto sum = [&](const Candidate* from) {
            double km = 0;
            for (const Candidate* to : list) km += km_between(from->city, to->city);
            return km;
        };
        return **std::min_element(
            list.begin(), list.end(),
            [&](const Candidate* a, const Candidate* b) { return sum(a) < sum(b); });
    }

    // Whether a mention comes directly behind the one before it, or with an "and" between.
    bool follows(std::size_t mention) const {
        const Mention& before = evidence_.mentions()[mention - 1];
        const Mention& here = evidence_.mentions()[mention];
        return before.in_title == here.in_title && here.first - before.last <= 1;
    }

    double km_between(std::uint32_t one, std::uint32_t other) const {
        const CityRow& a = data_.cities()[one];
        const CityRow& b = data_.cities()[other];
        return distance_km(static_cast<double>(a.latitude), static_cast<double>(a.longitude),
                           static_cast<double>(b.latitude), static_cast<double>(b.longitude));
    }

    // Of one mention the larger country (the two Congos).
    bool is_better_country(const Candidate& candidate, const Candidate& best) const {
        if (candidate.mention == best.mention && candidate.meaning == best.meaning) {
            return data_.countries()[candidate.index].population >
                   data_.countries()[best.index].population;
        }
        return candidate.score > best.score;
    }

    bool is_place(const Candidate& candidate, bool in_title) const {
        const Mention& here = evidence_.mentions()[candidate.mention];
        return !is_country(candidate.meaning) && here.in_title == in_title && !here.issuer;
    }

    // Who speaks is mostly near: better than nothing.
    std::optional<Candidate> best_issuer() const {
        std::optional<Candidate> best;
        for (const Candidate& candidate : candidates_) {
            if (is_country(candidate.meaning) || candidate.score < place_enough) continue;
            if (!evidence_.mentions()[candidate.mention].issuer) continue;
            if (!best || candidate.score > best->score) best = candidate;
        }
        return best;
    }

    std::optional<Candidate> best_place(bool in_title) const {
        const Candidate* best = nullptr;
        for (const Candidate& candidate : candidates_) {
            if (!is_place(candidate, in_title) || candidate.score < place_enough) continue;
            if (best == nullptr || candidate.score > best->score) best = &candidate;
        }
        if (best == nullptr) return std::nullopt;
        const double score = best->score;
        for (int depth = 0; depth < 2; ++depth) best = nested_in(*best, in_title);
        best = suburb_of(*best);
        Candidate result = *best;
        result.score = std::max(result.score, score);
        const Mention& here = evidence_.mentions()[result.mention];
        result.away_km = here.away_km;
        result.away_degrees = here.away_degrees;
        for (const Candidate& other : candidates_) {
            if (other.mention == result.mention && is_city(other.meaning) &&
                other.city != result.city && other.score + rival_within > best->score) {
                result.rivalled = true;
            }
        }
        return result;
    }

    bool is_within(const Candidate& inner, const Candidate& outer) const {
        const bool city = is_city(inner.meaning);
        switch (outer.meaning) {
            case Meaning::district:
                return city && inner.district == outer.district;
            case Meaning::region:
                return (city || inner.meaning == Meaning::district) && inner.region == outer.region;
            case Meaning::area: {
                if (!city || inner.country != outer.country) return false;
                const AreaRow& area = data_.areas()[outer.index];
                const CityRow& row = data_.cities()[inner.city];
                return distance_km(static_cast<double>(area.latitude),
                                   static_cast<double>(area.longitude),
                                   static_cast<double>(row.latitude),
                                   static_cast<double>(row.longitude)) < area_radius_km;
            }
            default:
                return false;
        }
    }

    // "Butte, Montana": the city, though the state's name may score more.
    const Candidate* nested_in(const Candidate& outer, bool in_title) const {
        const Candidate* inner = &outer;
        if (is_city(outer.meaning)) return inner;
        for (const Candidate& candidate : candidates_) {
            if (!is_within(candidate, outer) || !is_place(candidate, in_title)) continue;
            if (candidate.score < std::max(place_enough, outer.score - nested_within)) continue;
            if (inner == &outer || candidate.score > inner->score) inner = &candidate;
        }
        return inner;
    }

    // "Brixton, London": the place that the best one is named to explain.
    const Candidate* suburb_of(const Candidate& city) const {
        const Candidate* suburb = &city;
        if (!is_city(city.meaning)) return suburb;
        for (const Candidate& candidate : candidates_) {
            if (evidence_.mentions()[candidate.mention].chained != city.mention) continue;
            if (!is_city(candidate.meaning) || candidate.score < place_enough) continue;
            if (candidate.region != city.region || candidate.city == city.city) continue;
            if (suburb == &city || candidate.score > suburb->score) suburb = &candidate;
        }
        return suburb;
    }

    const GazetteerData& data_;
    PlaceEvidence evidence_;
    std::vector<Candidate> candidates_;  // of evidence_
};

}  // namespace

std::optional<Candidate> rank_places(std::vector<Mention> title_mentions,
                                     std::vector<Mention> summary_mentions, const PlaceHints& hints,
                                     const GazetteerData& data) {
    return Ranker(std::move(title_mentions), std::move(summary_mentions), hints, data).run();
}

}  // namespace headpond::ingest
