// A time as messages and NDJSON show it.
#pragma once

#include <headpond/clock.h>

#include <string>

namespace headpond::ingest {

// 2026-11-24T08:42:57Z, whole seconds.
[[nodiscard]] std::string iso_time(WallTime time);

}  // namespace headpond::ingest
