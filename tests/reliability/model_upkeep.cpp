// Cleanup, dead letters and comparison: rules 2, 10 and 11 of the model.
#include "reliability/model.h"

#include <algorithm>
#include <sstream>

namespace headpond::reliability::model {

void Model::cleanup_if_due(const Moment& at) {
    if (at.now - last_cleanup_ >= limits.cleanup_interval) (void)cleanup(at);
}

CleanupReport Model::cleanup(const Moment& at) {
    CleanupReport report;
    last_cleanup_ = at.now;
    recover(at, report);
    std::vector<std::int64_t> exhausted;
    for (const ModelItem& item : items_) {  // in the order of their items
        const ModelBatch* batch = item.batch != 0 ? find(item.batch) : nullptr;
        if (batch == nullptr || batch->leased || *batch->not_before > at.now) continue;
        const bool known = !exhausted.empty() && exhausted.back() == batch->id;
        if (batch->attempts >= allowed(*batch) && !known) exhausted.push_back(batch->id);
    }
    for (const std::int64_t batch : exhausted) report.abandoned += give_up(batch, at.now) ? 1 : 0;
    for (const ModelItem& item : droppable()) {
        if (at.now - item.enqueued_at <= limits.age_max) continue;
        drop(item, "expired", at.now);
        report.expired += 1;
    }
    for (const ModelItem& item : droppable()) {
        if (!stale(item, at.now)) continue;
        drop(item, "stale", at.now);
        report.stale += 1;
    }
    if (evicts()) {
        const std::int64_t held = items(false);
        evict(held - limits.items_max, bytes(false) - limits.bytes_max, held, at.now);
        report.evicted = held - items(false);
    }
    while (!dead_.empty() && (std::ssize(dead_) > limits.dead_max ||
                              at.now - dead_.front().died_at > limits.dead_age_max)) {
        dead_.erase(dead_.begin());
    }
    const std::int64_t over = std::ssize(outcomes_) - limits.outcomes_max;
    drop_outcomes(static_cast<std::size_t>(std::max<std::int64_t>(over, 0)));
    counters_[c_outcomes_unclaimed] +=
        static_cast<std::int64_t>(std::erase_if(outcomes_, [&](const ModelOutcome& one) {
            return at.now - one.settled_at > limits.outcome_age_max;
        }));
    return report;
}

Redriven Model::redrive(const Moment& at, const DeadFilter& filter) {
    Redriven answer;
    std::vector<ModelDead> found;
    for (const ModelDead& dead : dead_) {
        if (found.size() < filter.limit && (filter.reason.empty() || dead.reason == filter.reason))
            found.push_back(dead);
    }
    for (const ModelDead& dead : found) {
        const auto size = std::ssize(dead.payload);
        const bool room = size <= limits.payload_bytes_max && items(false) < limits.items_max &&
                          bytes(false) + size <= limits.bytes_max;
        if (resident(dead.key)) {
            if (room && !mapped_) ++items_issued_;  // as in admit
            answer.duplicates += 1;
            continue;
        }
        if (size > limits.payload_bytes_max || size > limits.bytes_max) {
            answer.remaining += 1;
            continue;
        }
        if (!room) {
            answer.remaining = std::ssize(found) - answer.redriven - answer.duplicates;
            break;
        }
        ModelItem item{.id = ++items_issued_,
                       .key = dead.key,
                       .source_tag = dead.source_tag,
                       .payload = dead.payload,
                       .tracked = dead.tracked,
                       .enqueued_at = at.now,
                       .published_at = dead.published_at};
        items_.push_back(std::move(item));
        std::erase_if(dead_, [&](const ModelDead& one) { return one.item_id == dead.item_id; });
        (void)forget(std::array{dead.item_id});
        ++counters_[c_redriven];
        answer.redriven += 1;
    }
    return answer;
}

std::int64_t Model::purge(const DeadFilter& filter) {
    std::size_t left = filter.limit;
    return static_cast<std::int64_t>(std::erase_if(dead_, [&](const ModelDead& one) {
        if (left == 0 || (!filter.reason.empty() && one.reason != filter.reason)) return false;
        left -= 1;
        return true;
    }));
}

std::vector<Millis> Model::events() const {
    std::vector<Millis> all;
    for (const ModelBatch& batch : batches_) {
        all.push_back(batch.leased ? *batch.lease_expires_at : *batch.not_before);
    }
    if (gate_.until) all.push_back(*gate_.until);
    for (const ModelItem& item : items_) {
        all.push_back(item.enqueued_at + limits.age_max);
        all.push_back(item.stale_at.value_or(item.enqueued_at + limits.pending_max));
        if (item.batch == 0) all.push_back(item.enqueued_at + limits.batch_linger);
    }
    all.push_back(last_cleanup_ + limits.cleanup_interval);
    return all;
}

// --- comparison ----------------------------------------------------------------------------------

namespace {

constexpr std::array<std::string_view, counters_known> counter_names{
    "enqueued",      "redriven",       "edited",       "acked",
    "rejected",      "evicted",        "expired",      "abandoned",
    "cancelled",     "refused",        "duplicates",   "outcomes_unclaimed",
    "attempts",      "failed_batches", "items",        "bytes",
    "waiting_items", "leased_items",   "leased_bytes", "outcomes",
    "dead_letters"};

std::string text(const std::optional<std::int64_t>& value) {
    return value ? std::to_string(*value) : "none";
}

std::ostream& operator<<(std::ostream& out, const ModelItem& item) {
    return out << "item " << item.id << " (key " << item.key << ", tag '" << item.source_tag
               << "', " << item.bytes() << " B, " << (item.tracked ? "" : "un")
               << "tracked, enqueued " << item.enqueued_at << ", published "
               << text(item.published_at) << ", stale " << text(item.stale_at) << ", batch "
               << item.batch << ")";
}

std::ostream& operator<<(std::ostream& out, const ModelBatch& batch) {
    return out << "batch " << batch.id << " ("
               << (batch.leased ? batch.owned ? "leased" : "leased, detached" : "waiting")
               << ", attempts " << batch.attempts << ", releases " << batch.releases
               << ", attempts_max " << text(batch.attempts_max) << ", parent " << text(batch.parent)
               << ", token '" << batch.token << "', until " << text(batch.lease_expires_at)
               << ", not before " << text(batch.not_before) << ", error '" << batch.last_error
               << "')";
}

std::ostream& operator<<(std::ostream& out, const ModelOutcome& one) {
    return out << "outcome of item " << one.item_id << " (key " << one.key << ", " << one.state
               << " " << one.reason << ", result '" << one.result << "', published "
               << text(one.published_at) << ", queued " << one.queued_at << ", settled "
               << one.settled_at << ")";
}

std::ostream& operator<<(std::ostream& out, const ModelDead& dead) {
    return out << "dead letter of item " << dead.item_id << " (key " << dead.key << ", "
               << dead.payload.size() << " B, " << dead.reason << ", batch " << text(dead.batch)
               << ", attempts " << dead.attempts << ", error '" << dead.last_error << "', died "
               << dead.died_at << ")";
}

template <class Row>
std::string row_difference(const std::vector<Row>& expected, const std::vector<Row>& seen) {
    if (expected == seen) return {};
    const auto [e, s] = std::mismatch(expected.begin(), expected.end(), seen.begin(), seen.end());
    std::ostringstream out;
    out << "expected ";
    e == expected.end() ? out << "no more" : out << *e;
    out << "; the file has ";
    s == seen.end() ? out << "no more" : out << *s;
    return out.str();
}

std::string shown(const ModelGate& gate) {
    return gate.state + " until " + text(gate.until) + ", reason '" + gate.reason + "', trial " +
           text(gate.trial) + ", failures " + std::to_string(gate.failures) + ", closures " +
           std::to_string(gate.closures);
}

}  // namespace

std::string difference(const QueueState& expected, const QueueState& seen) {
    for (std::string found : {row_difference(expected.items, seen.items),
                              row_difference(expected.batches, seen.batches),
                              row_difference(expected.outcomes, seen.outcomes),
                              row_difference(expected.dead, seen.dead)}) {
        if (!found.empty()) return found;
    }
    if (expected.gate != seen.gate) {
        return "gate: expected " + shown(expected.gate) + "; the file has " + shown(seen.gate);
    }
    for (std::size_t i = 0; i < counters_known; ++i) {
        if (expected.counters[i] == seen.counters[i]) continue;
        return "counter " + std::string(counter_names[i]) + ": expected " +
               std::to_string(expected.counters[i]) + "; the file has " +
               std::to_string(seen.counters[i]);
    }
    return {};
}

}  // namespace headpond::reliability::model
