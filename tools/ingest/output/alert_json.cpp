#include "output/alert_json.h"

#include "iso_time.h"

#include <cmath>

namespace headpond::ingest {

Json text_or_null(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

Json time_or_null(const std::optional<WallTime>& time) {
    return time ? Json(iso_time(*time)) : Json(nullptr);
}

Json number_or_null(const std::optional<double>& number) {
    return number ? Json(*number) : Json(nullptr);
}

bool has_position(const AlertRow& row) {
    const auto within = [](const std::optional<double>& degrees, double bound) {
        return degrees && std::abs(*degrees) <= bound;
    };
    return within(row.alert.latitude, 90) && within(row.alert.longitude, 180);
}

Json text_members(const AlertRow& row) {
    return {{"uuid", row.alert.uuid},
            {"title", row.alert.title},
            {"summary", row.alert.summary},
            {"link", row.alert.link},
            {"source_tag", row.alert.source_tag},
            {"published_at", time_or_null(row.alert.published_at)}};
}

Json location_members(const AlertRow& row) {
    return {{"location_method", row.method},
            {"location_confidence", row.confidence},
            {"location_name", text_or_null(row.name)},
            {"location_country", text_or_null(row.country)},
            {"location_reason", text_or_null(row.reason)},
            {"added_at", time_or_null(row.added_at)},
            {"located_at", time_or_null(row.located_at)}};
}

std::string dumped(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace headpond::ingest
