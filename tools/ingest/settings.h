// What the command line and the environment say.
#pragma once

#include "../headpond/arguments.h"
#include "moonshot/moonshot_settings.h"

#include <headpond/options.h>

#include <optional>
#include <string>
#include <vector>

namespace headpond::ingest {

using cli::UsageError;

struct IngestSettings {
    std::vector<std::string> feeds;  // paths; "-" is standard input
    std::string database = "headpond.db";
    std::string resolver = "gazetteer";
    std::string output;  // NDJSON of all alerts; empty: none, "-": standard output
    bool hide_coordinates = false;
    bool json = false;
    MoonshotSettings moonshot;  // read only for the resolver moonshot
    Options queue;
};

// nullopt: --help or --version was answered. Throws UsageError, Error.
[[nodiscard]] std::optional<IngestSettings> read_settings(int argc, const char* const* argv);

}  // namespace headpond::ingest
