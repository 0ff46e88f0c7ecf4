#include "engine/batches.h"
#include "engine/departure.h"
#include "engine/operations.h"
#include "engine/rules.h"
#include "engine/text.h"

#include <headpond/error.h>

#include <algorithm>
#include <map>
#include <string>

namespace headpond::engine {

using store::AttemptOutcome;
using store::BatchRow;
using store::Counters;
using store::ItemRow;

namespace {

constexpr std::size_t error_bytes_max = 1000;

// The batch that a token still proves; nullopt is fenced.
std::optional<BatchRow> proven(Context& context, std::string_view token) {
    const auto id = batch_of_token(token);
    if (!id) return std::nullopt;
    auto batch = context.tx.batch(*id);
    if (!batch || batch->lease_token.empty() || batch->lease_token != token) return std::nullopt;
    return batch;
}

// Which of the batch's items a settlement names, and for what.
struct Parts {
    std::vector<Leaving> acked, rejected, rest;
    std::int64_t gone = 0;
};

class Partition {
  public:
    Partition(const std::vector<ItemRow>& rows, const Settings& settings)
        : rows_(rows), settings_(settings), taken_(rows.size(), false) {}

    Parts run(const Settlement& settlement) {
        for (const Result& one : settlement.acked) {
            check_result(one);
            take(one.item_id, one.key, one.result, parts_.acked);
        }
        for (const Rejection& one : settlement.rejected) {
            take(one.item_id, one.key, one.reason, parts_.rejected);
        }
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            if (!taken_[i]) parts_.rest.push_back({&rows_[i], {}});
        }
        if (settlement.rest == Rest::ack) {
            parts_.acked.insert(parts_.acked.end(), parts_.rest.begin(), parts_.rest.end());
            parts_.rest.clear();
        }
        const auto by_id = [](const Leaving& a, const Leaving& b) {
            return a.item->id < b.item->id;
        };
        std::sort(parts_.acked.begin(), parts_.acked.end(), by_id);
        std::sort(parts_.rejected.begin(), parts_.rejected.end(), by_id);
        return std::move(parts_);
    }

  private:
    void check_result(const Result& one) const {
        if (static_cast<std::int64_t>(one.result.size()) <= settings_.payload_bytes_max) return;
        throw Error(ErrorCode::misuse, "settle", "",
                    "a result has " + std::to_string(one.result.size()) +
                        " bytes; allowed: up to " + std::to_string(settings_.payload_bytes_max) +
                        " (payload_bytes_max)");
    }

    void take(std::int64_t id, const std::string& key, std::string_view word,
              std::vector<Leaving>& part) {
        const std::size_t at = id != 0 ? index_of(id) : index_of(key);
        if (at == rows_.size()) {
            parts_.gone += 1;
            return;
        }
        if (taken_[at]) {
            throw Error(ErrorCode::misuse, "settle", "",
                        "item " + std::to_string(rows_[at].id) + " (key " + rows_[at].key +
                            ") is named twice; allowed: once");
        }
        taken_[at] = true;
        part.push_back({&rows_[at], word});
    }

    [[nodiscard]] std::size_t index_of(std::int64_t id) const {
        const auto it =
            std::lower_bound(rows_.begin(), rows_.end(), id,
                             [](const ItemRow& row, std::int64_t v) { return row.id < v; });
        return it != rows_.end() && it->id == id ? static_cast<std::size_t>(it - rows_.begin())
                                                 : rows_.size();
    }
    // Keys may repeat where they are not unique: the first that is not taken yet.
    [[nodiscard]] std::size_t index_of(const std::string& key) {
        if (by_key_.empty()) {
            for (std::size_t i = 0; i < rows_.size(); ++i) by_key_.emplace(rows_[i].key, i);
        }
        const auto [first, last] = by_key_.equal_range(key);
        std::size_t best = rows_.size();
        for (auto it = first; it != last; ++it) {
            if (best == rows_.size() || (taken_[best] && !taken_[it->second])) best = it->second;
        }
        return best;
    }

    const std::vector<ItemRow>& rows_;
    const Settings& settings_;
    std::vector<bool> taken_;
    std::multimap<std::string_view, std::size_t> by_key_;
    Parts parts_;
};

class Settling {
  public:
    Settling(Context& context, BatchRow batch, const Settlement& settlement)
        : context_(context), batch_(std::move(batch)), settlement_(settlement) {}

    Settled run() {
        error_ = clean(settlement_.error, error_bytes_max);
        if (!error_.empty()) batch_.last_error = error_;
        if (!ack_as_a_whole()) settle_each();
        settle_gate();
        settle_rest();
        context_.dirty = true;
        return answer_;
    }

  private:
    // What most batches end with: rows that nobody needs to look at are not read.
    bool ack_as_a_whole() {
        if (settlement_.rest != Rest::ack || !settlement_.acked.empty() ||
            !settlement_.rejected.empty()) {
            return false;
        }
        const auto sum =
            context_.tx.sum_of_batch(batch_.first_id, batch_.last_id, context_.totals.age_base);
        if (sum.tracked != 0) return false;
        answer_.acked = sum.items;
        depart_untracked(context_, batch_, sum);
        return true;
    }

    void settle_each() {
        // Payloads are needed only for what will be buried here; give_up loads its own.
        const bool bury = !settlement_.rejected.empty();
        rows_ = bury ? context_.tx.load(batch_.first_id, batch_.last_id, store::no_limit,
                                        store::no_limit)
                     : context_.tx.survey(batch_.first_id, batch_.last_id, store::no_limit);
        parts_ = Partition(rows_, context_.settings).run(settlement_);
        answer_.gone = parts_.gone;
        answer_.acked = static_cast<std::int64_t>(parts_.acked.size());
        answer_.rejected = static_cast<std::int64_t>(parts_.rejected.size());
        depart(context_, parts_.acked, Reason::acked, &batch_);
        depart(context_, parts_.rejected, Reason::rejected, &batch_);
    }

    [[nodiscard]] bool something_settled() const { return answer_.acked + answer_.rejected > 0; }

    void settle_rest() {
        if (settlement_.rest != Rest::keep) drop_stale();
        if (parts_.rest.empty()) {
            finish(answer_.rejected > 0 || answer_.stale > 0 ? AttemptOutcome::partial
                                                             : AttemptOutcome::acked);
            end_batch(context_, batch_);
            return;
        }
        switch (settlement_.rest) {
            case Rest::keep:
                context_.tx.save_batch(batch_);
                return;
            case Rest::release:
                release();
                return;
            case Rest::split:
                if (batch_.items > 1) {
                    split();
                    return;
                }
                break;
            case Rest::nack:
            case Rest::ack:
                break;
        }
        fail();
    }

    // A result on its way was used; what comes back without one is judged now (rule 10).
    void drop_stale() {
        std::vector<Leaving> old;
        std::erase_if(parts_.rest, [&](const Leaving& one) {
            if (!stale(*one.item, context_.settings, context_.now)) return false;
            old.push_back(one);
            return true;
        });
        answer_.stale = static_cast<std::int64_t>(old.size());
        depart(context_, old, Reason::stale, &batch_);
    }

    void finish(AttemptOutcome outcome) {
        if (!batch_.attempt_id) return;
        const bool counts = outcome == AttemptOutcome::acked || outcome == AttemptOutcome::partial;
        context_.tx.finish_attempt(*batch_.attempt_id, context_.now, outcome, error_,
                                   counts ? answer_.acked : -1);
    }

    void fail() {
        switch (after_failure(batch_, context_.settings)) {
            case AfterFailure::retry:
                break;
            case AfterFailure::split:
                split();
                return;
            case AfterFailure::abandon:
                finish(AttemptOutcome::abandoned);
                answer_.abandoned = true;
                give_up(context_, batch_);
                return;
        }
        finish(something_settled() ? AttemptOutcome::partial : AttemptOutcome::nacked);
        const store::Millis wait =
            settlement_.delay ? settlement_.delay->count()
                              : backoff(batch_.attempts, context_.settings, context_.host.random());
        park(context_.now + wait);
    }

    void release() {
        finish(something_settled() ? AttemptOutcome::partial : AttemptOutcome::released);
        batch_.attempts -= 1;
        batch_.releases += 1;
        context_.count(&Counters::attempts, -1);
        const store::Millis asked = settlement_.delay ? settlement_.delay->count() : 0;
        park(context_.now + std::max(asked, context_.settings.release_delay_min));
    }

    void split() {
        finish(something_settled() ? AttemptOutcome::partial : AttemptOutcome::split);
        split_batch(context_, batch_, rest_rows());
    }

    [[nodiscard]] std::vector<const ItemRow*> rest_rows() const {
        std::vector<const ItemRow*> rows;
        for (const Leaving& one : parts_.rest) rows.push_back(one.item);
        return rows;
    }

    // Back to waiting; the token ends.
    void park(store::Millis not_before) {
        batch_.lease_token.clear();
        park_batch(context_, batch_, not_before);
    }

    void settle_gate() {
        using enum Verdict;
        Verdict verdict = none;
        if (something_settled()) {
            verdict = answered;
        } else if (settlement_.rest == Rest::release) {
            verdict = unavailable;
        } else if (settlement_.rest != Rest::keep) {
            verdict = answered;
        }
        const auto gate = gate_at(context_.tx.gate(), context_.now);
        if (settlement_.close_gate) {
            close_for(gate, *settlement_.close_gate);
            return;
        }
        if (auto next = gate_after(gate, batch_.id, verdict, context_.settings, context_.now)) {
            context_.tx.set_gate(*next);
            context_.dirty = true;
            if (next->state == store::GateRow::State::open) context_.effects.wake = true;
        }
    }

    // A closure that lasts longer, such as a pause by hand, stands.
    void close_for(const store::GateRow& gate, const GateClosure& closure) {
        std::optional<store::Millis> duration;
        if (closure.duration) duration = closure.duration->count();
        const bool closed = gate.state == store::GateRow::State::closed;
        if (closed && (!gate.until || (duration && *gate.until >= context_.now + *duration)))
            return;
        close_gate(context_, duration, closure.reason, context_.host.owner_label());
    }

    Context& context_;
    BatchRow batch_;
    const Settlement& settlement_;
    std::vector<ItemRow> rows_;
    Parts parts_;
    std::string error_;
    Settled answer_;
};

// Also so that no sum with it overflows.
void check_delay(std::string_view what, const std::optional<Ms>& delay) {
    constexpr Ms most{366LL * 24 * 3600 * 1000};
    if (!delay || (*delay >= Ms{0} && *delay <= most)) return;
    throw Error(ErrorCode::misuse, "settle", "",
                std::string(what) + " is " + std::to_string(delay->count()) +
                    " ms; allowed: 0 to 366 days");
}

}  // namespace

Settled settle(Context& context, std::string_view token, const Settlement& settlement) {
    check_delay("delay", settlement.delay);
    if (settlement.close_gate) check_delay("close_gate.duration", settlement.close_gate->duration);
    auto batch = proven(context, token);
    if (!batch) {
        Settled answer;
        answer.fenced = true;
        return answer;
    }
    return Settling(context, std::move(*batch), settlement).run();
}

Settled extend(Context& context, std::string_view token, store::Millis duration) {
    auto batch = proven(context, token);
    Settled answer;
    // A lease that lapsed has ended, whether or not somebody has looked since.
    if (!batch || !batch->leased || batch->lease_expires_at.value_or(0) <= context.now) {
        answer.fenced = true;
        return answer;
    }
    batch->lease_expires_at = context.now + duration;
    context.tx.save_batch(*batch);
    context.dirty = true;
    return answer;
}

void park_batch(Context& context, BatchRow& batch, store::Millis not_before) {
    if (batch.leased) {
        context.count(&Counters::leased_items, -batch.items);
        context.count(&Counters::leased_bytes, -batch.bytes);
        context.count(&Counters::waiting_items, batch.items);
    }
    batch.leased = false;
    batch.not_before = not_before;
    batch.lease_owner.reset();
    batch.leased_at.reset();
    batch.lease_expires_at.reset();
    context.tx.save_batch(batch);
    context.dirty = true;
    context.effects.wake |= not_before <= context.now;
}

void split_batch(Context& context, const BatchRow& batch, std::vector<const ItemRow*> rows) {
    end_batch(context, batch);
    const auto next = context.tx.batches(batch.first_id, 1);
    if (!next.empty() && next.front().first_id <= batch.last_id) {
        // A hand edit made ranges overlap: what a later batch claims too is that one's.
        std::erase_if(rows, [&](const ItemRow* row) {
            const auto claimed = context.tx.batch_of(row->id);
            return claimed && claimed->first_id > batch.first_id;
        });
    }
    const std::size_t half = (rows.size() + 1) / 2;
    const auto make = [&](std::size_t first, std::size_t last) {
        BatchRow part;
        part.id = context.tx.next_batch_id();
        part.first_id = rows[first]->id;
        part.last_id = rows[last - 1]->id;
        part.items = static_cast<std::int64_t>(last - first);
        for (std::size_t i = first; i < last; ++i) part.bytes += rows[i]->bytes;
        part.attempts = batch.attempts;
        part.releases = batch.releases;
        part.attempts_max = attempts_after_split(batch, context.settings);
        part.parent_id = batch.id;
        part.not_before = context.now;
        part.created_at = context.now;
        part.last_error = batch.last_error;
        context.tx.add_batch(part);
        context.count(&Counters::waiting_items, part.items);
    };
    if (half > 0) make(0, half);
    if (half < rows.size()) make(half, rows.size());
    context.effects.wake = true;
}

}  // namespace headpond::engine
