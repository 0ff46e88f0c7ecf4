// Entering and leaving: rules 1, 10 and 11 of the model.
#include "reliability/model.h"

#include <algorithm>

namespace headpond::reliability::model {

ModelGate ModelGate::at(Millis now) const {
    ModelGate gate = *this;
    if (gate.state == "closed" && gate.until && *gate.until <= now) {
        gate.state = "half_open";
        gate.trial.reset();
    }
    return gate;
}

QueueState Model::state() const {
    QueueState state{.items = items_,
                     .batches = batches_,
                     .outcomes = outcomes_,
                     .dead = dead_,
                     .gate = gate_,
                     .counters = counters_};
    state.counters[c_items] = items(false);
    state.counters[c_bytes] = bytes(false);
    state.counters[c_leased_items] = items(true);
    state.counters[c_leased_bytes] = bytes(true);
    for (const ModelItem& item : items_) {
        if (item.batch != 0 && !leased(item)) ++state.counters[c_waiting_items];
    }
    state.counters[c_outcomes] = std::ssize(outcomes_);
    state.counters[c_dead_letters] = std::ssize(dead_);
    return state;
}

// --- looking -------------------------------------------------------------------------------------

ModelBatch* Model::find(std::int64_t batch) {
    for (ModelBatch& one : batches_) {
        if (one.id == batch) return &one;
    }
    return nullptr;
}

ModelBatch* Model::find_token(std::string_view token) {
    for (ModelBatch& one : batches_) {
        if (!one.token.empty() && one.token == token) return &one;
    }
    return nullptr;
}

std::vector<ModelItem> Model::items_of(std::int64_t batch) const {
    std::vector<ModelItem> found;
    for (const ModelItem& item : items_) {
        if (item.batch == batch) found.push_back(item);
    }
    return found;
}

bool Model::leased(const ModelItem& item) const {
    return std::any_of(batches_.begin(), batches_.end(), [&](const ModelBatch& batch) {
        return batch.id == item.batch && batch.leased;
    });
}

// Ready or waiting, oldest first.
std::vector<ModelItem> Model::droppable() const {
    std::vector<ModelItem> found;
    for (const ModelItem& item : items_) {
        if (!leased(item)) found.push_back(item);
    }
    return found;
}

bool Model::resident(std::string_view key) const {
    return std::any_of(items_.begin(), items_.end(),
                       [&](const ModelItem& item) { return item.key == key; });
}

std::int64_t Model::items(bool leased_only) const {
    return std::count_if(items_.begin(), items_.end(),
                         [&](const ModelItem& item) { return !leased_only || leased(item); });
}

std::int64_t Model::bytes(bool leased_only) const {
    std::int64_t sum = 0;
    for (const ModelItem& item : items_) {
        if (!leased_only || leased(item)) sum += item.bytes();
    }
    return sum;
}

bool Model::stale(const ModelItem& item, Millis now) const {
    if (!item.tracked) return false;
    return now > item.stale_at.value_or(item.enqueued_at + limits.pending_max);
}

// --- leaving -------------------------------------------------------------------------------------

void Model::leave(const ModelItem& item, std::string_view reason, std::string_view word,
                  Millis now) {
    const bool acked = reason == "acked";
    if (item.tracked) {
        ModelOutcome outcome{.item_id = item.id,
                             .key = item.key,
                             .state = acked ? "resolved" : "fallback",
                             .reason = std::string(acked ? "" : reason),
                             .result = std::string(acked ? word : ""),
                             .published_at = item.published_at,
                             .queued_at = item.enqueued_at,
                             .settled_at = now};
        const auto place =
            std::find_if(outcomes_.begin(), outcomes_.end(),
                         [&](const ModelOutcome& one) { return one.item_id > item.id; });
        outcomes_.insert(place, std::move(outcome));
    }
    const bool dropped = reason == "evicted" || reason == "expired";
    if (reason == "rejected" || reason == "abandoned" || (dropped && limits.keep_dropped != 0)) {
        ModelDead dead{.item_id = item.id,
                       .key = item.key,
                       .source_tag = item.source_tag,
                       .payload = item.payload,
                       .tracked = item.tracked,
                       .enqueued_at = item.enqueued_at,
                       .published_at = item.published_at,
                       .reason = std::string(reason),
                       .batch = std::nullopt,
                       .died_at = now};
        if (const ModelBatch* batch = find(item.batch)) {
            dead.batch = batch->id;
            dead.attempts = batch->attempts;
            dead.last_error = batch->last_error;
        }
        if (reason == "rejected") dead.last_error = word;
        const auto place = std::find_if(dead_.begin(), dead_.end(), [&](const ModelDead& one) {
            return one.died_at > now || (one.died_at == now && one.item_id > item.id);
        });
        dead_.insert(place, std::move(dead));
    }
    counters_[acked                   ? c_acked
              : reason == "rejected"  ? c_rejected
              : reason == "abandoned" ? c_abandoned
              : reason == "evicted"   ? c_evicted
              : reason == "cancelled" ? c_cancelled
                                      : c_expired] += 1;
    std::erase_if(items_, [id = item.id](const ModelItem& one) { return one.id == id; });
}

void Model::end(std::int64_t batch) {
    std::erase_if(batches_, [&](const ModelBatch& one) { return one.id == batch; });
    gone_.erase(batch);
}

void Model::end_if_empty(std::int64_t batch) {
    if (batch != 0 && items_of(batch).empty()) end(batch);
}

void Model::drop(const ModelItem& item, std::string_view reason, Millis now) {
    leave(item, reason, {}, now);
    end_if_empty(item.batch);
}

void Model::evict(std::int64_t items_over, std::int64_t bytes_over, std::int64_t most, Millis now) {
    for (const ModelItem& item : droppable()) {
        if ((items_over <= 0 && bytes_over <= 0) || most-- <= 0) return;
        items_over -= 1;
        bytes_over -= item.bytes();
        drop(item, "evicted", now);
    }
}

void Model::drop_outcomes(std::size_t count) {
    outcomes_.erase(outcomes_.begin(), outcomes_.begin() + static_cast<std::ptrdiff_t>(count));
    counters_[c_outcomes_unclaimed] += static_cast<std::int64_t>(count);
}

// Outcomes and dead letters are bounded: beside what an operation adds, cleanup_rows of an old
// excess go.
void Model::finish(const Before& before) {
    const auto excess = [&](std::size_t size, std::size_t size_before, std::int64_t bound) {
        const auto over = static_cast<std::int64_t>(size) - bound;
        const auto added = static_cast<std::int64_t>(size) - static_cast<std::int64_t>(size_before);
        if (over <= 0 || added <= 0) return std::size_t{0};
        return static_cast<std::size_t>(std::min(over, added + limits.cleanup_rows));
    };
    drop_outcomes(excess(outcomes_.size(), before.outcomes, limits.outcomes_max));
    const std::size_t dead = excess(dead_.size(), before.dead, limits.dead_max);
    dead_.erase(dead_.begin(), dead_.begin() + static_cast<std::ptrdiff_t>(dead));
}

// --- entering ------------------------------------------------------------------------------------

std::vector<Enqueued> Model::enqueue(const Moment& at, std::span<const NewItem> newcomers) {
    const Before start = before();
    std::vector<Enqueued> answers;
    bool stored = false;
    for (const NewItem& newcomer : newcomers) {
        answers.push_back(admit(at, newcomer));
        stored |= answers.back() == Enqueued::stored;
        if (answers.back() == Enqueued::duplicate) {
            ++counters_[c_duplicates];
        } else if (answers.back() != Enqueued::stored) {
            ++counters_[c_refused];
        }
    }
    if (stored && evicts()) {
        evict(items(false) - limits.items_max, bytes(false) - limits.bytes_max, limits.cleanup_rows,
              at.now);
    }
    finish(start);
    return answers;
}

Enqueued Model::admit(const Moment& at, const NewItem& newcomer) {
    const auto size = std::ssize(newcomer.payload);
    if (resident(newcomer.key)) {
        // AUTOINCREMENT gives an id to an insert that meets a duplicate too; where there is no
        // room, none is tried. Ids are only promised to grow: this makes the model's the file's.
        const bool tried = size <= limits.payload_bytes_max && items(false) < limits.items_max &&
                           bytes(false) + size <= limits.bytes_max;
        if (tried && !mapped_) ++items_issued_;
        return Enqueued::duplicate;
    }
    if (size > limits.payload_bytes_max || size > limits.bytes_max) return Enqueued::too_large;
    // What may not be evicted must leave room.
    const bool leased_only = evicts();
    if (items(leased_only) + 1 > limits.items_max || bytes(leased_only) + size > limits.bytes_max) {
        return Enqueued::refused;
    }
    // What the newcomer needs; an older excess is not its debt.
    evict(std::min<std::int64_t>(1, items(false) + 1 - limits.items_max),
          std::min<std::int64_t>(size, bytes(false) + size - limits.bytes_max), items(false),
          at.now);
    return store(at, newcomer);
}

Enqueued Model::store(const Moment& at, const NewItem& newcomer) {
    ModelItem item;
    item.id = ++items_issued_;
    item.key = newcomer.key;
    item.source_tag = newcomer.source_tag;
    item.payload = newcomer.payload;
    item.tracked = newcomer.tracking == Tracking::tracked;
    item.enqueued_at = at.now;
    if (newcomer.published_at)
        item.published_at = newcomer.published_at->time_since_epoch().count();
    if (item.tracked && limits.stale_from_published != 0 && item.published_at) {
        item.stale_at = *item.published_at + limits.pending_max;
    }
    items_.push_back(std::move(item));
    ++counters_[c_enqueued];
    return Enqueued::stored;
}

bool Model::cancel(const Moment& at, std::string_view key) {
    const Before start = before();
    for (const ModelItem& item : droppable()) {
        if (item.key != key) continue;
        drop(item, "cancelled", at.now);
        finish(start);
        return true;
    }
    return false;
}

std::size_t Model::forget(std::span<const std::int64_t> ids) {
    return std::erase_if(outcomes_, [&](const ModelOutcome& one) {
        return std::find(ids.begin(), ids.end(), one.item_id) != ids.end();
    });
}

}  // namespace headpond::reliability::model
