#include "output/alert_json.h"
#include "output/formats.h"

#include <cmath>
#include <ostream>

namespace headpond::ingest {

namespace {

// Six decimals of a degree are 10 cm: what is beyond them is noise of a conversion.
double rounded(double degrees) {
    return std::round(degrees * 1e6) / 1e6;
}

}  // namespace

void write_geojson(AlertsReader& alerts, const Excerpt& excerpt, std::ostream& out) {
    const char* separator = "\n";
    out << R"({"type":"FeatureCollection","features":[)";
    alerts.each(excerpt.since, [&](const AlertRow& row) {
        if (!has_position(row)) return;
        Json properties = text_members(row);
        properties.update(location_members(row));
        const Json feature{{"type", "Feature"},
                           {"id", row.alert.uuid},
                           {"geometry",
                            {{"type", "Point"},
                             {"coordinates", Json::array({rounded(*row.alert.longitude),
                                                          rounded(*row.alert.latitude)})}}},
                           {"properties", std::move(properties)}};
        out << separator << dumped(feature);
        separator = ",\n";
    });
    out << "\n]}\n";
}

}  // namespace headpond::ingest
