#include "core.h"

#include <headpond/processor.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace headpond {

namespace detail {

// An error that on_error, or what stands for it, has decided to stop at.
struct Decided {
    std::exception_ptr error;
};

// A handler at work, watched by the extender.
struct Running {
    std::string token;
    std::chrono::steady_clock::time_point extend_at, end_at;
    std::stop_source stop;
};

struct ProcessorState {
    ProcessorState(Queue& given, Handler work, ProcessorOptions how)
        : queue(given), handler(std::move(work)), options(std::move(how)) {}

    // `stop` ends the wait for a batch, `handler_stop` is passed on to the handler.
    RunReport run(const LeaseRequest& request, const std::stop_token& stop,
                  const std::stop_token& handler_stop);
    // Again and again while what is in the way may pass.
    Settled settle(Batch& batch, const Settlement& settlement, const std::stop_token& stop);
    void work(const std::stop_token& stop);
    void extend_leases(const std::stop_token& stop);
    void say_why_drained();
    bool survive(const Error& error, const std::stop_token& stop, Ms& pause);
    void end();

    Queue& queue;
    Handler handler;
    ProcessorOptions options;

    std::mutex mutex;  // guards the members below
    std::condition_variable_any changed;
    std::map<std::uint64_t, Running> running;
    std::uint64_t next_running = 0;
    std::vector<std::jthread> threads;
    std::jthread extender;
    int working = 0;
    bool started = false;
    bool draining = false;  // workers take what is left, then end
    std::exception_ptr failure;
};

namespace {

Settlement call(const Handler& handler, std::span<const Item> items, const std::stop_token& stop) {
    try {
        Settlement settlement = handler(items, stop);
        if (settlement.rest == Rest::keep) {
            settlement.rest = Rest::nack;
            if (settlement.error.empty()) settlement.error = "the handler kept items: not allowed";
        }
        return settlement;
    } catch (const std::exception& error) {
        Settlement settlement;
        settlement.error = error.what();
        return settlement;
    } catch (...) {
        Settlement settlement;
        settlement.error = "the handler threw something that is no std::exception";
        return settlement;
    }
}

}  // namespace

RunReport ProcessorState::run(const LeaseRequest& request, const std::stop_token& stop,
                              const std::stop_token& handler_stop) {
    RunReport report;
    auto batch = queue.lease(request, stop);
    if (!batch) return report;
    const auto now = std::chrono::steady_clock::now();
    const Ms lease_time = Core::of(queue)->options.lease_time;
    std::uint64_t id = 0;
    std::stop_source source;
    {
        const std::lock_guard lock(mutex);
        id = next_running++;
        Running& one = running[id];
        one.token = batch->token();
        one.extend_at = now + lease_time / 3;
        one.end_at = runtime::from_now(options.handling_time_max);
        one.stop = source;
    }
    struct End {
        ProcessorState& state;
        std::uint64_t id;
        ~End() {
            const std::lock_guard lock(state.mutex);
            state.running.erase(id);
        }
    };
    const End end{*this, id};
    changed.notify_all();
    const std::stop_callback forward(handler_stop, [&] { source.request_stop(); });
    const Settlement settlement = call(handler, batch->items(), source.get_token());
    report.processed = true;
    report.batch = batch->id();
    report.attempt = batch->attempt();
    report.items = static_cast<std::int64_t>(batch->items().size());
    // Extended on until then: what the handler has done would be done again.
    report.settled = settle(*batch, settlement, stop);
    return report;
}

Settled ProcessorState::settle(Batch& batch, const Settlement& settlement,
                               const std::stop_token& stop) {
    for (Ms pause{50};;) {
        try {
            return batch.settle(settlement);
        } catch (const Error& error) {
            const bool may_pass =
                error.code() == ErrorCode::busy || error.code() == ErrorCode::disk_full;
            if (!may_pass) throw;
            if (!survive(error, stop, pause)) throw Decided{std::current_exception()};
        }
    }
}

// Keeps the leases of long handlers, up to handling_time_max; a lost lease or a used-up time asks
// the handler to stop.
void ProcessorState::extend_leases(const std::stop_token& stop) {
    const Ms lease_time = Core::of(queue)->options.lease_time;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
        const auto now = std::chrono::steady_clock::now();
        auto next = now + std::chrono::hours(1);
        std::vector<std::pair<std::uint64_t, std::string>> due;
        for (auto& [id, one] : running) {
            if (now >= one.end_at) {
                one.stop.request_stop();
                continue;
            }
            if (now >= one.extend_at) {
                one.extend_at = now + lease_time / 3;
                due.emplace_back(id, one.token);
            }
            next = std::min({next, one.extend_at, one.end_at});
        }
        if (due.empty()) {
            changed.wait_until(lock, stop, next, [&, seen = next_running] {
                return next_running != seen;  // a new handler may be due sooner
            });
            continue;
        }
        lock.unlock();
        std::vector<std::uint64_t> lost;
        for (const auto& [id, token] : due) {
            try {
                if (queue.extend(token, lease_time).fenced) lost.push_back(id);
            } catch (const Error& error) {
                // The next third of the lease time tries again; the worker meets the error itself.
                Core::of(queue)->log(LogLevel::warning, "A lease was not extended: ", error.what());
            }
        }
        lock.lock();
        for (const std::uint64_t id : lost) {
            const auto it = running.find(id);
            if (it != running.end()) it->second.stop.request_stop();
        }
    }
}

// True: go on, after a pause that grows.
bool ProcessorState::survive(const Error& error, const std::stop_token& stop, Ms& pause) {
    OnError decision = OnError::stop;
    if (options.on_error) {
        decision = options.on_error(error);
    } else if (error.code() == ErrorCode::busy || error.code() == ErrorCode::disk_full) {
        decision = OnError::retry;
    }
    if (decision == OnError::stop) return false;
    Core::of(queue)->log(LogLevel::warning, "Processor: ", error.what());
    std::unique_lock lock(mutex);
    changed.wait_for(lock, stop, pause, [&, before = draining] { return draining != before; });
    pause = std::min(pause * 2, Ms{5000});
    return !stop.stop_requested();
}

void ProcessorState::work(const std::stop_token& stop) {
    constexpr Ms slice{1000};
    Ms pause{50};
    for (;;) {
        bool last = false;
        {
            const std::lock_guard lock(mutex);
            last = draining;
        }
        if (stop.stop_requested()) break;
        try {
            const LeaseRequest request{.when = last ? When::immediate : When::due,
                                       .wait = last ? Ms{0} : slice};
            const RunReport report = run(request, stop, {});
            pause = Ms{50};
            if (last && !report.processed) {
                say_why_drained();
                break;
            }
        } catch (const Error& error) {
            if (survive(error, stop, pause)) continue;
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();
            break;
        } catch (const Decided& decided) {
            const std::lock_guard lock(mutex);
            if (!failure && !stop.stop_requested()) failure = decided.error;
            break;
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();
            break;
        }
    }
    end();
}

// A closed gate ends a drain early (rule 17).
void ProcessorState::say_why_drained() {
    const Gate gate = Admin(queue).gate();
    if (gate.state != "closed") return;
    Core::of(queue)->log(LogLevel::warning, "Drain ended: the gate is closed: ", gate.reason);
}

void ProcessorState::end() {
    const std::lock_guard lock(mutex);
    --working;
    changed.notify_all();
}

}  // namespace detail

Processor::Processor(Queue& queue, Handler handler, ProcessorOptions options)
    : state_(
          std::make_unique<detail::ProcessorState>(queue, std::move(handler), std::move(options))) {
    const auto fail = [](const std::string& wrong) {
        throw Error(ErrorCode::misuse, "processor", "", wrong);
    };
    if (!state_->handler) fail("the handler is empty; allowed: a function");
    if (state_->options.workers < 1 || state_->options.workers > 64) {
        fail("workers is " + std::to_string(state_->options.workers) + "; allowed: 1 to 64");
    }
    if (state_->options.handling_time_max < Ms{1}) {
        fail("handling_time_max is " + std::to_string(state_->options.handling_time_max.count()) +
             " ms; allowed: 1 ms or more");
    }
}

Processor::Processor(Processor&&) noexcept = default;
Processor& Processor::operator=(Processor&&) noexcept = default;
Processor::~Processor() {
    if (state_) stop(Drain::none);
}

RunReport Processor::run_once(When when, Ms wait, std::stop_token stop) {
    std::jthread extender([&](const std::stop_token& token) { state_->extend_leases(token); });
    try {
        return state_->run({.when = when, .wait = wait}, stop, stop);
    } catch (const detail::Decided& decided) {
        std::rethrow_exception(decided.error);
    }
}

void Processor::start() {
    const std::lock_guard lock(state_->mutex);
    if (state_->started) {
        throw Error(ErrorCode::misuse, "processor", "", "started already; allowed: once");
    }
    state_->started = true;
    state_->working = state_->options.workers;
    auto* state = state_.get();
    state_->extender =
        std::jthread([state](const std::stop_token& stop) { state->extend_leases(stop); });
    for (int i = 0; i < state_->options.workers; ++i) {
        state_->threads.emplace_back([state](const std::stop_token& stop) { state->work(stop); });
    }
}

void Processor::stop(Drain drain, Ms limit) {
    auto& state = *state_;
    std::unique_lock lock(state.mutex);
    if (!state.started) return;
    if (drain == Drain::everything) {
        state.draining = true;
        lock.unlock();
        detail::Core::of(state.queue)->waiting().notify();
        lock.lock();
    } else {
        for (auto& thread : state.threads) thread.request_stop();
    }
    if (drain == Drain::none) {
        for (auto& [id, one] : state.running) one.stop.request_stop();
    }
    state.changed.notify_all();
    state.changed.wait_until(lock, runtime::from_now(limit), [&] { return state.working == 0; });
    for (auto& thread : state.threads) thread.request_stop();
    for (auto& [id, one] : state.running) one.stop.request_stop();
    auto threads = std::move(state.threads);
    auto extender = std::move(state.extender);
    state.threads.clear();
    lock.unlock();
    threads.clear();  // joins
    extender = {};
}

void Processor::wait() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->working == 0; });
    if (state_->failure) std::rethrow_exception(std::exchange(state_->failure, nullptr));
}

}  // namespace headpond
