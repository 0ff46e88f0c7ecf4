#include "location.h"

#include <stdexcept>

#include <nlohmann/json.hpp>

namespace headpond::ingest {

using nlohmann::json;

std::string to_payload(const Alert& alert) {
    return json{{"title", alert.title},
                {"summary", alert.summary},
                {"source_tag", alert.source_tag},
                {"link", alert.link}}
        .dump();
}

AlertText from_payload(std::string_view payload) {
    try {
        const json object = json::parse(payload);
        return {.title = object.at("title").get<std::string>(),
                .summary = object.at("summary").get<std::string>(),
                .source_tag = object.at("source_tag").get<std::string>(),
                .link = object.at("link").get<std::string>()};
    } catch (const json::exception& error) {
        throw std::runtime_error(std::string("the payload is no alert: ") + error.what());
    }
}

std::string to_result(const Location& location) {
    return json{{"latitude", location.latitude},
                {"longitude", location.longitude},
                {"name", location.name},
                {"country", location.country},
                {"confidence", location.confidence},
                {"method", location.method},
                {"basis", location.basis}}
        .dump();
}

std::optional<Location> from_result(std::string_view result) {
    if (result.empty()) return std::nullopt;
    try {
        const json object = json::parse(result);
        return Location{.latitude = object.at("latitude").get<double>(),
                        .longitude = object.at("longitude").get<double>(),
                        .name = object.at("name").get<std::string>(),
                        .country = object.at("country").get<std::string>(),
                        .confidence = object.at("confidence").get<std::string>(),
                        .method = object.at("method").get<std::string>(),
                        .basis = object.value("basis", "")};
    } catch (const json::exception& error) {
        throw std::runtime_error(std::string("the result is no location: ") + error.what());
    }
}

}  // namespace headpond::ingest
