// The output files of a run without an end, kept fresh.
#pragma once

#include "settings.h"
#include "tally.h"

#include <headpond/clock.h>
#include <headpond/queue.h>

#include <functional>
#include <string>

namespace headpond::ingest {

// Writes the files again when alerts came or were located since: at most once every `interval`,
// and for at most a tenth of the time. One thread. A failure is logged once, and tried again.
class PeriodicOutputs {
  public:
    PeriodicOutputs(const IngestSettings& settings, Ms interval)
        : settings_(settings), interval_(interval) {}

    // `now` counts from any fixed time.
    void look(Queue& queue, const Counts& counts, const std::function<Ms()>& now);

  private:
    const IngestSettings& settings_;
    Ms interval_;
    Ms next_{0};
    Counts written_;       // what the files have
    std::string failure_;  // that was logged
};

}  // namespace headpond::ingest
