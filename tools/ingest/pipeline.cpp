#include "pipeline.h"

#include "tables/alerts_table.h"

#include <headpond/error.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace headpond::ingest {

namespace {

// Alerts stored in one transaction: few enough that other writers wait little.
constexpr std::size_t chunk = 50;
constexpr std::size_t outcomes_chunk = 500;
// How long a lease is waited for before the run looks around.
constexpr Ms slice{500};
constexpr std::uint64_t idle_looks = 1'000;
// Batches that are remembered, so that each is counted once: more than wait for another attempt.
constexpr std::size_t batches_kept = 65'536;
// Pending alerts of other processes that are left to the next recount.
constexpr std::int64_t foreign_max = 1'000;

AlertRow row_of(const Alert& alert, bool hide_coordinates, WallTime now) {
    AlertRow row;
    row.alert = alert;
    row.added_at = now;
    const bool placed = alert.latitude && alert.longitude;
    if (placed && hide_coordinates) {
        row.feed_latitude = alert.latitude;
        row.feed_longitude = alert.longitude;
    }
    if (placed && !hide_coordinates) {
        row.method = "feed";
        row.confidence = "high";
        row.located_at = now;
    } else {
        row.alert.latitude.reset();
        row.alert.longitude.reset();
        row.method = "batch_pending";
        row.confidence = "none";
    }
    return row;
}

// Stores alerts in a transaction, which may run again.
struct Storing {
    Storing(bool hide, WallTime time, Tally& counted)
        : hide_coordinates(hide), now(time), tally(counted) {}

    void run(Transaction& transaction, std::span<const Alert* const> alerts) {
        known = 0;
        pending.clear();
        rows.clear();
        refused.clear();
        disk = false;
        AlertsTable table(transaction);
        for (const Alert* alert : alerts) {
            AlertRow row = row_of(*alert, hide_coordinates, now);
            if (!table.add(row)) {
                if (tally.seen(alert->uuid)) continue;
                known += 1;
                if (auto there = table.find(alert->uuid)) rows.push_back(std::move(*there));
            } else if (row.method != "batch_pending" || enqueue(transaction, table, *alert, row)) {
                rows.push_back(std::move(row));
            }
        }
    }

    // False: there was no room, and the alert is not stored.
    bool enqueue(Transaction& transaction, AlertsTable& table, const Alert& alert, AlertRow& row) {
        const std::string payload = to_payload(alert);
        const Enqueued answer = transaction.enqueue({.key = alert.uuid,
                                                     .source_tag = alert.source_tag,
                                                     .payload = payload,
                                                     .tracking = Tracking::tracked,
                                                     .published_at = alert.published_at});
        switch (answer) {
            case Enqueued::stored:
            case Enqueued::duplicate:
                pending.push_back(alert.uuid);
                return true;
            case Enqueued::too_large:
                row.method = "fallback";
                row.reason = "too_large";
                table.settle(alert.uuid, row.reason);
                return true;
            case Enqueued::refused:
            case Enqueued::no_room:
                break;
        }
        table.remove(alert.uuid);
        refused.push_back(&alert);
        disk |= answer == Enqueued::no_room;
        return false;
    }

    bool hide_coordinates;
    WallTime now;
    Tally& tally;
    std::int64_t known = 0;
    std::vector<std::string> pending;
    std::vector<AlertRow> rows;  // as they are in the table, of those not counted yet
    std::vector<const Alert*> refused;
    bool disk = false;  // one was refused for want of disk
};

}  // namespace

Pipeline::Pipeline(Queue& queue, Resolver& resolver, bool hide_coordinates)
    : queue_(queue),
      resolver_(resolver),
      processor_(queue,
                 [this](std::span<const Item> items, const std::stop_token& stop) {
                     return resolver_.resolve(items, stop);
                 }),
      holdups_(queue),
      hide_coordinates_(hide_coordinates),
      tally_(hide_coordinates),
      clock_(queue.options().clock),
      batches_(batches_kept) {
    if (!clock_) clock_ = system_clock();
}

void Pipeline::open() {
    queue_.transact([&](Transaction& transaction) {
        AlertsTable table(transaction);
        table.create();
        counts_.lost = table.settle_lost();
        table.reopen_redriven();
        table.each_pending([&](const AlertRow& row) {
            pending_.insert(row.alert.uuid);
            tally_.count(row);
        });
    });
    counts_.resumed = static_cast<std::int64_t>(pending_.size());
}

LeftOut Pipeline::take(const Feed& feed, const std::stop_token& stop) {
    Indexes waiting;
    for (const Alert& alert : feed.alerts) waiting.push_back(&alert);
    while (!waiting.empty() && !stop.stop_requested()) {
        const std::size_t count = std::min(chunk, waiting.size());
        const Refused refused = store(std::span(waiting).first(count));
        waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(count));
        waiting.insert(waiting.begin(), refused.alerts.begin(), refused.alerts.end());
        while (process(When::due, Ms{0}, stop)) {
        }
        progress();
        if (refused.alerts.size() < count) {
            trimmed_ = false;
            continue;
        }
        if (make_room(stop)) continue;
        if (!stop.stop_requested()) return {.alerts = waiting.size(), .disk = refused.disk};
    }
    const auto own = static_cast<std::int64_t>(pending_.size());
    if (tally_.total().pending > own + foreign_max) recount();
    return {};
}

// What is in the queue is processed, or waited for, before newcomers are tried again. False:
// nothing is left that could make room, or only somebody who opens the gate.
bool Pipeline::make_room(const std::stop_token& stop) {
    if (process(When::immediate, slice, stop)) return true;
    if (stop.stop_requested()) return false;
    if (queue_.health().items == 0) {
        // Once, until one is stored: what an attempt adds to the file is free again after it.
        if (std::exchange(trimmed_, true)) return false;
        queue_.cleanup();
        return true;
    }
    return !look_for_holdups(Holdups::Of::any_batch);
}

// Stores in one transaction; answers the alerts that found no room and were not stored.
Pipeline::Refused Pipeline::store(std::span<const Alert* const> alerts) {
    Storing storing(hide_coordinates_, clock_->wall(), tally_);
    try {
        queue_.transact([&](Transaction& transaction) { storing.run(transaction, alerts); });
    } catch (const Error& error) {
        if (error.code() != ErrorCode::disk_full) throw;
        // The disk filled up under the transaction: nothing of it is stored.
        return {.alerts = Indexes(alerts.begin(), alerts.end()), .disk = true};
    }
    counts_.known += storing.known;
    pending_.insert(storing.pending.begin(), storing.pending.end());
    for (const AlertRow& row : storing.rows) tally_.count(row);
    return {.alerts = std::move(storing.refused), .disk = storing.disk};
}

bool Pipeline::process(When when, Ms wait, const std::stop_token& stop) {
    std::vector<RunReport> done;
    if (workers_) {
        done = workers_->take(when, wait, stop);
    } else if (const RunReport report = processor_.run_once(when, wait, stop); report.processed) {
        done.push_back(report);
    }
    count(done);
    while (apply_outcomes() > 0) {
    }
    return !done.empty();
}

void Pipeline::count(const std::vector<RunReport>& done) {
    for (const RunReport& report : done) {
        counts_.attempts += 1;
        if (!batches_.meet(static_cast<std::uint64_t>(report.batch))) counts_.batches += 1;
    }
}

void Pipeline::start_workers(int count) {
    workers_.emplace(processor_, count);
}

// What workers hold is no holdup; only the gate is.
bool Pipeline::look_for_holdups(Holdups::Of of) {
    return holdups_.look(pending_, workers_ ? Holdups::Of::no_batch : of);
}

// Outcomes are read, applied and forgotten in one transaction: none is applied twice, none lost.
std::size_t Pipeline::apply_outcomes() {
    if (queue_.outcomes(1).empty()) return 0;
    std::vector<Outcome> applied;
    std::vector<AlertRow> rows;
    queue_.transact([&](Transaction& transaction) {
        applied = transaction.outcomes(outcomes_chunk);
        rows.clear();
        AlertsTable table(transaction);
        std::vector<std::int64_t> ids;
        for (const Outcome& outcome : applied) {
            if (outcome.state == OutcomeState::resolved) {
                table.resolve(outcome.key, from_result(outcome.result), "no place found",
                              outcome.settled_at);
            } else {
                table.settle(outcome.key, outcome.reason);
            }
            if (tally_.is_open(outcome.key)) {
                if (auto row = table.find(outcome.key)) rows.push_back(std::move(*row));
            }
            ids.push_back(outcome.item_id);
        }
        transaction.forget(ids);
    });
    for (const AlertRow& row : rows) tally_.count(row);
    for (const Outcome& outcome : applied) pending_.erase(outcome.key);
    return applied.size();
}

// Another process on the same file may have applied an outcome of ours.
void Pipeline::forget_settled_elsewhere() {
    std::vector<std::string> settled;
    queue_.transact([&](Transaction& transaction) {
        settled.clear();
        AlertsTable table(transaction);
        table.settle_lost();
        const auto pending = table.pending();
        const std::unordered_set<std::string> still(pending.begin(), pending.end());
        std::copy_if(pending_.begin(), pending_.end(), std::back_inserter(settled),
                     [&](const std::string& uuid) { return !still.contains(uuid); });
    });
    for (const std::string& uuid : settled) pending_.erase(uuid);
    look_up(settled);
}

void Pipeline::look_up(const std::vector<std::string>& uuids) {
    for (std::size_t at = 0; at < uuids.size(); at += outcomes_chunk) {
        const std::size_t end = std::min(uuids.size(), at + outcomes_chunk);
        queue_.transact([&](Transaction& transaction) {
            AlertsTable table(transaction);
            for (std::size_t i = at; i < end; ++i) {
                if (const auto row = table.find(uuids[i])) {
                    tally_.count(*row);
                } else {
                    tally_.remove(uuids[i]);
                }
            }
        });
    }
}

void Pipeline::recount() {
    look_up(tally_.open());
}

bool Pipeline::drain(const std::stop_token& stop) {
    while (!pending_.empty() && !stop.stop_requested()) {
        const bool processed = process(When::immediate, slice, stop);
        progress();
        if (processed) continue;
        forget_settled_elsewhere();
        if (!pending_.empty() && look_for_holdups(Holdups::Of::pending)) break;
    }
    if (workers_) count(workers_->finish());
    workers_.reset();
    if (!stop.stop_requested()) queue_.cleanup();
    while (apply_outcomes() > 0) {
    }
    if (!pending_.empty()) look_for_holdups(Holdups::Of::pending);
    return pending_.empty();
}

void Pipeline::work(const std::stop_token& stop) {
    const bool processed = process(When::due, Ms{0}, stop);
    progress();
    if (processed || pending_.empty()) return;
    look_for_holdups(Holdups::Of::no_batch);
    // Rarely, as it reads all that are pending.
    if (++idle_ % idle_looks == 0) forget_settled_elsewhere();
}

void Pipeline::progress() const {
    if (on_progress) {
        on_progress(static_cast<std::size_t>(tally_.total().alerts), pending_.size());
    }
}

}  // namespace headpond::ingest
