// Where --output, --geojson and --map go: checked before anything is opened, written at any time.
#pragma once

#include "settings.h"

#include <headpond/queue.h>

#include <iosfwd>
#include <stop_token>

namespace headpond::ingest {

// Throws UsageError where one of them can't be written, where two are one file, or where one would
// destroy what the run reads: the database and the files beside it, a feed, standard input. Opens
// and creates nothing.
void require_output(const IngestSettings& settings);

// Writes each that was asked for, all of the alerts at one moment; a file is replaced in one step
// when it is whole. "-" is `out`. Other processes go on writing meanwhile. Not inside
// Queue::transact; the table must be made (Pipeline::open). Throws std::runtime_error that names
// the option and the file, and Error where the database can't be read.
void write_outputs(Queue& queue, const IngestSettings& settings, std::ostream& out);
// The same without "-", for a run that writes again and again: a stream can't be taken back. False:
// `stop` was asked for, and a file that was not whole by then is the old one.
bool write_output_files(Queue& queue, const IngestSettings& settings, const std::stop_token& stop);

// True: one of them is "-" and no lines, so that the summary would spoil it.
[[nodiscard]] bool fills_standard_output(const IngestSettings& settings);

}  // namespace headpond::ingest
