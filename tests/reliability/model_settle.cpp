// Settling, retries and the gate: rules 4, 5, 6 and 17 of the model.
#include "reliability/model.h"

#include <algorithm>

namespace headpond::reliability::model {

// Sorts out what a settlement names; empty where an item is named twice or a result is too large.
std::optional<Model::Named> Model::name(std::int64_t batch, const Settlement& how) const {
    Named named;
    named.rest = items_of(batch);
    const auto all = named.rest;
    // Answers false for a second naming.
    const auto take = [&](std::int64_t id, const std::string& key, const std::string& word,
                          auto& part) {
        const auto same = [&](const ModelItem& item) {
            return id != 0 ? item.id == id : item.key == key;
        };
        if (std::none_of(all.begin(), all.end(), same)) {
            named.gone += 1;
            return true;
        }
        const auto it = std::find_if(named.rest.begin(), named.rest.end(), same);
        if (it == named.rest.end()) return false;
        part.emplace_back(*it, word);
        named.rest.erase(it);
        return true;
    };
    for (const Result& one : how.acked) {
        if (std::ssize(one.result) > limits.payload_bytes_max) return std::nullopt;
        if (!take(one.item_id, one.key, one.result, named.acked)) return std::nullopt;
    }
    for (const Rejection& one : how.rejected) {
        if (!take(one.item_id, one.key, one.reason, named.rejected)) return std::nullopt;
    }
    return named;
}

std::optional<Settled> Model::settle(const Moment& at, std::string_view token,
                                     const Settlement& how) {
    Settled answer;
    const ModelBatch* proven = find_token(token);
    if (proven == nullptr) {
        answer.fenced = true;
        return answer;
    }
    const std::int64_t batch = proven->id;
    const auto named = name(batch, how);
    if (!named) return std::nullopt;
    const Before start = before();
    if (!how.error.empty()) find(batch)->last_error = how.error;
    for (const auto& [item, result] : named->acked) leave(item, "acked", result, at.now);
    for (const auto& [item, why] : named->rejected) leave(item, "rejected", why, at.now);
    answer.acked = std::ssize(named->acked);
    answer.rejected = std::ssize(named->rejected);
    answer.gone = named->gone;
    if (how.rest == Rest::ack) {
        for (const ModelItem& item : named->rest) leave(item, "acked", {}, at.now);
        answer.acked += std::ssize(named->rest);
    }
    settle_gate(at, batch, answer.acked + answer.rejected > 0, how);
    if (how.rest != Rest::keep) {
        // A result on its way was used; what comes back without one is judged now.
        for (const ModelItem& item : items_of(batch)) {
            if (!stale(item, at.now)) continue;
            leave(item, "stale", {}, at.now);
            answer.stale += 1;
        }
    }
    settle_rest(at, batch, how, answer);
    finish(start);
    return answer;
}

void Model::settle_rest(const Moment& at, std::int64_t id, const Settlement& how, Settled& answer) {
    ModelBatch& batch = *find(id);
    const bool settled = answer.acked + answer.rejected > 0;
    const auto left = items_of(id);
    if (left.empty()) {
        const bool all = answer.rejected == 0 && answer.stale == 0;
        finish_attempt(batch, all ? "acked" : "partial", how.error, answer.acked);
        end(id);
        return;
    }
    const auto came_back = [&](std::string_view outcome) {
        finish_attempt(batch, settled ? "partial" : outcome, how.error,
                       settled ? answer.acked : -1);
    };
    if (how.rest == Rest::keep) return;
    if (how.rest == Rest::release) {
        came_back("released");
        batch.attempts -= 1;
        batch.releases += 1;
        counters_[c_attempts] -= 1;
        batch.token.clear();
        const Millis asked = how.delay.value_or(Ms{0}).count();
        park(batch, at.now + std::max(asked, limits.release_delay_min));
    } else if (how.rest == Rest::split && left.size() > 1) {
        came_back("split");
        split(id, at.now);
    } else if (batch.attempts < allowed(batch)) {
        came_back("nacked");
        batch.token.clear();
        park(batch, at.now + (how.delay ? how.delay->count() : backoff(batch.attempts, at.random)));
    } else if (limits.isolate_poison != 0 && left.size() > 1) {
        came_back("split");
        split(id, at.now);
    } else {
        finish_attempt(batch, "abandoned", how.error);
        answer.abandoned = true;
        give_up(id, at.now);
    }
}

bool Model::extend(const Moment& at, std::string_view token, Millis duration) {
    ModelBatch* batch = find_token(token);
    if (batch == nullptr || !batch->leased || *batch->lease_expires_at <= at.now) return false;
    batch->lease_expires_at = at.now + duration;
    return true;
}

// --- the gate ------------------------------------------------------------------------------------

void Model::settle_gate(const Moment& at, std::int64_t batch, bool settled, const Settlement& how) {
    const ModelGate gate = gate_.at(at.now);
    if (how.close_gate) {
        // Never shortens a closure that lasts longer.
        const auto& duration = how.close_gate->duration;
        const bool stands =
            gate.state == "closed" &&
            (!gate.until || (duration && *gate.until >= at.now + duration->count()));
        if (!stands) pause(at, duration, how.close_gate->reason);
        return;
    }
    const bool failed = !settled && how.rest == Rest::release;
    if (!settled && how.rest == Rest::keep) return;  // nothing was said of the service
    if (gate.state == "half_open" && gate.trial == batch) {
        if (failed) {
            trip(at, "trial failed");
        } else {
            gate_ = {};
        }
    } else if (gate.state == "open") {
        gate_.failures = failed ? gate_.failures + 1 : 0;
        if (gate_.failures >= limits.breaker_failures) trip(at, "failures in a row");
    }
}

void Model::trip(const Moment& at, std::string_view reason) {
    Millis closed = limits.breaker_closed;
    for (std::int64_t i = 0; i < gate_.closures && closed < limits.breaker_closed_max; ++i) {
        closed *= 2;
    }
    // Longer than what closed it before, be it a pause.
    if (gate_.until) closed = std::max(closed, 2 * (*gate_.until - gate_closed_at_));
    const std::int64_t closures = gate_.closures + 1;
    pause(at, Ms{std::min(closed, limits.breaker_closed_max)}, reason);
    gate_.closures = closures;
}

void Model::pause(const Moment& at, std::optional<Ms> duration, std::string_view reason) {
    gate_.state = "closed";
    gate_closed_at_ = at.now;
    gate_.until.reset();
    if (duration) gate_.until = at.now + duration->count();
    gate_.reason = reason;
    gate_.trial.reset();
    gate_.failures = 0;
}

}  // namespace headpond::reliability::model
