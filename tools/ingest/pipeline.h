// The way of an alert: feed, table, queue, resolver, table.
#pragma once

#include "feed/feed.h"
#include "holdups.h"
#include "recent_set.h"
#include "resolver.h"
#include "tally.h"
#include "workers.h"

#include <headpond/processor.h>
#include <headpond/queue.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <vector>

namespace headpond::ingest {

// What this run did, besides what the table holds.
struct RunCounts {
    // Alerts of the feeds that the table had already when this run first met them. One that is
    // listed again and again counts again once Tally::alerts_kept others came between.
    std::int64_t known = 0;
    std::int64_t resumed = 0;   // pending alerts that an earlier run left
    std::int64_t lost = 0;      // of those, without an outcome to come
    std::int64_t batches = 0;   // distinct batches this run handled
    std::int64_t attempts = 0;  // deliveries this run handled
};

// Alerts of a feed that found no room though nothing was left to process. They are not stored: the
// next run takes them.
struct LeftOut {
    std::size_t alerts = 0;
    bool disk = false;  // no room on disk; else the queue is full
};

// One thread. The queue must outlive it.
class Pipeline {
  public:
    Pipeline(Queue& queue, Resolver& resolver, bool hide_coordinates);

    // Makes the table and takes up what an earlier run left.
    void open();
    // Stores the feed's alerts, those without a clear place with an item each in the same
    // transaction; processes what becomes due on the way, and what there is where there is no
    // room. Ends early when `stop` is asked for.
    LeftOut take(const Feed& feed, const std::stop_token& stop);
    // Processes until none of this run's alerts is pending, `stop` is asked for, or leasing is
    // stopped until reopened; ends the workers. False: something is left pending, and why has been
    // logged.
    bool drain(const std::stop_token& stop);

    // From now on batches are processed by threads, `count` at once, beside whatever else this
    // object does. Errors of theirs are thrown by its next call.
    void start_workers(int count);
    // Processes one batch if one is due, unless workers do, and applies what outcomes there are:
    // for a run without an end, between feeds.
    void work(const std::stop_token& stop);

    [[nodiscard]] const RunCounts& counts() const noexcept { return counts_; }
    // The alerts of this run: those of its feeds and those it resumed.
    [[nodiscard]] const Tally& tally() const noexcept { return tally_; }
    // Looks up what others made of them meanwhile.
    void recount();
    // Called after each step with alerts seen and alerts still pending.
    std::function<void(std::size_t, std::size_t)> on_progress;

  private:
    using Indexes = std::vector<const Alert*>;
    struct Refused {
        Indexes alerts;
        bool disk = false;
    };
    Refused store(std::span<const Alert* const> alerts);
    bool make_room(const std::stop_token& stop);
    void count(const std::vector<RunReport>& done);
    bool process(When when, Ms wait, const std::stop_token& stop);
    std::size_t apply_outcomes();
    void forget_settled_elsewhere();
    void look_up(const std::vector<std::string>& uuids);
    bool look_for_holdups(Holdups::Of of);
    void progress() const;

    Queue& queue_;
    Resolver& resolver_;
    Processor processor_;
    std::optional<Workers> workers_;
    Holdups holdups_;
    const bool hide_coordinates_;
    RunCounts counts_;
    std::uint64_t idle_ = 0;  // looks of work() that found nothing due
    Tally tally_;
    std::shared_ptr<Clock> clock_;
    bool trimmed_ = false;  // the file was cleaned up since the last alert was stored
    std::unordered_set<std::string> pending_;
    RecentSet batches_;
};

}  // namespace headpond::ingest
