#include "engine/departure.h"
#include "engine/operations.h"
#include "engine/rules.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace headpond::engine {

using store::BatchRow;
using store::Counters;
using store::GateRow;
using store::ItemRow;

namespace {

// A lease takes back a few lapsed batches on its way, not all of a large backlog.
constexpr std::int64_t recover_limit = 16;

std::string make_token(std::int64_t batch, std::uint64_t random) {
    char text[48];
    std::snprintf(text, sizeof text, "%lld-%016llx", static_cast<long long>(batch),
                  static_cast<unsigned long long>(random));
    return text;
}

bool trial_is_running(store::Transaction& tx, const GateRow& gate) {
    if (gate.state != GateRow::State::half_open || !gate.trial_batch_id) return false;
    const auto trial = tx.batch(*gate.trial_batch_id);
    return trial && trial->leased;
}

class Leasing {
  public:
    Leasing(Context& context, const LeaseOrder& order) : context_(context), order_(order) {}

    LeaseAnswer run() {
        recover(context_, recover_limit);
        gate_ = gate_at(context_.tx.gate(), context_.now);
        LeaseAnswer answer;
        answer.gate_closed =
            gate_.state == GateRow::State::closed || trial_is_running(context_.tx, gate_);
        if (answer.gate_closed) return answer;
        if (!take_waiting(answer) && !cut(answer)) return {};
        if (gate_.state == GateRow::State::half_open) {
            gate_.trial_batch_id = answer.batch->id;
            context_.tx.set_gate(gate_);
        }
        answer.attempts_max = attempts_allowed(*answer.batch, context_.settings);
        return answer;
    }

  private:
    bool take_waiting(LeaseAnswer& answer) {
        while (auto batch = context_.tx.due(context_.now)) {
            if (exhausted(*batch, context_.settings)) {
                if (give_up(context_, *batch) == GivenUp::not_yet) return false;
                continue;
            }
            auto rows =
                context_.tx.load(batch->first_id, batch->last_id, store::no_limit, store::no_limit);
            if (rows.empty()) {  // emptied by hand
                end_batch(context_, *batch);
                continue;
            }
            context_.count(&Counters::waiting_items, -batch->items);
            count_rows(*batch, rows);
            hold(*batch);
            answer.items = to_items(std::move(rows));
            context_.tx.save_batch(*batch);
            answer.batch = std::move(batch);
            return true;
        }
        return false;
    }

    bool cut(LeaseAnswer& answer) {
        const auto& settings = context_.settings;
        const std::int64_t watermark = context_.tx.watermark();
        if (order_.when_due && !order_.flush && !due_now(watermark)) return false;
        const std::int64_t items_max =
            std::min(settings.batch_items_max, order_.items_max.value_or(store::no_limit));
        auto rows =
            context_.tx.load(watermark + 1, store::no_limit, items_max, settings.batch_bytes_max);
        if (rows.empty()) return false;
        BatchRow batch;
        batch.first_id = rows.front().id;
        batch.last_id = rows.back().id;
        batch.created_at = context_.now;
        count_rows(batch, rows);
        batch.id = context_.tx.next_batch_id();
        hold(batch);
        context_.tx.add_batch(batch);
        answer.items = to_items(std::move(rows));
        answer.batch = std::move(batch);
        return true;
    }

    [[nodiscard]] bool due_now(std::int64_t watermark) const {
        ReadyFacts ready;
        ready.items = context_.totals.ready();
        const auto oldest = context_.tx.survey(watermark + 1, store::no_limit, 1);
        if (!oldest.empty()) ready.oldest_enqueued_at = oldest.front().enqueued_at;
        return cut_is_due(ready, context_.settings, context_.now);
    }

    static void count_rows(BatchRow& batch, const std::vector<ItemRow>& rows) {
        batch.items = static_cast<std::int64_t>(rows.size());
        batch.bytes = 0;
        for (const ItemRow& row : rows) batch.bytes += row.bytes;
    }

    static std::vector<Item> to_items(std::vector<ItemRow>&& rows) {
        std::vector<Item> items;
        items.reserve(rows.size());
        for (ItemRow& row : rows) items.push_back(to_item(std::move(row)));
        return items;
    }

    // Charges the attempt in this same commit (rule 4).
    void hold(BatchRow& batch) {
        batch.leased = true;
        batch.attempts += 1;
        batch.lease_owner.reset();
        if (!order_.detached) batch.lease_owner = context_.host.owner_id();
        batch.leased_at = context_.now;
        batch.lease_expires_at = context_.now + order_.lease_time;
        batch.not_before.reset();
        batch.lease_token = make_token(batch.id, context_.host.random());
        batch.attempt_id = context_.tx.add_attempt({.batch_id = batch.id,
                                                    .attempt = batch.attempts,
                                                    .owner = context_.host.owner_label(),
                                                    .started_at = context_.now,
                                                    .items = batch.items});
        prune_attempts(*batch.attempt_id);
        context_.count(&Counters::attempts, 1);
        context_.count(&Counters::leased_items, batch.items);
        context_.count(&Counters::leased_bytes, batch.bytes);
        context_.dirty = true;
    }

    // In steps of 256, so that most leases touch one page less; never over the bound.
    void prune_attempts(std::int64_t newest) {
        constexpr std::int64_t step = 256;
        const std::int64_t keep = context_.settings.attempts_kept;
        const bool coarse = keep >= 2 * step;
        if (coarse && newest % step != 0) return;
        context_.tx.prune_attempts(coarse ? keep - step : keep, context_.settings.cleanup_rows);
    }

    Context& context_;
    const LeaseOrder& order_;
    GateRow gate_;
};

}  // namespace

LeaseAnswer lease(Context& context, const LeaseOrder& order) {
    return Leasing(context, order).run();
}

Outlook outlook(store::Transaction& tx, Host& host, const Settings& settings,
                const LeaseOrder& order) {
    Outlook outlook;
    const store::Millis now = read_clock(host.clock(), tx.clock(), tx).now;
    const GateRow gate = gate_at(tx.gate(), now);
    if (gate.state == GateRow::State::closed) {
        outlook.gate_closed = true;
        outlook.at = gate.until;
        return outlook;
    }
    const auto sooner = [&](std::optional<store::Millis> at) {
        if (at && (!outlook.at || *at < *outlook.at)) outlook.at = at;
    };
    const bool trial = trial_is_running(tx, gate);
    if (!trial) sooner(tx.next_due());
    const auto oldest =
        trial ? std::vector<ItemRow>{} : tx.survey(tx.watermark() + 1, store::no_limit, 1);
    if (!oldest.empty()) {
        const ReadyFacts ready{.items = tx.totals().ready(),
                               .oldest_enqueued_at = oldest.front().enqueued_at};
        sooner(order.when_due && !order.flush ? cut_due_at(ready, settings)
                                              : ready.oldest_enqueued_at);
    }
    const auto lapsing = tx.next_lapse();
    sooner(lapsing);
    if (lapsing) {
        for (auto& owner : tx.owners()) {
            if (owner.id == host.owner_id() || tx.held_by(owner.id, 1).empty()) continue;
            outlook.now |= host.life_of(owner) == Host::Life::dead;
            outlook.holders.push_back(std::move(owner));
        }
    }
    outlook.now |= outlook.at && *outlook.at <= now;
    return outlook;
}

std::optional<std::int64_t> batch_of_token(std::string_view token) noexcept {
    std::int64_t id = 0;
    const char* end = token.data() + token.size();
    const auto [stop, error] = std::from_chars(token.data(), end, id);
    if (error != std::errc{} || id <= 0 || stop == end || *stop != '-' || end - stop != 17) {
        return std::nullopt;
    }
    return id;
}

Item to_item(ItemRow&& row) {
    Item item;
    item.id = row.id;
    item.key = std::move(row.key);
    item.source_tag = std::move(row.source_tag);
    item.payload = std::move(row.payload);
    item.tracking = row.tracked ? Tracking::tracked : Tracking::untracked;
    item.enqueued_at = to_wall(row.enqueued_at);
    if (row.published_at) item.published_at = to_wall(*row.published_at);
    return item;
}

}  // namespace headpond::engine
