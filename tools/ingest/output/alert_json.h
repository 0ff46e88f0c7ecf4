// An alert's members, as the formats share them.
#pragma once

#include "tables/alerts_table.h"

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace headpond::ingest {

using Json = nlohmann::ordered_json;

// uuid, title, summary, link, source_tag, published_at.
[[nodiscard]] Json text_members(const AlertRow& row);
// location_method to location_reason, added_at, located_at; what is empty or absent is null.
[[nodiscard]] Json location_members(const AlertRow& row);

[[nodiscard]] Json text_or_null(const std::string& text);
[[nodiscard]] Json time_or_null(const std::optional<WallTime>& time);
[[nodiscard]] Json number_or_null(const std::optional<double>& number);
// False also for numbers that are no place on Earth: somebody edited the row.
[[nodiscard]] bool has_position(const AlertRow& row);

// On one line, valid UTF-8 whatever the row holds.
[[nodiscard]] std::string dumped(const Json& json);

}  // namespace headpond::ingest
