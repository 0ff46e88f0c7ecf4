// What travels through the queue: an alert's text on the way in, its location on the way out.
#pragma once

#include "feed/alert.h"

#include <optional>
#include <string>
#include <string_view>

namespace headpond::ingest {

// The payload of an alert's item: a JSON object of title, summary, source_tag and link.
struct AlertText {
    std::string title, summary, source_tag, link;
};
[[nodiscard]] std::string to_payload(const Alert& alert);
// Throws std::runtime_error for what is no such object.
[[nodiscard]] AlertText from_payload(std::string_view payload);

// The result of a resolved item: a JSON object.
struct Location {
    double latitude = 0;   // degrees
    double longitude = 0;  // degrees
    std::string name;
    std::string country;     // ISO 3166-1 alpha-2, may be empty
    std::string confidence;  // high, medium or low
    std::string method;      // gazetteer_batch, ...
    std::string basis;       // why, for people
};
[[nodiscard]] std::string to_result(const Location& location);
// nullopt for an empty result: no place was found. Throws std::runtime_error for anything else that
// is no location.
[[nodiscard]] std::optional<Location> from_result(std::string_view result);

}  // namespace headpond::ingest
