// Where --output goes: checked before anything is opened, written when the run is done.
#pragma once

#include "settings.h"

#include <headpond/queue.h>

#include <iosfwd>
#include <string>

namespace headpond::ingest {

// Throws UsageError where --output can't be written, or would destroy what the run reads: the
// database and the files beside it, a feed, standard input. Opens and creates nothing.
void require_output(const IngestSettings& settings);

// All alerts as NDJSON; a file is replaced in one step when it is whole. "-" is `out`. Throws
// std::runtime_error that names the file.
void write_alerts(Queue& queue, const std::string& path, std::ostream& out);

}  // namespace headpond::ingest
