// What a run leaves on standard output: the summary, and how well hidden places were found.
#pragma once

#include "pipeline.h"

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace headpond::ingest {

struct SourceSummary {
    std::optional<std::string> source;  // absent: the sources beyond those kept by name
    Counts counts;
    Accuracy accuracy;
};

struct Summary {
    Counts counts;
    RunCounts run;
    std::int64_t unclaimed = 0;          // outcomes dropped unread while it ran
    std::vector<SourceSummary> sources;  // most alerts first
    bool measured = false;               // coordinates were hidden: accuracy and misses count
    Accuracy accuracy;
    std::vector<Miss> misses;  // the worst first
    double seconds = 0;
};

// Looks up what is still open of the run's alerts, and sums up.
[[nodiscard]] Summary summarise(Pipeline& pipeline);

// Outcomes that were dropped unread since the file was made.
[[nodiscard]] std::int64_t unclaimed_outcomes(Queue& queue);

// Lines of at most 100 columns.
void print_table(std::ostream& out, const Summary& summary);
// One line.
void print_json(std::ostream& out, const Summary& summary);

}  // namespace headpond::ingest
