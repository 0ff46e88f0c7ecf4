// What one operation of the engine works with, and what it leaves to do after the commit.
#pragma once

#include "engine/queue_clock.h"
#include "engine/settings.h"
#include "store/store.h"

#include <headpond/clock.h>
#include <headpond/options.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace headpond::engine {

// What the engine asks of the process and the machine it runs in. Calls may come from any thread,
// one at a time.
class Host {
  public:
    virtual ~Host() = default;
    [[nodiscard]] virtual const Clock& clock() const = 0;
    virtual std::uint64_t random() = 0;
    // This open queue's row in `owners` and its label.
    [[nodiscard]] virtual std::int64_t owner_id() const = 0;
    [[nodiscard]] virtual const std::string& owner_label() const = 0;
    enum class Life { alive, dead, unknown };
    // unknown: the lock file was replaced, so that only the lapse counts.
    [[nodiscard]] virtual Life life_of(const store::OwnerRow& owner) = 0;
    // Free bytes on the file system, for unprivileged users.
    [[nodiscard]] virtual std::int64_t disk_free() = 0;
    // Sizes of the database and its log, for health.
    [[nodiscard]] virtual store::Store::Size file_size() = 0;
};

// The lines that keep their form, and others; logged after the commit by the caller's thread.
struct LogLine {
    LogLevel level = LogLevel::info;
    std::string text;
};
struct Effects {
    std::vector<LogLine> lines;
    bool wake = false;      // work became due, or room came free
    bool settings = false;  // the settings were changed
    bool sync = false;      // an item was removed or an outcome written (rule 12)
};

// Lives as long as one operation inside one transaction.
class Context {
  public:
    // `now_there`: the transaction's totals() as they are. `rows`: how many it may remove (shrunk
    // when the disk is full).
    Context(store::Transaction& transaction, const store::Totals& now_there, Host& machine,
            const Settings& limits, std::int64_t rows = store::no_limit);

    store::Transaction& tx;
    Host& host;
    const Settings& settings;
    const std::int64_t rows_max;
    const store::ClockRow clock_row;
    const Instant instant;
    const store::Millis now;
    store::Totals totals;   // as they stand, this operation's changes included
    store::Counters delta;  // this operation's changes
    Effects effects;
    bool dirty = false;  // something was written

    // Before anything that removes an item or writes an outcome.
    void require_sync() { effects.sync = true; }
    // Counts a change: into `delta` and `totals`.
    void count(std::int64_t store::Counters::*counter, std::int64_t change);
    void log(LogLevel level, std::string text);
    // Ends the operation: bounds the outcomes, applies the delta, moves the clock row. Writes
    // nothing when nothing was written before.
    void finish();

  private:
    void trim_outcomes();
    void trim_dead();
};

}  // namespace headpond::engine
