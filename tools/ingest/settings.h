// What the command line and the environment say.
#pragma once

#include <headpond/options.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace headpond::ingest {

// The service of --resolver moonshot, or any other that is compatible with OpenAI's chat
// completions.
struct MoonshotSettings {
    std::string base_url = "https://api.moonshot.ai/v1";
    std::string model = "kimi-k2.6";
    std::string key;  // never printed, logged or stored
    Ms connect_timeout{10'000};
    Ms call_timeout{120'000};  // of a whole call, connecting included
};

struct IngestSettings {
    std::vector<std::string> feeds;  // paths; "-" is standard input
    std::string database = "headpond.db";
    std::string resolver = "gazetteer";
    std::string output;  // NDJSON of all alerts; empty: none, "-": standard output
    bool hide_coordinates = false;
    bool json = false;
    MoonshotSettings moonshot;
    Options queue;
};

// nullopt: --help or --version was answered. Throws UsageError, Error.
[[nodiscard]] std::optional<IngestSettings> read_settings(int argc, const char* const* argv);

// One line: what was wrong, what is allowed.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace headpond::ingest
