// The main job: from the settings to the summary.
#pragma once

#include "settings.h"

namespace headpond::ingest {

// Answers the exit code; throws Error, UsageError and what the standard library does.
[[nodiscard]] int run(const IngestSettings& settings);

}  // namespace headpond::ingest
