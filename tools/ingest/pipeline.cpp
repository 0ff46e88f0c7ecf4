#include "pipeline.h"

#include "alerts_table.h"

#include <headpond/admin.h>

#include <algorithm>

namespace headpond::ingest {

namespace {

// Alerts stored in one transaction: few enough that other writers wait little.
constexpr std::size_t chunk = 50;
constexpr std::size_t outcomes_chunk = 500;

AlertRow row_of(const Alert& alert, bool hide_coordinates) {
    AlertRow row;
    row.alert = alert;
    const bool placed = alert.latitude && alert.longitude;
    if (placed && hide_coordinates) {
        row.feed_latitude = alert.latitude;
        row.feed_longitude = alert.longitude;
    }
    if (placed && !hide_coordinates) {
        row.method = "feed";
        row.confidence = "high";
    } else {
        row.alert.latitude.reset();
        row.alert.longitude.reset();
        row.method = "batch_pending";
        row.confidence = "none";
    }
    return row;
}

}  // namespace

Pipeline::Pipeline(Queue& queue, Resolver& resolver, bool hide_coordinates)
    : queue_(queue),
      resolver_(resolver),
      processor_(queue,
                 [this](std::span<const Item> items, const std::stop_token& stop) {
                     return resolver_.resolve(items, stop);
                 }),
      hide_coordinates_(hide_coordinates) {}

void Pipeline::open() {
    queue_.transact([&](Transaction& transaction) {
        AlertsTable table(transaction);
        table.create();
        counts_.lost = table.settle_lost();
        for (auto& uuid : table.pending()) pending_.insert(std::move(uuid));
    });
    counts_.resumed = static_cast<std::int64_t>(pending_.size());
    uuids_ = pending_;
}

void Pipeline::take(const Feed& feed, const std::stop_token& stop) {
    Indexes waiting;
    for (const Alert& alert : feed.alerts) waiting.push_back(&alert);
    while (!waiting.empty() && !stop.stop_requested()) {
        const std::size_t count = std::min(chunk, waiting.size());
        const Indexes refused = store(std::span(waiting).first(count));
        waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(count));
        while (process(When::due, Ms{0}, stop)) {
        }
        progress();
        if (refused.empty()) continue;
        // Full: what is in the queue must be processed first. Without progress it never will be.
        constexpr Ms patience{10'000};
        if (refused.size() == count && !process(When::immediate, patience, stop)) {
            if (!stop.stop_requested()) give_up_on(*refused.front());
            waiting.insert(waiting.begin(), refused.begin() + (stop.stop_requested() ? 0 : 1),
                           refused.end());
        } else {
            waiting.insert(waiting.begin(), refused.begin(), refused.end());
        }
    }
}

// One transaction; answers the alerts that found no room in the queue and were not stored.
Pipeline::Indexes Pipeline::store(std::span<const Alert* const> alerts) {
    Indexes refused;
    std::int64_t known = 0;
    std::vector<std::string> pending;
    queue_.transact([&](Transaction& transaction) {
        refused.clear();
        pending.clear();
        known = 0;
        AlertsTable table(transaction);
        for (const Alert* alert : alerts) {
            const AlertRow row = row_of(*alert, hide_coordinates_);
            if (!table.add(row)) {
                // One that was refused a moment ago was not stored; one that was is known.
                known += uuids_.contains(alert->uuid) ? 0 : 1;
                continue;
            }
            if (row.method != "batch_pending") continue;
            const std::string payload = to_payload(*alert);
            const Enqueued answer = transaction.enqueue({.key = alert->uuid,
                                                         .source_tag = alert->source_tag,
                                                         .payload = payload,
                                                         .tracking = Tracking::tracked,
                                                         .published_at = alert->published_at});
            switch (answer) {
                case Enqueued::stored:
                case Enqueued::duplicate:
                    pending.push_back(alert->uuid);
                    break;
                case Enqueued::too_large:
                    table.settle(alert->uuid, {}, "too_large");
                    break;
                case Enqueued::refused:
                case Enqueued::no_room:
                    table.remove(alert->uuid);
                    refused.push_back(alert);
                    break;
            }
        }
    });
    counts_.known += known;
    pending_.insert(pending.begin(), pending.end());
    for (const Alert* alert : alerts) {
        if (std::find(refused.begin(), refused.end(), alert) == refused.end()) {
            uuids_.insert(alert->uuid);
        }
    }
    return refused;
}

// The queue stays full and nothing can be leased: the alert is kept, as a fallback.
void Pipeline::give_up_on(const Alert& alert) {
    queue_.transact([&](Transaction& transaction) {
        AlertsTable table(transaction);
        if (table.add(row_of(alert, hide_coordinates_))) table.settle(alert.uuid, {}, "refused");
    });
    uuids_.insert(alert.uuid);
}

bool Pipeline::process(When when, Ms wait, const std::stop_token& stop) {
    const RunReport report = processor_.run_once(when, wait, stop);
    if (report.processed) {
        counts_.attempts += 1;
        if (batches_.insert(report.batch).second) counts_.batches += 1;
    }
    while (apply_outcomes() > 0) {
    }
    return report.processed;
}

// Outcomes are read, applied and forgotten in one transaction: none is applied twice, none lost.
std::size_t Pipeline::apply_outcomes() {
    if (queue_.outcomes(1).empty()) return 0;
    std::vector<Outcome> applied;
    queue_.transact([&](Transaction& transaction) {
        applied = transaction.outcomes(outcomes_chunk);
        AlertsTable table(transaction);
        std::vector<std::int64_t> ids;
        for (const Outcome& outcome : applied) {
            const bool resolved = outcome.state == OutcomeState::resolved;
            const auto location = resolved ? from_result(outcome.result) : std::nullopt;
            table.settle(outcome.key, location, resolved ? "no place found" : outcome.reason);
            ids.push_back(outcome.item_id);
        }
        transaction.forget(ids);
    });
    for (const Outcome& outcome : applied) pending_.erase(outcome.key);
    return applied.size();
}

// Another process on the same file may have applied an outcome of ours.
void Pipeline::forget_settled_elsewhere() {
    queue_.transact([&](Transaction& transaction) {
        AlertsTable table(transaction);
        table.settle_lost();
        const auto pending = table.pending();
        const std::unordered_set<std::string> still(pending.begin(), pending.end());
        std::erase_if(pending_, [&](const std::string& uuid) { return !still.contains(uuid); });
    });
}

bool Pipeline::closed_until_reopened() {
    const Gate gate = Admin(queue_).gate();
    return gate.state == "closed" && !gate.until;
}

bool Pipeline::drain(const std::stop_token& stop) {
    constexpr Ms slice{500};
    while (!pending_.empty() && !stop.stop_requested()) {
        const bool processed = process(When::immediate, slice, stop);
        progress();
        if (processed) continue;
        if (closed_until_reopened()) break;
        forget_settled_elsewhere();
    }
    if (!stop.stop_requested()) queue_.cleanup();
    while (apply_outcomes() > 0) {
    }
    return pending_.empty();
}

void Pipeline::progress() const {
    if (on_progress) on_progress(uuids_.size(), pending_.size());
}

}  // namespace headpond::ingest
