// The list of batches: each as it stands, and what keeps it from being leased.
#include "core.h"
#include "engine/rules.h"

#include <headpond/admin.h>

#include <algorithm>
#include <map>

namespace headpond {

namespace {

using store::BatchRow;
using store::GateRow;
using store::Millis;

std::string in_seconds(Millis left) {
    return left <= 0 ? "now" : "in " + std::to_string((left + 999) / 1000) + "s";
}

// What the gate does to every lease. Empty words: it is open, or half-open without a trial.
struct Barrier {
    std::string words;            // when reopened, after trial, or timed
    std::optional<Millis> until;  // of a timed one
};

Barrier barrier_at(store::Transaction& tx, const GateRow& gate, Millis now) {
    if (gate.state == GateRow::State::closed) {
        return {gate.until ? "timed" : "when reopened", gate.until};
    }
    if (gate.state != GateRow::State::half_open || !gate.trial_batch_id) return {};
    const auto trial = tx.batch(*gate.trial_batch_id);
    // The lease that finds the trial lapsed is the new trial.
    if (!trial || !trial->leased || trial->lease_expires_at.value_or(now) <= now) return {};
    return {"after trial", {}};
}

class Listing {
  public:
    Listing(store::Transaction& tx, const engine::Settings& settings, Millis now)
        : tx_(tx),
          settings_(settings),
          now_(now),
          gate_(engine::gate_at(tx.gate(), now)),
          barrier_(barrier_at(tx, gate_, now)) {}

    BatchPage page(std::size_t limit, std::int64_t after) {
        BatchPage page;
        page.now = engine::to_wall(now_);
        const auto most = static_cast<std::int64_t>(std::min<std::size_t>(limit, 1'000'000'000));
        auto rows = tx_.batches_by_id(after, most + 1);
        page.more = std::ssize(rows) > most;
        if (page.more) rows.pop_back();
        for (BatchRow& row : rows) page.batches.push_back(listed(std::move(row)));
        if (!barrier_.words.empty()) hold_ready(page);
        return page;
    }

  private:
    void hold_ready(BatchPage& page) {
        page.ready_held = std::max<std::int64_t>(0, tx_.totals().ready());
        page.ready_leasable = barrier_.until ? in_seconds(*barrier_.until - now_) : barrier_.words;
        page.gate_reason = gate_.reason;
    }

    ListedBatch listed(BatchRow&& row) {
        ListedBatch batch;
        batch.id = row.id;
        batch.state = row.leased ? "leased" : "waiting";
        batch.items = row.items;
        batch.bytes = row.bytes;
        batch.attempts = static_cast<int>(row.attempts);
        batch.attempts_max = static_cast<int>(engine::attempts_allowed(row, settings_));
        batch.releases = static_cast<int>(row.releases);
        if (row.leased) {
            batch.owner = owner_of(row);
            if (row.leased_at) batch.leased_at = engine::to_wall(*row.leased_at);
            if (row.lease_expires_at) {
                batch.lease_expires_at = engine::to_wall(*row.lease_expires_at);
            }
            explain_leased(row, batch);
        } else {
            if (row.not_before) batch.not_before = engine::to_wall(*row.not_before);
            explain_waiting(row, batch);
        }
        batch.created_at = engine::to_wall(row.created_at);
        batch.last_error = std::move(row.last_error);
        return batch;
    }

    void explain_leased(const BatchRow& row, ListedBatch& batch) const {
        const Millis ends = row.lease_expires_at.value_or(now_);
        batch.why = ends > now_ ? "lease running" : "lease overdue";
        if (engine::after_failure(row, settings_) == engine::AfterFailure::abandon) {
            batch.leasable = "last attempt";
        } else if (!barrier_.words.empty() && !barrier_.until) {
            batch.leasable = barrier_.words;
        } else {
            batch.leasable = in_seconds(std::max(ends, barrier_.until.value_or(ends)) - now_);
        }
    }

    void explain_waiting(const BatchRow& row, ListedBatch& batch) const {
        const Millis due = row.not_before.value_or(now_);
        if (engine::after_failure(row, settings_) == engine::AfterFailure::abandon) {
            batch.why = "attempts used";
            batch.leasable = "never";
        } else if (!barrier_.words.empty() && !barrier_.until) {
            batch.why = "gate closed";
            batch.leasable = barrier_.words;
        } else {
            const bool gated = barrier_.until && *barrier_.until >= due;
            batch.why = gated ? "gate closed" : due > now_ ? "backing off" : "due";
            batch.leasable = in_seconds((gated ? *barrier_.until : due) - now_);
        }
    }

    const std::string& owner_of(const BatchRow& row) {
        static const std::string detached = "detached", gone = "gone";
        if (!row.lease_owner) return detached;
        if (owners_.empty()) {
            for (auto& owner : tx_.owners()) owners_.emplace(owner.id, std::move(owner.label));
        }
        const auto found = owners_.find(*row.lease_owner);
        return found == owners_.end() ? gone : found->second;
    }

    store::Transaction& tx_;
    const engine::Settings& settings_;
    const Millis now_;
    const GateRow gate_;
    const Barrier barrier_;
    std::map<std::int64_t, std::string> owners_;  // read at the first owned lease
};

}  // namespace

BatchPage Admin::batches(std::size_t limit, std::int64_t after) const {
    BatchPage page;
    core_->read("batches", [&](store::Transaction& tx) {
        const auto now = engine::read_clock(core_->clock(), tx.clock(), tx).now;
        page = Listing(tx, *core_->settings_for(tx), now).page(limit, after);
    });
    return page;
}

}  // namespace headpond
