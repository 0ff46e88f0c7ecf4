// Leasing and recovery: rules 3, 4, 6, 7 and 17 of the model.
#include "reliability/model.h"

#include <algorithm>

namespace headpond::reliability::model {

std::int64_t Model::allowed(const ModelBatch& batch) const {
    return std::max(limits.attempts_max, batch.attempts_max.value_or(0));
}

// Full jitter: anything from 0 to the ceiling, which doubles with each attempt.
Millis Model::backoff(std::int64_t attempts, std::uint64_t random) const {
    Millis ceiling = limits.backoff_base;
    for (std::int64_t i = 1; i < attempts; ++i) ceiling *= 2;
    ceiling = std::min(ceiling, limits.backoff_max);
    return static_cast<Millis>(random % static_cast<std::uint64_t>(ceiling + 1));
}

void Model::finish_attempt(const ModelBatch& batch, std::string_view outcome,
                           std::string_view error, std::int64_t acked) {
    for (const auto& [id, row] : running_) {
        if (id != batch.id) continue;
        attempts_[row].outcome = outcome;
        attempts_[row].error = error;
        if (acked >= 0) attempts_[row].items = acked;
    }
}

void Model::park(ModelBatch& batch, Millis not_before) {
    batch.leased = batch.owned = false;
    batch.lease_expires_at.reset();
    batch.not_before = not_before;
    gone_.erase(batch.id);
}

void Model::owner_died(std::string_view token) {
    const ModelBatch* batch = find_token(token);
    if (batch != nullptr && batch->leased && batch->owned) gone_.insert(batch->id);
}

// The lapse comes first: a batch that lapsed waits out its backoff, whether its owner lives or not.
void Model::recover(const Moment& at, CleanupReport& report) {
    for (ModelBatch& batch : batches_) {
        if (!batch.leased || *batch.lease_expires_at > at.now) continue;
        batch.last_error = "lease lapsed";
        finish_attempt(batch, "lapsed", batch.last_error);
        park(batch, *batch.lease_expires_at + backoff(batch.attempts, at.random));
        report.reclaimed += 1;
    }
    const std::set<std::int64_t> gone = gone_;
    for (const std::int64_t id : gone) {
        ModelBatch& batch = *find(id);
        batch.last_error = "owner died";
        finish_attempt(batch, "owner_died", batch.last_error);
        report.reclaimed += 1;
        for (const ModelItem& item : items_of(id)) {
            if (stale(item, at.now)) leave(item, "stale", {}, at.now);
        }
        end_if_empty(id);
        if (find(id) == nullptr) continue;
        park(*find(id), at.now);
        if (find(id)->attempts < allowed(*find(id))) continue;
        // Of several items to be isolated, the split is left to whoever finds the batch due.
        if (limits.isolate_poison != 0 && items_of(id).size() > 1) continue;
        report.abandoned += give_up(id, at.now) ? 1 : 0;
    }
}

bool Model::give_up(std::int64_t batch, Millis now) {
    for (const ModelItem& item : items_of(batch)) {
        if (stale(item, now)) leave(item, "stale", {}, now);
    }
    end_if_empty(batch);
    if (find(batch) == nullptr) return false;
    const auto items = items_of(batch);
    if (limits.isolate_poison != 0 && items.size() > 1) {
        split(batch, now);
        return true;
    }
    for (const ModelItem& item : items) leave(item, "abandoned", {}, now);
    end(batch);
    ++counters_[c_failed_batches];
    return true;
}

void Model::split(std::int64_t batch, Millis now) {
    const ModelBatch parent = *find(batch);
    const auto items = items_of(batch);
    end(batch);
    const std::size_t half = (items.size() + 1) / 2;
    for (const auto& [first, last] : {std::pair{std::size_t{0}, half}, {half, items.size()}}) {
        ModelBatch part;
        part.id = ++batches_issued_;
        part.attempts = parent.attempts;
        part.releases = parent.releases;
        part.attempts_max = std::max(limits.attempts_max, parent.attempts + 1);
        part.parent = parent.id;
        part.not_before = now;
        part.last_error = parent.last_error;
        batches_.push_back(part);
        for (std::size_t i = first; i < last; ++i) {
            for (ModelItem& item : items_) {
                if (item.id == items[i].id) item.batch = part.id;
            }
        }
    }
}

// --- leasing -------------------------------------------------------------------------------------

std::optional<ModelLease> Model::lease(const Moment& at, const LeaseRequest& request, bool& flush) {
    cleanup_if_due(at);
    const Before start = before();
    CleanupReport unused;
    recover(at, unused);
    const ModelGate gate = gate_.at(at.now);
    const ModelBatch* trial = gate.trial ? find(*gate.trial) : nullptr;
    const bool trial_runs = gate.state == "half_open" && trial != nullptr && trial->leased;
    std::optional<ModelLease> lease;
    if (gate.state != "closed" && !trial_runs) {
        auto batch = take_due(at.now);
        if (!batch) batch = cut(at, request, flush);
        if (batch) lease = hold(*batch, at, request);
        if (!lease) flush = false;
        if (lease && gate.state == "half_open") {
            gate_ = gate;
            gate_.trial = lease->batch;
        }
    }
    finish(start);
    return lease;
}

// The waiting batch that has been due the longest; those that have used their attempts die on the
// way.
std::optional<std::int64_t> Model::take_due(Millis now) {
    for (;;) {
        const ModelBatch* due = nullptr;
        for (const ModelBatch& batch : batches_) {
            if (batch.leased || *batch.not_before > now) continue;
            if (due == nullptr || *batch.not_before < *due->not_before) due = &batch;
        }
        if (due == nullptr) return std::nullopt;
        if (due->attempts < allowed(*due)) return due->id;
        give_up(due->id, now);
    }
}

std::optional<std::int64_t> Model::cut(const Moment& at, const LeaseRequest& request, bool flush) {
    const auto ready = items_of(0);
    if (ready.empty()) return std::nullopt;
    const bool due = std::ssize(ready) >= limits.batch_items_due ||
                     ready.front().enqueued_at + limits.batch_linger <= at.now;
    if (request.when == When::due && !flush && !due) return std::nullopt;
    ModelBatch batch;
    batch.id = ++batches_issued_;
    const std::int64_t most =
        std::min(limits.batch_items_max, request.items_max.value_or(limits.batch_items_max));
    std::int64_t taken = 0;
    std::int64_t bytes = 0;
    for (ModelItem& item : items_) {
        if (item.batch != 0) continue;
        bytes += item.bytes();
        // One item always fits.
        if (taken == most || (taken > 0 && bytes > limits.batch_bytes_max)) break;
        item.batch = batch.id;
        ++taken;
    }
    batches_.push_back(batch);
    return batch.id;
}

ModelLease Model::hold(std::int64_t id, const Moment& at, const LeaseRequest& request) {
    ModelBatch& batch = *find(id);
    const auto items = items_of(id);
    batch.leased = true;
    batch.owned = !request.detached;
    batch.attempts += 1;
    batch.not_before.reset();
    batch.lease_expires_at = at.now + request.lease_time.value().count();
    ++counters_[c_attempts];
    std::erase_if(running_, [&](const auto& one) { return one.first == id; });
    running_.emplace_back(id, attempts_.size());
    attempts_.push_back({.batch = id, .attempt = batch.attempts, .items = std::ssize(items)});
    return {.batch = id,
            .attempt = batch.attempts,
            .attempts_max = allowed(batch),
            .items = items,
            .deadline = *batch.lease_expires_at};
}

}  // namespace headpond::reliability::model
