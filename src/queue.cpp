#include "core.h"
#include "engine/rules.h"

#include <headpond/queue.h>
#include <headpond/sqlite.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

namespace headpond {

using detail::Core;

// --- the lent transaction ------------------------------------------------------------------------

std::vector<Enqueued> Transaction::enqueue(std::span<const NewItem> items) {
    engine::check_newcomers(items);
    return state_->core->operate_inside(state_->tx, state_->effects, [&](engine::Context& context) {
        return engine::enqueue(context, items, false).answers;
    });
}

Enqueued Transaction::enqueue(const NewItem& item) {
    return enqueue(std::span(&item, 1)).front();
}

Settled Transaction::settle(std::string_view token, const Settlement& settlement) {
    return state_->core->operate_inside(state_->tx, state_->effects, [&](engine::Context& context) {
        return engine::settle(context, token, settlement);
    });
}

std::vector<Outcome> Transaction::outcomes(std::size_t limit) const {
    return engine::outcomes(state_->tx, limit);
}

std::size_t Transaction::forget(std::span<const std::int64_t> item_ids) {
    return state_->core->operate_inside(state_->tx, state_->effects, [&](engine::Context& context) {
        return engine::forget(context, item_ids);
    });
}

sqlite3* sqlite_handle(Transaction& transaction) {
    auto& state = detail::TransactionState::of(transaction);
    return static_cast<sqlite3*>(state.core->store().guest_handle(state.tx));
}

// --- opening -------------------------------------------------------------------------------------

Queue::Queue(Options options) : core_(Core::open(std::move(options))) {}
Queue::Queue(Queue&&) noexcept = default;
Queue& Queue::operator=(Queue&& other) noexcept {
    if (this == &other) return *this;
    close();
    core_ = std::move(other.core_);
    return *this;
}
Queue::~Queue() {
    close();
}

void Queue::close() noexcept {
    if (!core_ || core_->closed.exchange(true)) return;
    // In a forked child nobody waits, and what was locked at the fork stays locked.
    if (!core_->inherited()) core_->waiting().notify();
}

// --- enqueue -------------------------------------------------------------------------------------

namespace {

engine::Admitted enqueue_once(Core& core, std::span<const NewItem> items, bool may_block) {
    try {
        return core.operate({.operation = "enqueue"}, [&](engine::Context& context) {
            const bool blocks = may_block && context.settings.overflow_policy() == Overflow::block;
            return engine::enqueue(context, items, blocks);
        });
    } catch (const Error& error) {
        if (error.code() != ErrorCode::disk_full) throw;
        // The look at the free space was too hopeful; nothing was stored or evicted.
        return {.answers = std::vector(items.size(), Enqueued::no_room)};
    }
}

// Whether an enqueue that failed so has stored nothing, and the file is none the worse.
bool left_the_rest_alone(ErrorCode code) {
    return code == ErrorCode::busy || code == ErrorCode::io || code == ErrorCode::closed;
}

bool any_stored(const std::vector<Enqueued>& answers) {
    return std::find(answers.begin(), answers.end(), Enqueued::stored) != answers.end();
}

}  // namespace

std::vector<Enqueued> Queue::enqueue(std::span<const NewItem> items, std::stop_token stop) {
    core_->require_usable("enqueue");
    engine::check_newcomers(items);
    if (items.empty()) return {};
    core_->clean_up_if_due();
    const auto deadline = std::chrono::steady_clock::now() + core_->options.enqueue_timeout;
    auto first = enqueue_once(*core_, items, true);
    core_->clean_up_after_call();  // by an interval that was changed since, as that call has seen
    std::vector<Enqueued> answers = std::move(first.answers);
    std::vector<std::size_t> left = std::move(first.blocked);
    // Only with overflow = block: those without room follow, in their order.
    std::optional<std::uint64_t> seen;
    while (!left.empty()) {
        const auto remaining =
            std::chrono::duration_cast<Ms>(deadline - std::chrono::steady_clock::now());
        const bool last = remaining.count() <= 0 || stop.stop_requested();
        constexpr Ms backstop{250};
        if (!last && seen) core_->waiting().wait(*seen, std::min(remaining, backstop), stop);
        seen = core_->waiting().watch();
        std::vector<NewItem> again;
        for (const std::size_t index : left) again.push_back(items[index]);
        engine::Admitted more;
        try {
            more = enqueue_once(*core_, again, !last);
        } catch (const Error& error) {
            // What is stored is told: a caller who met the error would store it again. The others
            // found no room.
            if (!left_the_rest_alone(error.code()) || !any_stored(answers)) throw;
            return answers;
        }
        std::vector<std::size_t> still;
        for (std::size_t i = 0; i < again.size(); ++i) {
            const bool blocked =
                std::find(more.blocked.begin(), more.blocked.end(), i) != more.blocked.end();
            if (blocked) {
                still.push_back(left[i]);
            } else {
                answers[left[i]] = more.answers[i];
            }
        }
        left = std::move(still);
    }
    return answers;
}

Enqueued Queue::enqueue(const NewItem& item, std::stop_token stop) {
    return enqueue(std::span(&item, 1), std::move(stop)).front();
}

// --- lease ---------------------------------------------------------------------------------------

namespace {

engine::LeaseOrder order_of(const Core& core, const LeaseRequest& request) {
    const Ms lease_time = request.lease_time.value_or(core.options.lease_time);
    constexpr Ms day{24 * 3600 * 1000};
    if (lease_time < Ms{1} || lease_time > day) {
        throw Error(
            ErrorCode::misuse, "lease", core.path,
            "lease_time is " + std::to_string(lease_time.count()) + " ms; allowed: 1 ms to 1 day");
    }
    if (request.items_max && *request.items_max < 1) {
        throw Error(ErrorCode::misuse, "lease", core.path,
                    "items_max is " + std::to_string(*request.items_max) + "; allowed: 1 or more");
    }
    if (request.wait < Ms{0}) {
        throw Error(ErrorCode::misuse, "lease", core.path,
                    "wait is " + std::to_string(request.wait.count()) + " ms; allowed: 0 or more");
    }
    return {.when_due = request.when == When::due,
            .items_max = request.items_max,
            .lease_time = lease_time.count(),
            .detached = request.detached};
}

std::optional<Batch> lease_once(const std::shared_ptr<Core>& core, engine::LeaseOrder& order) {
    const std::uint64_t flushes = core->flushes.load();
    order.flush = flushes != core->flushed.load();
    auto answer =
        core->operate({.operation = "lease", .synced = false},
                      [&](engine::Context& context) { return engine::lease(context, order); });
    if (!answer.batch) {
        // A flush that met a closed gate is still owed.
        std::uint64_t flushed = core->flushed.load();
        while (!answer.gate_closed && flushed < flushes &&
               !core->flushed.compare_exchange_weak(flushed, flushes)) {
        }
        return std::nullopt;
    }
    auto state = std::make_unique<detail::BatchState>();
    state->core = core;
    state->id = answer.batch->id;
    state->detached = order.detached;
    state->items = std::move(answer.items);
    state->token = answer.batch->lease_token;
    state->attempt = static_cast<int>(answer.batch->attempts);
    state->attempts_max = static_cast<int>(answer.attempts_max);
    state->deadline = engine::to_wall(answer.batch->lease_expires_at.value_or(0));
    return detail::BatchState::make(std::move(state));
}

// Waits for a reason to look at the queue again: a wake-up, a commit that gave none, the death of
// one who held a lease, `stop`, or the end of `limit`.
void wait_for_news(Core& core, std::uint64_t seen, std::int64_t version,
                   const std::vector<store::OwnerRow>& holders, Ms limit,
                   const std::stop_token& stop) {
    // The dead give no signal: whoever waits probes them this often (rule 7), and learns half as
    // often whether there is one to probe. Waking up is what costs; a whole look costs more still.
    const Ms probe{holders.empty() ? 100 : 50};
    const auto died = [&core](const store::OwnerRow& owner) {
        return core.life_of(owner) == engine::Host::Life::dead;
    };
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (Ms left = limit; left.count() > 0;
         left = std::chrono::ceil<Ms>(deadline - std::chrono::steady_clock::now())) {
        core.waiting().wait(seen, std::min(left, probe), stop);
        if (core.waiting().seen() != seen || stop.stop_requested() || core.closed.load() ||
            core.store().data_version() != version || std::ranges::any_of(holders, died)) {
            return;
        }
    }
}

// Waits until a lease may find something: true, or false at the deadline.
bool wait_for_work(Core& core, const engine::LeaseOrder& order,
                   std::chrono::steady_clock::time_point deadline, const std::stop_token& stop) {
    constexpr Ms backstop{250};  // whatever gives no sign, such as a clock that was set
    for (;;) {
        const auto seen = core.waiting().watch();
        const auto version = core.store().data_version();
        engine::Outlook outlook;
        store::Millis now = 0;
        core.read("lease", [&](store::Transaction& tx) {
            outlook = engine::outlook(tx, core, *core.settings_for(tx), order);
            now = core.now();
        });
        const bool flush = core.flushes.load() != core.flushed.load();
        if (outlook.now || flush != order.flush) return true;
        const auto left = std::chrono::ceil<Ms>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0 || stop.stop_requested() || core.closed.load()) return false;
        Ms limit = std::min(left, backstop);
        if (outlook.at) limit = std::clamp(Ms{*outlook.at - now}, Ms{1}, limit);
        wait_for_news(core, seen, version, outlook.holders, limit, stop);
    }
}

}  // namespace

std::optional<Batch> Queue::lease(const LeaseRequest& request, std::stop_token stop) {
    core_->require_usable("lease");
    engine::LeaseOrder order = order_of(*core_, request);
    core_->clean_up_if_due();
    const auto deadline = runtime::from_now(request.wait);
    for (;;) {
        auto batch = lease_once(core_, order);
        core_->clean_up_after_call();  // as after an enqueue
        if (batch) return batch;
        if (request.wait.count() == 0 || stop.stop_requested()) return std::nullopt;
        if (!wait_for_work(*core_, order, deadline, stop)) return std::nullopt;
    }
}

Settled Queue::settle(std::string_view token, const Settlement& settlement) {
    return detail::settle(*core_, token, settlement);
}

Settled Queue::extend(std::string_view token, Ms duration) {
    return detail::extend(*core_, token, duration);
}

// --- outcomes and the rest -----------------------------------------------------------------------

std::vector<Outcome> Queue::outcomes(std::size_t limit) const {
    std::vector<Outcome> all;
    core_->read("outcomes", [&](store::Transaction& tx) { all = engine::outcomes(tx, limit); });
    return all;
}

std::size_t Queue::forget(std::span<const std::int64_t> item_ids) {
    return core_->operate({.operation = "forget"}, [&](engine::Context& context) {
        return engine::forget(context, item_ids);
    });
}

bool Queue::cancel(std::string_view key) {
    return core_->operate({.operation = "cancel"},
                          [&](engine::Context& context) { return engine::cancel(context, key); });
}

CleanupReport Queue::cleanup() {
    core_->require_usable("cleanup");
    return core_->clean_up(true);
}

void Queue::transact(const std::function<void(Transaction&)>& fn) {
    core_->transact([&](store::Transaction& tx, engine::Effects& effects) {
        detail::TransactionState state{core_, tx, effects};
        state.lend(fn);
    });
}

Options Queue::options() const {
    return core_->options_in_force();
}

void Queue::flush() {
    core_->require_usable("flush");
    core_->flushes += 1;
    core_->waiting().notify();
}

}  // namespace headpond
