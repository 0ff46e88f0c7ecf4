// The options that name an output.
#pragma once

#include "output/formats.h"
#include "settings.h"

#include <string>
#include <vector>

namespace headpond::ingest {

struct NamedOutput {
    const char* option;
    std::string path;  // "-": standard output
    void (*write)(AlertsReader&, const Excerpt&, std::ostream&);
};

// Those that were given.
[[nodiscard]] inline std::vector<NamedOutput> named_outputs(const IngestSettings& settings) {
    std::vector<NamedOutput> outputs;
    const auto add = [&](const char* option, const std::string& path, auto* write) {
        if (!path.empty()) outputs.push_back({option, path, write});
    };
    add("--output", settings.output, write_ndjson);
    add("--geojson", settings.geojson, write_geojson);
    add("--map", settings.map, write_map);
    return outputs;
}

inline constexpr const char* output_allowed = "; allowed: a writable path, or -";

}  // namespace headpond::ingest
