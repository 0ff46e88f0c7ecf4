// Where is this? An offline answer from the names in a text.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace headpond::ingest {

// What is known of an alert whose place is sought; any part may be empty.
struct PlaceQuery {
    std::string_view title;
    std::string_view summary;
    std::string_view source_tag;  // "country:NZ" and "local:Perth" are understood, names are hints
    std::string_view link;        // its top-level domain is a weak hint
};

// low: a country alone, or weak evidence. medium: a large city of an unambiguous name, or a place
// that the source or the link supports. high: the text itself names the place and its region,
// district or country.
enum class Confidence { none, low, medium, high };
std::string_view to_string(Confidence confidence);

struct Place {
    std::string name;     // "Kununurra"
    std::string country;  // ISO 3166-1 alpha-2; empty for an area of sea far from any
    double latitude = 0;  // degrees
    double longitude = 0;
    Confidence confidence = Confidence::none;
    std::string basis;  // why, for people: "city in the title, country Australia"
};

class GazetteerData;

// Finds the place that an alert's text is about, offline. Const use is thread-safe; copies share
// the data. Deterministic: the same query gives the same answer.
class Gazetteer {
  public:
    // The data that is embedded in the program, read on first use (some 90 ms).
    static const Gazetteer& builtin();

    // Reads texts in the format of gazetteer/places.tsv, areas.tsv and words.tsv, which must
    // outlive the gazetteer. Throws std::invalid_argument that names the line and what is wrong in
    // it.
    explicit Gazetteer(std::initializer_list<std::string_view> texts);

    // The most likely place, or nothing when the text names none. About 0.1 ms for a short text.
    std::optional<Place> locate(const PlaceQuery& query) const;

    // The ISO 3166-1 alpha-2 code of the nearest city's country, for accuracy reports; some 10
    // microseconds. Empty when the gazetteer has no cities.
    std::string country_at(double latitude, double longitude) const;

  private:
    std::shared_ptr<const GazetteerData> data_;
};

// The great-circle distance in km between two positions in degrees.
double distance_km(double latitude_a, double longitude_a, double latitude_b, double longitude_b);

}  // namespace headpond::ingest
