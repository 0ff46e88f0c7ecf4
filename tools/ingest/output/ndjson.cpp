#include "output/alert_json.h"
#include "output/formats.h"

#include <ostream>

namespace headpond::ingest {

void write_ndjson(AlertsReader& alerts, const Excerpt& excerpt, std::ostream& out) {
    alerts.each(excerpt.since, [&](const AlertRow& row) {
        Json json = text_members(row);
        json["latitude"] = number_or_null(row.alert.latitude);
        json["longitude"] = number_or_null(row.alert.longitude);
        json.update(location_members(row));
        out << dumped(json) << '\n';
    });
}

}  // namespace headpond::ingest
