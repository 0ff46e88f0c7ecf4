// What a run leaves on standard output: the summary, the accuracy, the alerts.
#pragma once

#include "pipeline.h"

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

namespace headpond::ingest {

// Of the run's alerts that carry hidden coordinates.
struct Accuracy {
    std::int64_t alerts = 0;
    std::int64_t located = 0;        // by a batch
    std::int64_t within_100_km = 0;  // of those located
    std::int64_t right_country = 0;  // of those located
    std::int64_t fallback = 0;
};

struct Summary {
    std::int64_t alerts = 0, by_feed = 0, by_batch = 0, fallback = 0, pending = 0;
    std::int64_t evicted = 0, expired = 0, abandoned = 0, rejected = 0;
    RunCounts run;
    std::int64_t unclaimed = 0;  // outcomes dropped unread while it ran
    std::optional<Accuracy> accuracy;
    double seconds = 0;
};

// Counts the run's alerts in the table.
[[nodiscard]] Summary summarise(Queue& queue, const Pipeline& pipeline, bool hide_coordinates);

// Outcomes that were dropped unread since the file was made.
[[nodiscard]] std::int64_t unclaimed_outcomes(Queue& queue);

void print_table(std::ostream& out, const Summary& summary);
// One line.
void print_json(std::ostream& out, const Summary& summary);

}  // namespace headpond::ingest
