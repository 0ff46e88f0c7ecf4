// Reads the gazetteer's TSV files.
#pragma once

#include "gazetteer/gazetteer_data.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace headpond::ingest {

// Reads the line formats of places.tsv, areas.tsv and words.tsv (described at their tops) into a
// GazetteerData. Used once, by the constructor of GazetteerData.
class GazetteerReader {
  public:
    explicit GazetteerReader(GazetteerData& data) : data_(data) {}

    // Reads all lines of text. Throws std::invalid_argument that names the line.
    void read(std::string_view text);

  private:
    using Fields = std::array<std::string_view, 6>;

    void read_line(std::string_view line);
    void read_country(const Fields& fields);
    void read_region(const Fields& fields);
    void read_district(const Fields& fields);
    void read_city(const Fields& fields);
    void read_subdivision(const Fields& fields);
    void read_area(const Fields& fields, bool volcano);
    void read_settlement(const Fields& fields);
    void read_nationality(const Fields& fields);
    void read_words(const Fields& fields);

    // A number from -limit to limit; what names it in complaints.
    float degrees(std::string_view field, int limit, std::string_view what) const;
    void add_names(std::string_view list, Meaning meaning, std::size_t index);
    void add_with_short_form(std::string_view name, Meaning meaning, std::size_t index);
    void add_without_article(std::string_view name, std::size_t city);
    // The index of a country, which is added if it is new.
    std::uint32_t add_country(std::string_view code);
    std::size_t region_of_code(std::string_view code) const;
    [[noreturn]] void fail(const std::string& what) const;

    GazetteerData& data_;
    std::unordered_map<std::string_view, std::uint32_t> regions_;  // by code
    std::size_t line_ = 0;
    std::uint32_t region_ = none_index;
    std::uint32_t district_ = none_index;
};

}  // namespace headpond::ingest
