// The output files of a run without an end, kept fresh.
#pragma once

#include "settings.h"
#include "tally.h"

#include <headpond/clock.h>
#include <headpond/queue.h>

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

namespace headpond::ingest {

// Writes the files again when alerts came or were located since, or where they reach back from now:
// at most once every `interval`, and for at most a tenth of the time. What the database had before
// is written after the first interval. One thread. A failure is logged once, and tried again.
class PeriodicOutputs {
  public:
    PeriodicOutputs(const IngestSettings& settings, Ms interval)
        : settings_(settings), interval_(interval) {}

    // `now` counts from any fixed time. What is being written when `stop` is asked for is given up:
    // the old file stays.
    void look(Queue& queue, const Counts& counts, const std::function<Ms()>& now,
              const std::stop_token& stop);

    // True: the files have all of these.
    [[nodiscard]] bool have(const Counts& counts) const { return written_ == counts; }

  private:
    [[nodiscard]] bool are_old(const Counts& counts, Ms now) const;

    const IngestSettings& settings_;
    Ms interval_;
    std::optional<Ms> first_;  // look
    Ms next_{0};
    std::optional<Counts> written_;  // what the files have; absent: they were not written yet
    std::string failure_;            // that was logged
};

}  // namespace headpond::ingest
