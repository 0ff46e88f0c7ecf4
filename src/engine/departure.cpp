#include "engine/departure.h"

#include <algorithm>

namespace headpond::engine {

using store::BatchRow;
using store::Counters;
using store::ItemRow;

std::string_view to_string(Reason reason) noexcept {
    switch (reason) {
        case Reason::acked:
            return "acked";
        case Reason::rejected:
            return "rejected";
        case Reason::abandoned:
            return "abandoned";
        case Reason::evicted:
            return "evicted";
        case Reason::expired:
            return "expired";
        case Reason::stale:
            return "stale";
        case Reason::cancelled:
            return "cancelled";
    }
    return "?";
}

bool buries(Reason reason, const Settings& settings) noexcept {
    switch (reason) {
        case Reason::rejected:
        case Reason::abandoned:
            return true;
        case Reason::evicted:
        case Reason::expired:
            return settings.keep_dropped != 0;
        default:
            return false;
    }
}

namespace {

std::int64_t Counters::*counter_of(Reason reason) noexcept {
    switch (reason) {
        case Reason::acked:
            return &Counters::acked;
        case Reason::rejected:
            return &Counters::rejected;
        case Reason::abandoned:
            return &Counters::abandoned;
        case Reason::evicted:
            return &Counters::evicted;
        case Reason::cancelled:
            return &Counters::cancelled;
        case Reason::expired:
        case Reason::stale:
            break;
    }
    return &Counters::expired;
}

// Deletes before anything is inserted, so that the freed pages serve the insert on a full disk.
void remove_rows(Context& context, std::span<const Leaving> leaving) {
    for (std::size_t first = 0; first < leaving.size();) {
        std::size_t last = first;
        while (last + 1 < leaving.size() &&
               leaving[last + 1].item->id == leaving[last].item->id + 1) {
            ++last;
        }
        context.tx.remove_items(leaving[first].item->id, leaving[last].item->id);
        first = last + 1;
    }
}

void write_outcomes(Context& context, std::span<const Leaving> leaving, Reason reason) {
    std::vector<store::NewOutcome> rows;
    for (const Leaving& one : leaving) {
        if (!one.item->tracked) continue;
        store::NewOutcome& row = rows.emplace_back();
        row.item_id = one.item->id;
        row.key = one.item->key;
        row.resolved = reason == Reason::acked;
        if (row.resolved) {
            row.result = one.word;
        } else {
            row.reason = to_string(reason);
        }
        row.published_at = one.item->published_at;
        row.queued_at = one.item->enqueued_at;
        row.settled_at = context.now;
    }
    context.tx.add_outcomes(rows);
    context.count(&Counters::outcomes, static_cast<std::int64_t>(rows.size()));
}

void bury(Context& context, const Leaving& one, Reason reason, const BatchRow* batch) {
    store::DeadRow row;
    row.item = *one.item;
    row.reason = to_string(reason);
    if (batch != nullptr) {
        row.batch_id = batch->id;
        row.attempts = batch->attempts;
        row.last_error = batch->last_error;
    }
    if (reason == Reason::rejected) row.last_error = one.word;
    row.died_at = context.now;
    context.tx.bury(row);
    context.count(&Counters::dead_letters, 1);
}

}  // namespace

namespace {
void count_departure(Context& context, const store::RangeSum& gone, Reason reason,
                     BatchRow* batch) {
    context.count(counter_of(reason), gone.items);
    context.count(&Counters::items, -gone.items);
    context.count(&Counters::bytes, -gone.bytes);
    context.count(&Counters::age_sum, -gone.enqueued_at_sum);
    context.effects.wake |= context.settings.overflow_policy() == Overflow::block;
    if (batch == nullptr) return;
    batch->items -= gone.items;
    batch->bytes -= gone.bytes;
    if (batch->leased) {
        context.count(&Counters::leased_items, -gone.items);
        context.count(&Counters::leased_bytes, -gone.bytes);
    } else {
        context.count(&Counters::waiting_items, -gone.items);
    }
}
}  // namespace

void depart(Context& context, std::span<const Leaving> leaving, Reason reason, BatchRow* batch) {
    if (leaving.empty()) return;
    context.require_sync();
    remove_rows(context, leaving);
    write_outcomes(context, leaving, reason);
    store::RangeSum gone;
    for (const Leaving& one : leaving) {
        gone.items += 1;
        gone.bytes += one.item->bytes;
        gone.enqueued_at_sum += one.item->enqueued_at - context.totals.age_base;
        if (buries(reason, context.settings)) bury(context, one, reason, batch);
    }
    count_departure(context, gone, reason, batch);
}

void depart_untracked(Context& context, BatchRow& batch, const store::RangeSum& sum) {
    if (sum.items == 0) return;
    context.require_sync();
    context.tx.remove_items(batch.first_id, batch.last_id);
    count_departure(context, sum, Reason::acked, &batch);
}

void end_batch(Context& context, const BatchRow& batch) {
    context.tx.remove_batch(batch.id);
    context.dirty = true;
    // Not zero only where rows were deleted by hand: the batch's count goes with the batch.
    if (batch.leased) {
        context.count(&Counters::leased_items, -batch.items);
        context.count(&Counters::leased_bytes, -batch.bytes);
    } else {
        context.count(&Counters::waiting_items, -batch.items);
    }
}

void save_or_end(Context& context, BatchRow& batch) {
    if (context.tx.survey(batch.first_id, batch.last_id, 1).empty()) {
        end_batch(context, batch);
    } else {
        context.tx.save_batch(batch);
        context.dirty = true;
    }
}

OldestFirst::OldestFirst(Context& context, bool with_payloads, std::int64_t after)
    : context_(context), with_payloads_(with_payloads), after_batch_(after), after_item_(after) {
    if (after == 0) return;
    const auto around = context_.tx.batch_of(after);
    if (around && !around->leased) after_batch_ = around->first_id - 1;
}

std::vector<ItemRow> OldestFirst::read(std::int64_t first, std::int64_t last, std::int64_t limit) {
    // Payloads are read only to be buried; the budget keeps a transaction's memory bounded.
    constexpr std::int64_t payload_budget = 16 << 20;
    return with_payloads_ ? context_.tx.load(first, last, limit, payload_budget)
                          : context_.tx.survey(first, last, limit);
}

OldestFirst::Victims OldestFirst::next(std::int64_t limit) {
    while (!waiting_done_) {
        if (!batch_) {
            auto found = context_.tx.waiting(after_batch_, 1);
            if (found.empty()) {
                waiting_done_ = true;
                after_item_ = std::max(after_item_, context_.tx.watermark());
                break;
            }
            batch_ = std::move(found.front());
            after_batch_ = batch_->first_id;
            after_item_ = std::max(after_item_, batch_->first_id - 1);
        }
        auto items = read(after_item_ + 1, batch_->last_id, limit);
        if (!items.empty()) {
            after_item_ = items.back().id;
            // A copy: the walker reads the row anew for the next run, as the caller changes it.
            auto current = context_.tx.batch(batch_->id);
            return {.batch = std::move(current), .items = std::move(items)};
        }
        batch_.reset();
    }
    auto items = read(after_item_ + 1, store::no_limit, limit);
    if (!items.empty()) after_item_ = items.back().id;
    return {.batch = std::nullopt, .items = std::move(items)};
}

Evictor::Evictor(Context& context)
    : context_(context), walk_(context, buries(Reason::evicted, context.settings)) {}

std::int64_t Evictor::bring_down(Excess& over, std::int64_t items_max, std::int64_t last_id) {
    std::int64_t gone = 0;
    while (over.any() && gone < items_max) {
        if (next_ == victims_.items.size()) {
            victims_ = walk_.next(64);
            next_ = 0;
        }
        const std::size_t first = next_;
        while (next_ < victims_.items.size() && victims_.items[next_].id <= last_id && over.any() &&
               gone < items_max) {
            over.items = std::max<std::int64_t>(over.items - 1, 0);
            over.bytes = std::max<std::int64_t>(over.bytes - victims_.items[next_].bytes, 0);
            ++gone;
            ++next_;
        }
        if (first == next_) break;
        remove(first, next_);
    }
    return gone;
}

void Evictor::remove(std::size_t first, std::size_t last) {
    std::vector<Leaving> leaving;
    for (std::size_t i = first; i < last; ++i) leaving.push_back({&victims_.items[i], {}});
    BatchRow* batch = victims_.batch ? &*victims_.batch : nullptr;
    depart(context_, leaving, Reason::evicted, batch);
    if (batch != nullptr) save_or_end(context_, *batch);
}

Fill fill_of(const store::Totals& totals) noexcept {
    return {.items = totals.items,
            .bytes = totals.bytes,
            .leased_items = totals.leased_items,
            .leased_bytes = totals.leased_bytes};
}

}  // namespace headpond::engine
