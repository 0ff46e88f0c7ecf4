#include "gazetteer/place_match.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace headpond::ingest {
namespace {

constexpr std::size_t words_max = 6;  // of a name

constexpr std::size_t cities_max = 40;  // of one name, the largest; there are 60 places San Jose

constexpr double km_of_mile = 1.609344;
constexpr double away_km_max = 1000;  // a longer way is no phrase of this kind

// The compass bearing of "SSE" or "southeast", in degrees.
std::optional<double> bearing_of(std::string_view word) {
    static constexpr std::pair<std::string_view, double> bearings[] = {
        {"n", 0},       {"nne", 22.5},  {"ne", 45},         {"ene", 67.5},     {"e", 90},
        {"ese", 112.5}, {"se", 135},    {"sse", 157.5},     {"s", 180},        {"ssw", 202.5},
        {"sw", 225},    {"wsw", 247.5}, {"w", 270},         {"wnw", 292.5},    {"nw", 315},
        {"nnw", 337.5}, {"north", 0},   {"northeast", 45},  {"east", 90},      {"southeast", 135},
        {"south", 180}, {"west", 270},  {"southwest", 225}, {"northwest", 315}};
    for (const auto& [name, degrees] : bearings) {
        if (name == word) return degrees;
    }
    return std::nullopt;
}

// 0 for what is no number of at most six digits.
double whole_number(std::string_view digits) {
    int number = 0;
    const auto end = digits.data() + std::min<std::size_t>(digits.size(), 6);
    const auto [stop, error] = std::from_chars(digits.data(), end, number);
    return error == std::errc() && stop == digits.data() + digits.size() ? number : 0;
}

class Matcher {
  public:
    Matcher(const TokenText& text, bool in_title, const GazetteerData& data)
        : tokens_(text.tokens), letters_(text.letters), in_title_(in_title), data_(data) {}

    std::vector<Mention> run() {
        for (std::size_t i = 0; i < tokens_.size();) {
            Mention found = longest_at(i);
            if (found.last == 0) {
                ++i;
                continue;
            }
            i = found.last;
            found.stop = is_stop(found);
            const bool explained = i < tokens_.size() && tokens_[i].separator == ',';
            if (found.entries.empty() || (found.stop && !explained)) continue;
            mentions_.push_back(std::move(found));
        }
        for (Mention& mention : mentions_) describe(mention);
        chain();
        return std::move(mentions_);
    }

  private:
    bool is(Word word, std::size_t token) const {
        return token < tokens_.size() && data_.is(word, tokens_[token].key);
    }

    bool is_name_character(char separator) const { return separator == ' ' || separator == '-'; }

    // Whether the capitals of tokens [first, last) allow a name in this text.
    bool is_capitalised(std::size_t first, std::size_t last) const {
        if (letters_ == Letters::lower) return true;
        if (!tokens_[first].capital) return false;
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
        if (entry.meaning == Meaning::abbreviation) {
            const bool behind = token.separator == ',' || token.separator == '(';
            const bool capitals = token.key.size() > 2 || token.all_capitals;
            return behind && first > 0 && token.capital && capitals;
        }
        if (token.key.size() <= 3) {
            if (code && token.acronym_dotted) return true;
            if (code && token.all_capitals) return letters_ == Letters::mixed || token.key != "us";
            return !token.all_capitals && !code && token.key.size() == 3;
        }
        const bool acronym = token.all_capitals && token.key.size() == 4 &&
                             letters_ == Letters::mixed && entry.meaning >= Meaning::district;
        return !acronym;
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
                if (!entries.empty() && is_capitalised(first, last) &&
                    std::any_of(entries.begin(), entries.end(), [&](const NameEntry& entry) {
                        return is_acceptable(first, last, entry);
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
        found.in_title = in_title_;
        found.letters = letters_;
        keep_entries(found, entries_found);
        return found;
    }

    // Leaves no entries when the name is a phrase to skip.
    void keep_entries(Mention& mention, std::span<const NameEntry> entries) const {
        for (const NameEntry& entry : entries) {
            if (entry.meaning == Meaning::skip) {
                mention.entries.clear();
                return;
            }
            if (is_acceptable(mention.first, mention.last, entry)) mention.entries.push_back(entry);
        }
        const auto is_city = [](const NameEntry& entry) {
            return entry.meaning == Meaning::city || entry.meaning == Meaning::alternate;
        };
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
        for (std::size_t i = mention.first; i < mention.last; ++i) {
            if (!is(Word::stop, i) && !is(Word::direction, i)) return false;
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
        mention.sentence_start = token.separator == '.' || token.separator == '"';
        mention.region = !single && (is(Word::kind_region, mention.first) ||
                                     is(Word::kind_region, mention.last - 1));
        describe_before(mention);
        describe_after(mention);
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
                                  is(Word::kind_region, before);
            if (!passable || is(Word::place_before, before)) break;
            of = of || key == "of";
            direction = direction || is(Word::direction, before);
            mention.settlement = mention.settlement || (of && is(Word::kind_settlement, before));
            mention.region = mention.region || (of && is(Word::kind_region, before));
            i = before;
            if (tokens_[i].separator != ' ' && tokens_[i].separator != '-') return;
        }
        if (i == 0) return;
        const std::size_t before = i - 1;
        mention.place_before = is(Word::place_before, before) || (of && direction);
        mention.origin_before = is(Word::origin_before, before);
        if (of && is(Word::distance_unit, before)) read_distance(mention, before);
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

    // "23 km SSE of X": the unit is token, the number stands before it, the direction behind. A
    // number with a decimal point is two tokens.
    void read_distance(Mention& mention, std::size_t unit) const {
        mention.distance_before = true;
        const std::optional<double> bearing = bearing_of(tokens_[unit + 1].key);
        if (unit == 0 || !bearing) return;
        std::size_t first = unit - 1;
        double number = whole_number(tokens_[first].key);
        if (first > 0 && tokens_[first].separator == '-' && tokens_[first - 1].number) {
            const double fraction = number / std::pow(10.0, tokens_[first].key.size());
            number = whole_number(tokens_[--first].key) + fraction;
        }
        const bool miles = tokens_[unit].key.starts_with("mi");
        mention.away_km = std::min(number * (miles ? km_of_mile : 1.0), away_km_max);
        mention.away_degrees = *bearing;
    }

    void describe_after(Mention& mention) const {
        const std::size_t after = mention.last;
        if (after >= tokens_.size()) return;
        const Token& next = tokens_[after];
        if (next.separator != ' ') return;
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

    const std::vector<Token>& tokens_;
    const Letters letters_;
    const bool in_title_;
    const GazetteerData& data_;
    std::vector<Mention> mentions_;
};

}  // namespace

std::vector<Mention> find_mentions(const TokenText& text, bool in_title,
                                   const GazetteerData& data) {
    return Matcher(text, in_title, data).run();
}

}  // namespace headpond::ingest
