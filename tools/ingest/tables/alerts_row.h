// A row of the table `alerts`, for the writer and the reader of it.
#pragma once

#include "tables/alerts_table.h"
#include "tables/guest_statement.h"

#include <string>

namespace headpond::ingest {

// The columns that every file has had, and the two that came later. Later ones are appended, so
// that rows of an old file, altered, and of a new one read alike.
inline constexpr const char* first_columns =
    "uuid, title, summary, link, source_tag, published_at, latitude, longitude, location_method, "
    "location_confidence, location_name, location_country, location_reason, feed_latitude, "
    "feed_longitude";
inline constexpr const char* later_columns = "added_at, located_at";
[[nodiscard]] std::string all_columns();

// Of a row of all_columns().
[[nodiscard]] AlertRow read_row(Statement& row);

}  // namespace headpond::ingest
