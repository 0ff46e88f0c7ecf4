#include "gazetteer/gazetteer_reader.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace headpond::ingest {
namespace {

// Calls visit with each part of list.
template <typename Visit>
void split(std::string_view list, char separator, Visit visit) {
    while (!list.empty()) {
        const std::size_t end = list.find(separator);
        visit(list.substr(0, end));
        if (end == std::string_view::npos) return;
        list.remove_prefix(end + 1);
    }
}

constexpr std::pair<std::string_view, Word> word_kinds[] = {
    {"stop", Word::stop},
    {"common", Word::common},
    {"place_before", Word::place_before},
    {"origin_before", Word::origin_before},
    {"direction", Word::direction},
    {"distance_unit", Word::distance_unit},
    {"kind_settlement", Word::kind_settlement},
    {"kind_region", Word::kind_region},
    {"person_before", Word::person_before},
    {"given_name", Word::given_name},
    {"speech_after", Word::speech_after},
    {"particle", Word::particle},
    {"colour", Word::colour},
    {"kind_institution", Word::kind_institution},
    {"surname", Word::surname},
    {"kind_feature", Word::kind_feature},
    {"kind_incident", Word::kind_incident},
    {"kind_volcano", Word::kind_volcano},
    {"issuer", Word::issuer},
    {"border", Word::border},
};

// "Hatay Province" is also called "Hatay", "Province of Turin" also "Turin". A county keeps its
// word: without it most are surnames.
constexpr std::string_view endings[] = {" Province",   " Region",     " Oblast", " State",
                                        " District",   " Prefecture", " Krai",   " Governorate",
                                        " Department", " Regency",    " Canton", " Municipality",
                                        " Republic",   " Voivodeship"};
constexpr std::string_view beginnings[] = {"Province of ", "Provincia de ", "Provincia di ",
                                           "State of ",    "City of ",      "Departamento de ",
                                           "Region of ",   "Shire of ",     "Republic of "};

// "Harris County" is called "Harris" where "TX" follows.
constexpr std::string_view county_endings[] = {" County", " Parish", " City and Borough",
                                               " Borough", " Census Area"};

}  // namespace

void GazetteerReader::fail(const std::string& what) const {
    throw std::invalid_argument("gazetteer line " + std::to_string(line_) + ": " + what);
}

void GazetteerReader::read(std::string_view text) {
    line_ = 0;
    split(text, '\n', [this](std::string_view line) {
        ++line_;
        if (!line.empty() && line[0] != '#') read_line(line);
    });
}

void GazetteerReader::read_line(std::string_view line) {
    Fields fields;
    std::size_t count = 0;
    std::string_view rest = line;
    while (count < fields.size()) {
        const std::size_t end = rest.find('\t');
        fields[count++] = rest.substr(0, end);
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    const std::string_view tag = fields[0];
    if (tag.empty()) {
        read_city(fields);
    } else if (tag == "D") {
        read_district(fields);
    } else if (tag == "R") {
        read_region(fields);
    } else if (tag == "C") {
        read_country(fields);
    } else if (tag == "I") {
        read_subdivision(fields);
    } else if (tag == "A" || tag == "V") {
        read_area(fields, tag == "V");
    } else if (tag == "T") {
        read_settlement(fields);
    } else if (tag == "N") {
        read_nationality(fields);
    } else if (tag == "W") {
        read_words(fields);
    } else if (tag == "B") {
        add_names(fields[2], Meaning::abbreviation, region_of_code(fields[1]));
    } else if (tag == "F") {
        data_.folding_.add(fields[1], fields[2], true);
        data_.folding_.add(fields[1], fields[3], false);
    } else {
        fail("unknown tag '" + std::string(tag) +
             "'; allowed: A, B, C, D, F, I, N, R, T, V, W, or none");
    }
}

void GazetteerReader::add_names(std::string_view list, Meaning meaning, std::size_t index) {
    split(list, '|', [&](std::string_view name) { data_.add_name(name, meaning, index); });
}

void GazetteerReader::add_with_short_form(std::string_view name, Meaning meaning,
                                          std::size_t index) {
    data_.add_name(name, meaning, index);
    for (const std::string_view ending : endings) {
        if (name.size() > ending.size() && name.ends_with(ending)) {
            data_.add_name(name.substr(0, name.size() - ending.size()), meaning, index);
            return;
        }
    }
    for (const std::string_view beginning : beginnings) {
        if (name.size() > beginning.size() && name.starts_with(beginning)) {
            data_.add_name(name.substr(beginning.size()), meaning, index);
            return;
        }
    }
}

std::uint32_t GazetteerReader::add_country(std::string_view code) {
    if (code.size() != 2) fail("a country's code has two letters");
    std::uint32_t& index = data_.country_by_code_[GazetteerData::code_slot(code)];
    if (index == none_index) {
        index = static_cast<std::uint32_t>(data_.countries_.size());
        data_.countries_.push_back({code, code, none_index, 0});
    }
    return index;
}

void GazetteerReader::read_country(const Fields& fields) {
    const std::uint32_t index = add_country(fields[1]);
    if (!fields[2].empty()) data_.countries_[index].name = fields[2];
    data_.add_name(fields[2], Meaning::country, index);
    add_names(fields[3], Meaning::country, index);
    add_names(fields[4], Meaning::demonym, index);
}

std::size_t GazetteerReader::region_of_code(std::string_view code) const {
    const auto known = regions_.find(code);
    if (known == regions_.end()) fail("no region " + std::string(code) + " before this line");
    return known->second;
}

void GazetteerReader::read_region(const Fields& fields) {
    const std::string_view code = fields[1];
    if (regions_.contains(code)) {
        add_names(fields[2], Meaning::region, region_of_code(code));
        return;
    }
    if (code.size() < 3 || code[2] != '.') fail("a region's code is country.admin1");
    region_ = static_cast<std::uint32_t>(data_.regions_.size());
    district_ = none_index;
    regions_.emplace(code, region_);
    // GeoNames has a few territories that ISO 3166-1 has not (Kosovo).
    data_.regions_.push_back({code, fields[2], add_country(code.substr(0, 2)), none_index, 0});
    add_with_short_form(fields[2], Meaning::region, region_);
}

void GazetteerReader::read_district(const Fields& fields) {
    if (region_ == none_index) fail("a district needs a region above it");
    district_ = static_cast<std::uint32_t>(data_.districts_.size());
    data_.districts_.push_back({fields[1], region_, none_index});
    add_with_short_form(fields[1], Meaning::district, district_);
    for (const std::string_view ending : county_endings) {
        if (!fields[1].ends_with(ending)) continue;
        data_.add_name(fields[1].substr(0, fields[1].size() - ending.size()), Meaning::county,
                       district_);
        return;
    }
}

float GazetteerReader::degrees(std::string_view field, int limit, std::string_view what) const {
    float value = 0;
    const auto end = field.data() + field.size();
    const auto [stop, error] = std::from_chars(field.data(), end, value);
    if (error != std::errc() || stop != end) fail("'" + std::string(field) + "' is no number");
    if (!(value >= static_cast<float>(-limit) && value <= static_cast<float>(limit))) {
        const std::string bound = std::to_string(limit);
        fail(std::string(field) + " is no " + std::string(what) + "; allowed: -" + bound + " to " +
             bound);
    }
    return value;
}

void GazetteerReader::read_city(const Fields& fields) {
    if (region_ == none_index) fail("a city needs a region above it");
    CityRow city{fields[1],
                 degrees(fields[2], 90, "latitude"),
                 degrees(fields[3], 180, "longitude"),
                 0,
                 region_,
                 district_};
    const auto end = fields[4].data() + fields[4].size();
    const auto [stop, error] = std::from_chars(fields[4].data(), end, city.population);
    if (error != std::errc() || stop != end) {
        fail("'" + std::string(fields[4]) + "' is no population; allowed: a whole number");
    }
    const std::size_t index = data_.cities_.size();
    data_.cities_.push_back(city);
    data_.add_name(city.name, Meaning::city, index);
    add_names(fields[5], Meaning::alternate, index);
    // News leave out the article of "Al Hudaydah" and "El-Hodeidah".
    add_without_article(city.name, index);
    split(fields[5], '|', [&](std::string_view name) { add_without_article(name, index); });
}

void GazetteerReader::add_without_article(std::string_view name, std::size_t city) {
    for (const std::string_view article : {"Al ", "Al-", "El-"}) {
        if (name.size() > article.size() + 3 && name.starts_with(article)) {
            data_.add_name(name.substr(article.size()), Meaning::alternate, city);
        }
    }
}

void GazetteerReader::read_subdivision(const Fields& fields) {
    const std::uint32_t country = data_.country_of_code(fields[1].substr(0, 2));
    if (country == none_index) fail("no country of code " + std::string(fields[1]));
    data_.subdivisions_.push_back({fields[2], country});
    add_with_short_form(fields[2], Meaning::subdivision, data_.subdivisions_.size() - 1);
}

void GazetteerReader::read_area(const Fields& fields, bool volcano) {
    data_.areas_.push_back({fields[1], degrees(fields[2], 90, "latitude"),
                            degrees(fields[3], 180, "longitude"), data_.country_of_code(fields[4]),
                            volcano});
    add_names(fields[1], Meaning::area, data_.areas_.size() - 1);
    add_names(fields[5], Meaning::area, data_.areas_.size() - 1);
}

void GazetteerReader::read_settlement(const Fields& fields) {
    constexpr std::uint32_t population = 300;  // hardly known without its region
    const std::size_t region = region_of_code(fields[4]);
    data_.cities_.push_back({fields[1], degrees(fields[2], 90, "latitude"),
                             degrees(fields[3], 180, "longitude"), population,
                             static_cast<std::uint32_t>(region), none_index});
    data_.add_name(fields[1], Meaning::city, data_.cities_.size() - 1);
}

void GazetteerReader::read_nationality(const Fields& fields) {
    const std::uint32_t country = add_country(fields[1]);
    split(fields[2], '|', [&](std::string_view word) {
        const std::size_t stem = std::min(word.find('~'), word.size());
        const auto add = [&](std::string_view ending) {
            data_.add_name(std::string(word.substr(0, stem)) + std::string(ending),
                           Meaning::nationality, country);
        };
        if (stem + 1 < word.size()) {
            split(word.substr(stem + 1), ',', add);
        } else {
            add("");
        }
    });
}

void GazetteerReader::read_words(const Fields& fields) {
    if (fields[1] == "skip") {
        add_names(fields[2], Meaning::skip, 0);
        return;
    }
    for (const auto& [name, word] : word_kinds) {
        if (name != fields[1]) continue;
        split(fields[2], '|', [&, flag = static_cast<std::uint32_t>(word)](std::string_view text) {
            data_.words_[data_.folding_.name(text)] |= flag;
        });
        return;
    }
    std::string allowed = "skip";
    for (const auto& [name, word] : word_kinds) allowed += ", " + std::string(name);
    fail("unknown kind of word '" + std::string(fields[1]) + "'; allowed: " + allowed);
}

}  // namespace headpond::ingest
