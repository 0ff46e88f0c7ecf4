// What the command line and the environment say.
#pragma once

#include "../headpond/arguments.h"
#include "moonshot/moonshot_settings.h"
#include "since.h"

#include <headpond/options.h>

#include <optional>
#include <string>
#include <vector>

namespace headpond::ingest {

using cli::UsageError;

// How feeds are asked that are addresses, and how often.
struct FetchSettings {
    std::optional<Ms> follow;                       // all feeds again and again; none: each once
    std::size_t bytes_max = std::size_t{16} << 20;  // of an answer, unpacked
    Ms timeout{30'000};                             // of a whole answer
    Ms connect_timeout{10'000};
    Ms host_delay{1'000};  // between two requests to one host
};

struct IngestSettings {
    std::vector<std::string> feeds;  // paths and addresses; "-" is standard input
    FetchSettings fetch;
    std::string database = "headpond.db";
    std::string resolver = "gazetteer";
    int workers = 1;  // batches that the resolver has at once
    // Where alerts are written; empty: nowhere, "-": standard output.
    std::string output;          // as NDJSON
    std::string geojson;         // as GeoJSON
    std::string map;             // as a page with a map
    std::optional<Since> since;  // absent: all alerts
    bool hide_coordinates = false;
    bool json = false;
    MoonshotSettings moonshot;  // read only for the resolver moonshot
    Options queue;
};

// nullopt: --help or --version was answered. Throws UsageError, Error.
[[nodiscard]] std::optional<IngestSettings> read_settings(int argc, const char* const* argv);

}  // namespace headpond::ingest
