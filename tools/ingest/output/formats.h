// The formats in which alerts are put out, each as a stream of rows.
#pragma once

#include "tables/alerts_reader.h"

#include <cstddef>
#include <iosfwd>
#include <optional>

namespace headpond::ingest {

// What is put out, and when.
struct Excerpt {
    std::optional<WallTime> since;  // absent: all alerts
    WallTime now{};
};

// One object a line, of every alert.
void write_ndjson(AlertsReader& alerts, const Excerpt& excerpt, std::ostream& out);
// A FeatureCollection (RFC 7946), a feature a line, of the alerts that have a position: not every
// map takes a feature without one.
void write_geojson(AlertsReader& alerts, const Excerpt& excerpt, std::ostream& out);
// A page that needs no other file and asks no server for anything.
void write_map(AlertsReader& alerts, const Excerpt& excerpt, std::ostream& out);

}  // namespace headpond::ingest
