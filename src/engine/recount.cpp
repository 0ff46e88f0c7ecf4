// Sets the counters from the rows, after hand edits or on demand.
#include "engine/operations.h"

namespace headpond::engine {

using store::BatchRow;
using store::Counters;
using store::RangeSum;

namespace {

class Recounting {
  public:
    explicit Recounting(Context& context) : context_(context), base_(context.totals.age_base) {}

    std::int64_t run() {
        std::int64_t covered = 0;  // ids up to here belong to a batch or were adopted
        for (std::int64_t after = 0;;) {
            auto batches = context_.tx.batches(after, 256);
            if (batches.empty()) break;
            for (BatchRow& batch : batches) {
                after = batch.first_id;
                if (batch.first_id <= covered) shorten_previous(batch.first_id - 1);
                adopt(covered + 1, batch.first_id - 1);
                covered = batch.last_id;
                recount_batch(batch);
            }
        }
        add_up(previous_);
        return book();
    }

  private:
    // Ranges overlap only after hand edits of batches: the later one keeps what both claim.
    void shorten_previous(std::int64_t last_id) {
        if (!previous_ || last_id < previous_->first_id) return;
        previous_->last_id = last_id;
        recount_rows(*previous_);
    }

    // Items in no batch below the last batch would never be leased: they become a waiting batch.
    void adopt(std::int64_t first, std::int64_t last) {
        if (first > last) return;
        const auto found = context_.tx.survey(first, last, 1);
        if (found.empty()) return;
        BatchRow batch;
        batch.id = context_.tx.next_batch_id();
        batch.first_id = found.front().id;
        batch.last_id = last;
        const RangeSum sum = context_.tx.sum(batch.first_id, last, base_);
        batch.items = sum.items;
        batch.bytes = sum.bytes;
        batch.not_before = context_.now;
        batch.created_at = context_.now;
        context_.tx.add_batch(batch);
        context_.dirty = true;
        add_up(batch);
    }

    void recount_batch(BatchRow& batch) {
        add_up(previous_);
        previous_.reset();
        if (recount_rows(batch)) previous_ = std::move(batch);
    }

    // False: the batch had no item and is gone.
    bool recount_rows(BatchRow& batch) {
        const RangeSum sum = context_.tx.sum(batch.first_id, batch.last_id, base_);
        if (sum.items == 0) {
            context_.tx.remove_batch(batch.id);
            context_.dirty = true;
            batch.items = batch.bytes = 0;
            return false;
        }
        if (sum.items != batch.items || sum.bytes != batch.bytes) {
            batch.items = sum.items;
            batch.bytes = sum.bytes;
            context_.tx.save_batch(batch);
            context_.dirty = true;
        }
        return true;
    }

    void add_up(const std::optional<BatchRow>& batch) {
        if (!batch) return;
        if (batch->leased) {
            leased_items_ += batch->items;
            leased_bytes_ += batch->bytes;
        } else {
            waiting_items_ += batch->items;
        }
    }

    std::int64_t book() {
        const RangeSum all = context_.tx.sum(0, store::no_limit, base_);
        const std::int64_t edited = all.items - context_.totals.items;
        set(&Counters::edited, context_.totals.edited + edited);
        set(&Counters::items, all.items);
        set(&Counters::bytes, all.bytes);
        set(&Counters::age_sum, all.enqueued_at_sum);
        set(&Counters::waiting_items, waiting_items_);
        set(&Counters::leased_items, leased_items_);
        set(&Counters::leased_bytes, leased_bytes_);
        set(&Counters::outcomes, context_.tx.count_outcomes());
        set(&Counters::dead_letters, context_.tx.count_dead({.limit = store::no_limit}));
        return edited;
    }
    void set(std::int64_t Counters::*counter, std::int64_t value) {
        context_.count(counter, value - context_.totals.*counter);
    }

    Context& context_;
    const store::Millis base_;
    std::optional<BatchRow> previous_;  // counted, not yet added up: the next may shorten it
    std::int64_t waiting_items_ = 0, leased_items_ = 0, leased_bytes_ = 0;
};

}  // namespace

std::int64_t recount(Context& context) {
    return Recounting(context).run();
}

}  // namespace headpond::engine
