#include "gazetteer/place_match.h"

#include "gazetteer/place_distance.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace headpond::ingest {
namespace {

constexpr std::size_t words_max = 6;  // of a name

// Of a text. What comes later adds nothing, and each is compared with each.
constexpr std::size_t mentions_max = 60;

constexpr std::size_t cities_max = 40;  // of one name, the largest; there are 60 places San Jose

class Matcher {
  public:
    Matcher(const TokenText& text, bool in_title, const GazetteerData& data)
        : tokens_(text.tokens), letters_(text.letters), in_title_(in_title), data_(data) {
        words_.reserve(tokens_.size());
        for (const Token& token : tokens_) words_.push_back(data.word(token.key));
    }

    std::vector<Mention> run() {
        for (std::size_t i = 0; i < tokens_.size();) {
            Mention found = longest_at(i);
            if (found.last == 0) {
                ++i;
                continue;
            }
            i = found.last;
            if (mentions_.size() == mentions_max) break;
            found.stop = is_stop(found);
            const bool explained = i < tokens_.size() && tokens_[i].separator == ',';
            if (found.entries.empty() || (found.stop && !explained)) continue;
            mentions_.push_back(std::move(found));
        }
        drop_counties();
        about_volcano_ = is_about_volcano();
        for (Mention& mention : mentions_) describe(mention);
        chain();
        find_borders();
        return std::move(mentions_);
    }

  private:
    bool is(Word word, std::size_t token) const {
        return token < tokens_.size() && (words_[token] & static_cast<std::uint32_t>(word)) != 0;
    }

    bool is_name_character(char separator) const { return separator == ' ' || separator == '-'; }

    // Whether the capitals of tokens [first, last) allow a name in this text.
    bool is_capitalised(std::size_t first, std::size_t last) const {
        if (letters_ == Letters::lower) return true;
        // "south of the Fiji Islands" begins small.
        const auto leads = [&](std::size_t i) {
            const std::string& key = tokens_[i].key;
            return is(Word::direction, i) || key == "of" || key == "the" || key == "off" ||
                   key == "near";
        };
        while (first + 1 < last && !tokens_[first].capital && leads(first)) ++first;
        if (!tokens_[first].capital) return !has_capitals(first);
        for (std::size_t i = first + 1; i < last; ++i) {
            const Token& token = tokens_[i];
            const bool hyphenated = token.separator == '-';  // "Port-au-Prince"
            const bool particle =
                token.key.size() <= 3 || is(Word::particle, i);  // "Dar es Salaam"
            if (!token.capital && !token.number && !hyphenated && !particle) return false;
        }
        const Token& end = tokens_[last - 1];
        return end.capital || end.number || end.separator == '-';
    }

    // Short all-capital words of a mixed text are acronyms; short names of countries and regions
    // must be written as such ("US" is a country, "us" and "Us" are not).
    bool is_acceptable(std::size_t first, std::size_t last, const NameEntry& entry) const {
        const Token& token = tokens_[first];
        if (last - first > 1 || token.elided.size() > 3) return true;
        const bool code = entry.meaning == Meaning::country || entry.meaning == Meaning::region ||
                          entry.meaning == Meaning::demonym;
        if (entry.meaning == Meaning::abbreviation) return is_abbreviation(first, entry.index);
        if (entry.meaning == Meaning::nationality) {
            return letters_ != Letters::lower && token.key.size() > 3;
        }
        if (entry.meaning == Meaning::county) return letters_ != Letters::lower && token.capital;
        if (token.key.size() <= 3) {
            if (code && token.acronym_dotted) return true;
            if (code && token.all_capitals) return letters_ == Letters::mixed || token.key != "us";
            return !token.all_capitals && !code && token.key.size() == 3;
        }
        const bool acronym = token.all_capitals && token.key.size() == 4 &&
                             letters_ == Letters::mixed && entry.meaning >= Meaning::district;
        return !acronym;
    }

    // "Paris, TX", "Paris TX", and longer ones with their full stop: "Calif. man".
    bool is_abbreviation(std::size_t first, std::uint32_t region) const {
        const Token& token = tokens_[first];
        if (!token.capital) return false;
        if (token.dotted && token.key.size() > 2 && letters_ != Letters::upper) {
            return !is(Word::stop, first) && !is(Word::common, first) &&
                   !is(Word::person_before, first);
        }
        if (first == 0 || (token.key.size() <= 2 && !token.all_capitals)) return false;
        if (token.separator == ',' || token.separator == '(') return true;
        if (!token.all_capitals || letters_ == Letters::upper || mentions_.empty()) return false;
        return mentions_.back().last == first && token.separator == ' ' &&
               has_place_in(mentions_.back(), region);
    }

    bool has_place_in(const Mention& mention, std::uint32_t region) const {
        return std::any_of(mention.entries.begin(), mention.entries.end(),
                           [&](const NameEntry& entry) {
                               switch (entry.meaning) {
                                   case Meaning::county:
                                   case Meaning::district:
                                       return data_.districts()[entry.index].region == region;
                                   case Meaning::city:
                                   case Meaning::alternate:
                                       return data_.cities()[entry.index].region == region;
                                   default:
                                       return false;
                               }
                           });
    }

    // A county without its kind counts only directly before its region: "Harris, TX".
    void drop_counties() {
        for (std::size_t i = 0; i < mentions_.size(); ++i) {
            const Mention* next = i + 1 < mentions_.size() ? &mentions_[i + 1] : nullptr;
            if (next != nullptr &&
                (next->first != mentions_[i].last || tokens_[next->first].separator != ',')) {
                next = nullptr;
            }
            std::erase_if(mentions_[i].entries, [&](const NameEntry& entry) {
                if (entry.meaning != Meaning::county) return false;
                const std::uint32_t region = data_.districts()[entry.index].region;
                return next == nullptr ||
                       std::none_of(next->entries.begin(), next->entries.end(),
                                    [&](const NameEntry& of) {
                                        return (of.meaning == Meaning::region ||
                                                of.meaning == Meaning::abbreviation) &&
                                               of.index == region;
                                    });
            });
        }
        const auto counties =
            std::count_if(mentions_.begin(), mentions_.end(),
                          [](const Mention& mention) { return has(mention, Meaning::county); });
        for (Mention& mention : mentions_) prefer_city(mention, counties > 1);
        std::erase_if(mentions_, [](const Mention& mention) { return mention.entries.empty(); });
    }

    static bool has(const Mention& mention, Meaning meaning) {
        return std::any_of(mention.entries.begin(), mention.entries.end(),
                           [&](const NameEntry& entry) { return entry.meaning == meaning; });
    }

    // "Orange, Texas" is the city, which lies in the county. So is a large one of the name in
    // another county, unless the text lists counties.
    void prefer_city(Mention& mention, bool listed) const {
        constexpr std::uint32_t large = 15000;
        std::erase_if(mention.entries, [&](const NameEntry& county) {
            if (county.meaning != Meaning::county) return false;
            return std::any_of(
                mention.entries.begin(), mention.entries.end(), [&](const NameEntry& entry) {
                    if (entry.meaning != Meaning::city) return false;
                    const CityRow& city = data_.cities()[entry.index];
                    if (city.region != data_.districts()[county.index].region) return false;
                    return city.district == county.index || (!listed && city.population >= large);
                });
        });
    }

    bool is_about_volcano() const {
        for (std::size_t i = 0; i < tokens_.size(); ++i) {
            if (is(Word::kind_volcano, i)) return true;
        }
        return false;
    }

    Mention longest_at(std::size_t first) const {
        Mention found;
        std::span<const NameEntry> entries_found;
        for (const std::string* key : {&tokens_[first].key, &tokens_[first].elided}) {
            if (key->empty()) continue;
            std::uint64_t hash = key_hash(*key);
            const std::size_t end = std::min(first + words_max, tokens_.size());
            for (std::size_t last = first + 1; last <= end; ++last) {
                const std::span<const NameEntry> entries = data_.find(hash);
                const bool capitalised = is_capitalised(first, last);
                if (std::any_of(entries.begin(), entries.end(), [&](const NameEntry& entry) {
                        return (capitalised || entry.meaning == Meaning::nationality) &&
                               is_acceptable(first, last, entry);
                    })) {
                    found.first = first;
                    found.last = last;
                    entries_found = entries;
                }
                if (last == end || !is_name_character(tokens_[last].separator)) break;
                hash = key_hash_next_word(hash, tokens_[last].key);
            }
            if (found.last != 0) break;
        }
        if (found.last == 0) entries_found = german_genitive_at(first, found);
        found.in_title = in_title_;
        found.letters = letters_;
        keep_entries(found, entries_found);
        return found;
    }

    // "Brasiliens" is of the country Brasilien.
    std::span<const NameEntry> german_genitive_at(std::size_t first, Mention& found) const {
        constexpr std::size_t bytes_min = 6;
        const std::string_view key = tokens_[first].key;
        if (key.size() < bytes_min || !key.ends_with('s') || !tokens_[first].capital) return {};
        const std::span<const NameEntry> entries =
            data_.find(key_hash(key.substr(0, key.size() - 1)));
        if (entries.empty() || entries.front().meaning != Meaning::country) return {};
        found.first = first;
        found.last = first + 1;
        return entries.first(1);
    }

    // Leaves no entries when the name is a phrase to skip.
    void keep_entries(Mention& mention, std::span<const NameEntry> entries) const {
        const bool capitalised = mention.last != 0 && is_capitalised(mention.first, mention.last);
        for (const NameEntry& entry : entries) {
            if (entry.meaning == Meaning::skip) {
                mention.entries.clear();
                return;
            }
            if (!capitalised && entry.meaning != Meaning::nationality) continue;
            if (is_acceptable(mention.first, mention.last, entry)) mention.entries.push_back(entry);
        }
        const auto is_city = [](const NameEntry& entry) {
            return entry.meaning == Meaning::city || entry.meaning == Meaning::alternate;
        };
        // "Chino, California" is no Spanish word.
        if (std::any_of(mention.entries.begin(), mention.entries.end(), is_city)) {
            std::erase_if(mention.entries, [](const NameEntry& entry) {
                return entry.meaning == Meaning::nationality;
            });
        }
        const auto first =
            std::stable_partition(mention.entries.begin(), mention.entries.end(),
                                  [&](const NameEntry& entry) { return !is_city(entry); });
        std::stable_sort(first, mention.entries.end(), [&](const NameEntry& a, const NameEntry& b) {
            return data_.cities()[a.index].population > data_.cities()[b.index].population;
        });
        const auto cities = static_cast<std::size_t>(mention.entries.end() - first);
        if (cities > cities_max)
            mention.entries.resize(mention.entries.size() - cities + cities_max);
    }

    // Words like "Metro" and "South East". Countries and areas are named by less doubtful ones.
    bool is_stop(const Mention& mention) const {
        if (std::all_of(mention.entries.begin(), mention.entries.end(), [](const NameEntry& entry) {
                return entry.meaning == Meaning::abbreviation;
            })) {
            return false;  // "IN", "OR"
        }
        for (std::size_t i = mention.first; i < mention.last; ++i) {
            if (!is(Word::stop, i) && !is(Word::direction, i) && !is(Word::kind_region, i) &&
                !is(Word::kind_settlement, i)) {
                return false;
            }
        }
        return std::none_of(
            mention.entries.begin(), mention.entries.end(), [&](const NameEntry& entry) {
                return mention.last - mention.first > 1 &&
                       (entry.meaning == Meaning::country || entry.meaning == Meaning::area);
            });
    }

    void describe(Mention& mention) const {
        const Token& token = tokens_[mention.first];
        const bool single = mention.last - mention.first == 1;
        mention.colour = single && is(Word::colour, mention.first);
        mention.common =
            single && is(Word::common, mention.first) && !mention.colour && !token.acronym_dotted;
        mention.also_person =
            single && (is(Word::given_name, mention.first) || is(Word::surname, mention.first));
        mention.dotted = single && token.dotted;
        mention.sentence_start = token.separator == '.' || token.separator == '"';
        mention.region = !single && (is(Word::kind_region, mention.first) ||
                                     is(Word::kind_region, mention.last - 1));
        mention.volcano = about_volcano_;
        describe_before(mention);
        describe_after(mention);
        describe_unknown_before(mention);
        if (mention.first == 0 && is_dateline(mention)) mention.place_before = true;
        if (single && mention.last < tokens_.size() && token.all_capitals &&
            token.key.size() <= 3 && letters_ == Letters::mixed) {
            const Token& next = tokens_[mention.last];
            mention.adjective = next.separator != ',' && next.separator != '.' &&
                                next.separator != '(' && !next.capital && !next.number &&
                                next.key.size() > 3;
        }
    }

    // "WASHINGTON (AP) - ..."
    bool is_dateline(const Mention& mention) const {
        return letters_ == Letters::mixed && tokens_[mention.first].all_capitals &&
               mention.last < tokens_.size() && tokens_[mention.last].separator == '(';
    }

    // Steps back over "the", directions and "coast of": "off the north coast of X" is "off X".
    void describe_before(Mention& mention) const {
        if (mention.first == 0) return;
        const bool joined = [&] {
            const char separator = tokens_[mention.first].separator;
            return separator == ' ' || separator == '-' || separator == '"';
        }();
        if (!joined) return;
        std::size_t i = mention.first;
        bool of = false;
        bool direction = false;
        while (i > 0) {
            const std::size_t before = i - 1;
            const std::string& key = tokens_[before].key;
            const bool passable = key == "the" || key == "of" || is(Word::direction, before) ||
                                  is(Word::kind_settlement, before) ||
                                  is(Word::kind_region, before) || is_joint(before);
            if (!passable || is(Word::place_before, before)) break;
            of = of || key == "of" || is_joint(before);
            direction = direction || is(Word::direction, before);
            if (before + 1 == mention.first) read_part(mention, before);
            mention.settlement = mention.settlement || (of && is(Word::kind_settlement, before));
            mention.region = mention.region || (of && is(Word::kind_region, before));
            i = before;
            if (tokens_[i].separator != ' ' && tokens_[i].separator != '-') return;
        }
        if (i == 0) return;
        const std::size_t before = i - 1;
        mention.place_before = is(Word::place_before, before) || (of && direction);
        mention.origin_before = is(Word::origin_before, before);
        mention.issuer = is(Word::issuer, before) || (before > 0 && tokens_[before].key == "in" &&
                                                      is(Word::issuer, before - 1));
        if (direction) read_distance(mention, before);
        if (i != mention.first) return;
        mention.person = (is(Word::person_before, before) && !tokens_[before].all_capitals) ||
                         (is(Word::given_name, before) && tokens_[before].capital);
        const bool known = is(Word::stop, before) || is(Word::direction, before) ||
                           is(Word::kind_region, before) || is(Word::kind_settlement, before) ||
                           is_mentioned(before);
        const bool first_word =
            tokens_[before].separator == '.' || tokens_[before].separator == '"';
        mention.part_of_name = letters_ == Letters::mixed && tokens_[before].capital && !known &&
                               !first_word && !tokens_[before].all_capitals;
    }

    bool is_unit(std::size_t token) const {
        return is(Word::distance_unit, token) || has_unit(tokens_[token]);
    }

    // "23 km NW de X", "23 km nordwestlich von X": a word like "of" behind a direction.
    bool is_joint(std::size_t token) const {
        static constexpr std::string_view joints[] = {"de", "del", "di", "da", "do", "von"};
        const std::string& key = tokens_[token].key;
        return token > 0 && bearing_of(tokens_[token - 1].key).has_value() &&
               std::find(std::begin(joints), std::end(joints), key) != std::end(joints);
    }

    // "northern X", "southwest X".
    void read_part(Mention& mention, std::size_t before) const {
        if (!is(Word::direction, before) || tokens_[before].key.size() < 4) return;
        const std::optional<double> bearing = bearing_of(tokens_[before].key);
        mention.part = bearing.has_value();
        mention.part_degrees = bearing.value_or(0);
    }

    // "12 km N of Nowhere Springs, X" and "Nowhere Springs, X", where no place of the name is
    // known.
    void describe_unknown_before(Mention& mention) const {
        if (mention.first == 0 || tokens_[mention.first].separator != ',') return;
        constexpr std::size_t name_words_max = 4;
        std::size_t i = mention.first - 1;
        if (!tokens_[i].capital || is(Word::stop, i)) return;
        // "Little America, Wyoming": America is not what stands before the comma.
        for (const Mention& other : mentions_) {
            if (other.last == mention.first && !other.stop && !other.part_of_name) return;
        }
        mention.follows_unknown = true;
        for (std::size_t words = 0; words < name_words_max && i > 1; ++words, --i) {
            const bool joined = tokens_[i].separator == ' ' || tokens_[i].separator == '-';
            if (!joined) return;
            if (tokens_[i - 1].key != "of") continue;
            std::size_t before = i - 2;
            while (before > 0 && is(Word::direction, before)) --before;
            mention.distance_in = before + 2 < i && is_unit(before);
            return;
        }
    }

    // "23 km SSE of X": the unit is token, the number stands before it, the direction behind.
    void read_distance(Mention& mention, std::size_t unit) const {
        if (unit > 0 && !is_unit(unit)) --unit;  // "23 km to the north of X"
        if (!is_unit(unit)) return;
        mention.distance_before = true;
        std::size_t way = unit + 1;
        while (way < mention.first && !is(Word::direction, way)) ++way;
        const bool two_words = way + 1 < mention.first && tokens_[way + 1].separator == '-' &&
                               is(Word::direction, way + 1);
        const std::optional<double> bearing =
            bearing_of(two_words ? tokens_[way].key + tokens_[way + 1].key : tokens_[way].key);
        if (!bearing) return;
        mention.away_km = km_before(tokens_, unit);
        mention.away_degrees = *bearing;
    }

    void describe_after(Mention& mention) const {
        const std::size_t after = mention.last;
        if (after >= tokens_.size()) return;
        const Token& next = tokens_[after];
        if (next.separator == '-' && next.capital && !is_mentioned(after))
            mention.longer_name = true;
        if (next.separator != ' ') return;
        mention.incident = is_incident(mention);
        mention.feature =
            next.capital == (letters_ != Letters::lower) && is(Word::kind_feature, after);
        mention.longer_name = letters_ == Letters::mixed && is(Word::particle, after) &&
                              !next.capital && after + 1 < tokens_.size() && next.key.size() <= 3 &&
                              tokens_[after + 1].separator == ' ' && tokens_[after + 1].capital &&
                              is_romance_particle(next.key);
        mention.settlement = mention.settlement || is(Word::kind_settlement, after);
        mention.region = mention.region || is(Word::kind_region, after);
        if (is(Word::kind_settlement, after) || is(Word::kind_region, after)) return;
        const bool single = mention.last - mention.first == 1;
        const bool given = single && is(Word::given_name, mention.first);
        const bool unknown = next.capital && !next.all_capitals && !is(Word::stop, after) &&
                             !is(Word::common, after) && !is(Word::direction, after) &&
                             !is(Word::kind_institution, after);
        if (given && unknown && !mention.place_before) mention.person = true;
        if (single && is(Word::speech_after, after) && (given || mention.part_of_name)) {
            mention.person = true;
        }
    }

    // "The X Fire", "X Creek Fire" as a whole title: fires are named after what is near their
    // start.
    bool is_incident(const Mention& mention) const {
        constexpr std::size_t words_between_max = 3;
        if (letters_ == Letters::upper || letters_ == Letters::lower) return false;
        for (std::size_t i = mention.last;
             i < tokens_.size() && i <= mention.last + words_between_max; ++i) {
            if (tokens_[i].separator != ' ' || !(tokens_[i].capital || tokens_[i].number)) break;
            if (!is(Word::kind_incident, i)) continue;
            const bool whole = in_title_ && mention.first == 0 &&
                               (i + 1 == tokens_.size() || tokens_[i + 1].separator != ' ');
            return whole || letters_ == Letters::mixed;
        }
        return false;
    }

    static bool is_romance_particle(std::string_view key) {
        static constexpr std::string_view particles[] = {"de", "del", "do", "da", "dos", "das"};
        return std::find(std::begin(particles), std::end(particles), key) != std::end(particles);
    }

    // Whether the script of a word has capitals: Latin (folded to ASCII), Greek and Cyrillic.
    bool has_capitals(std::size_t token) const {
        const auto first = static_cast<unsigned char>(tokens_[token].key[0]);
        return first < 0x80 || (first >= 0xCE && first <= 0xD3);
    }

    bool is_mentioned(std::size_t token) const {
        return std::any_of(mentions_.begin(), mentions_.end(), [&](const Mention& mention) {
            return mention.first <= token && token < mention.last;
        });
    }

    // "X, Y", "X (Y", "X in Y" and "X province, Y": Y says where X is.
    void chain() {
        for (std::size_t i = 0; i + 1 < mentions_.size(); ++i) {
            std::size_t token = mentions_[i].last;
            const std::size_t target = mentions_[i + 1].first;
            bool linked = token == target && tokens_[target].separator != '.';
            while (token < target && target - token <= 3) {
                const std::string& key = tokens_[token].key;
                const bool passable = is(Word::kind_region, token) || key == "in" || key == "the" ||
                                      key == "of" || is(Word::kind_settlement, token) ||
                                      is(Word::direction, token);
                if (!passable || tokens_[token].separator == '.') break;
                ++token;
                linked = token == target && tokens_[target].separator != '.';
            }
            if (!linked || mentions_[i + 1].adjective) continue;
            mentions_[i].chained = i + 1;
            mentions_[i + 1].is_chained = true;
        }
    }

    static bool is_and(std::string_view key) {
        return key == "and" || key == "y" || key == "et" || key == "und" || key == "e" ||
               key == "dan";
    }

    // "X-Y border region", "border of X and Y".
    void find_borders() {
        constexpr std::size_t words_before_max = 3;
        for (std::size_t i = 0; i + 1 < mentions_.size(); ++i) {
            const std::size_t last = mentions_[i].last;
            const std::size_t next = mentions_[i + 1].first;
            const bool joined =
                (last == next && tokens_[next].separator == '-') ||
                (last + 1 == next && is_and(tokens_[last].key) && tokens_[next].separator == ' ');
            if (!joined) continue;
            bool border = is(Word::border, mentions_[i + 1].last);
            const std::size_t first = mentions_[i].first;
            for (std::size_t back = 1; back <= words_before_max && back <= first; ++back) {
                border = border || is(Word::border, first - back);
            }
            if (border) mentions_[i].border_with = i + 1;
        }
    }

    const std::vector<Token>& tokens_;
    const Letters letters_;
    const bool in_title_;
    const GazetteerData& data_;
    std::vector<std::uint32_t> words_;  // of each token
    std::vector<Mention> mentions_;
    bool about_volcano_ = false;
};

}  // namespace

std::vector<Mention> find_mentions(const TokenText& text, bool in_title,
                                   const GazetteerData& data) {
    return Matcher(text, in_title, data).run();
}

}  // namespace headpond::ingest
