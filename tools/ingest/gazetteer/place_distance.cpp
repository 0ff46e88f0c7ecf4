#include "gazetteer/place_distance.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <system_error>
#include <utility>

namespace headpond::ingest {
namespace {

constexpr double km_of_mile = 1.609344;
constexpr double km_max = 1000;  // a longer way is no phrase of this kind

// The words of the eight directions, north first, clockwise.
constexpr std::string_view words[] = {
    "north|northern|nord|norte|nordlich",
    "northeast|northeastern|nordest|noreste|nordeste|nordostlich",
    "east|eastern|est|este|leste|ostlich",
    "southeast|southeastern|sudest|sureste|sudeste|sudostlich",
    "south|southern|sud|sur|sul|sudlich",
    "southwest|southwestern|sudouest|sudovest|suroeste|sudoeste|sudwestlich",
    "west|western|ouest|ovest|oeste|westlich",
    "northwest|northwestern|nordouest|nordovest|noroeste|nordwestlich"};

// The sixteen points of the compass. Spanish, French, Italian and Portuguese have O for west.
constexpr std::pair<std::string_view, std::string_view> points[] = {
    {"n", ""},  {"nne", ""},    {"ne", ""},   {"ene", ""},    {"e", ""},    {"ese", ""},
    {"se", ""}, {"sse", ""},    {"s", ""},    {"ssw", "sso"}, {"sw", "so"}, {"wsw", "oso"},
    {"w", "o"}, {"wnw", "ono"}, {"nw", "no"}, {"nnw", "nno"}};

bool lists(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        const std::size_t end = std::min(list.find('|'), list.size());
        if (list.substr(0, end) == word) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

// 0 for what is no number of at most six digits.
double whole_number(std::string_view digits) {
    int number = 0;
    const auto end = digits.data() + std::min<std::size_t>(digits.size(), 6);
    const auto [stop, error] = std::from_chars(digits.data(), end, number);
    return error == std::errc() && stop == digits.data() + digits.size() ? number : 0;
}

std::string_view digits_of(std::string_view token) {
    return token.substr(0, token.find_first_not_of("0123456789"));
}

}  // namespace

std::optional<double> bearing_of(std::string_view word) {
    if (word.empty()) return std::nullopt;
    for (std::size_t i = 0; i < std::size(points); ++i) {
        if (points[i].first == word || points[i].second == word) {
            return 22.5 * static_cast<double>(i);
        }
    }
    for (std::size_t i = 0; i < std::size(words); ++i) {
        if (lists(words[i], word)) return 45.0 * static_cast<double>(i);
    }
    return std::nullopt;
}

bool has_unit(const Token& token) {
    return token.number && (token.key.ends_with("km") || token.key.ends_with("mi"));
}

double km_before(const std::vector<Token>& tokens, std::size_t unit) {
    const bool joined = tokens[unit].number;
    if (unit == 0 && !joined) return 0;
    std::size_t first = joined ? unit : unit - 1;
    const std::string_view digits = digits_of(tokens[first].key);
    double number = whole_number(digits);
    // A number with a decimal point is two tokens.
    if (first > 0 && tokens[first].separator == '-' && tokens[first - 1].number) {
        const double fraction = number / std::pow(10.0, static_cast<double>(digits.size()));
        number = whole_number(tokens[--first].key) + fraction;
    }
    const bool miles = tokens[unit].key.find("mi") != std::string::npos;
    const double km = number * (miles ? km_of_mile : 1.0);
    return km <= km_max ? km : 0;
}

}  // namespace headpond::ingest
