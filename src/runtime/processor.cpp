#include "core.h"
#include "platform/system.h"

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
    // In a child of the process that made it.
    [[nodiscard]] bool forked() const noexcept { return generation != platform::fork_generation(); }

    // `stop` ends the wait for a batch, `handler_stop` is passed on to the handler.
    RunReport run(const LeaseRequest& request, const std::stop_token& stop,
                  const std::stop_token& handler_stop);
    // Again and again while what is in the way may pass.
    Settled settle(Batch& batch, const Settlement& settlement, const std::stop_token& stop);
    void work(const std::stop_token& stop);
    void extend_leases(const std::stop_token& stop);
    void extend_due(const std::stop_token& stop);
    void fail(std::exception_ptr error);
    void stop_handlers(std::unique_lock<std::mutex>& lock);
    void join(std::unique_lock<std::mutex>& lock);
    void say_why_drained();
    bool survive(const Error& error, const std::stop_token& stop, Ms& pause);
    void end();

    Queue& queue;
    Handler handler;
    ProcessorOptions options;
    const std::uint64_t generation = platform::fork_generation();

    std::mutex mutex;  // guards the members below
    std::condition_variable_any changed;
    std::map<std::uint64_t, Running> running;
    std::uint64_t next_running = 0;
    int working = 0;
    bool started = false;
    bool draining = false;       // workers take what is left, then end
    bool handlers_stop = false;  // whoever begins now is asked to stop at once
    std::exception_ptr failure;
    std::vector<std::jthread> threads;  // last: they use all of the above
    std::jthread extender;
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
    bool stopped = false;
    {
        const std::lock_guard lock(mutex);
        id = next_running++;
        Running& one = running[id];
        one.token = batch->token();
        one.extend_at = now + lease_time / 3;
        one.end_at = runtime::from_now(options.handling_time_max);
        one.stop = source;
        stopped = handlers_stop;
    }
    if (stopped) source.request_stop();
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
    while (!stop.stop_requested()) {
        try {
            extend_due(stop);
        } catch (const std::exception& error) {
            Core::of(queue)->log(LogLevel::warning, "Leases were not extended: ", error.what());
            std::unique_lock lock(mutex);
            changed.wait_for(lock, stop, Ms{50}, [] { return false; });
        }
    }
}

void ProcessorState::extend_due(const std::stop_token& stop) {
    const Ms lease_time = Core::of(queue)->options.lease_time;
    struct Due {
        std::string token;
        std::stop_source stop;
    };
    std::vector<Due> due;
    std::vector<std::stop_source> over;
    {
        std::unique_lock lock(mutex);
        const auto now = std::chrono::steady_clock::now();
        auto next = now + std::chrono::hours(1);
        for (auto& [id, one] : running) {
            if (now >= one.end_at) {
                if (!one.stop.stop_requested()) over.push_back(one.stop);
                continue;
            }
            if (now >= one.extend_at) {
                due.push_back({one.token, one.stop});
                one.extend_at = now + lease_time / 3;
            }
            next = std::min({next, one.extend_at, one.end_at});
        }
        if (due.empty() && over.empty()) {
            changed.wait_until(lock, stop, next, [&, seen = next_running] {
                return next_running != seen;  // a new handler may be due sooner
            });
            return;
        }
    }
    // What a handler does when it is asked to stop may call the Processor: no lock is held.
    for (auto& one : over) one.request_stop();
    for (auto& one : due) {
        try {
            if (queue.extend(one.token, lease_time).fenced) one.stop.request_stop();
        } catch (const std::exception& error) {
            // The next third of the lease time tries again; the worker meets the error itself.
            Core::of(queue)->log(LogLevel::warning, "A lease was not extended: ", error.what());
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
            try {
                if (survive(error, stop, pause)) continue;
                fail(std::current_exception());
            } catch (...) {
                fail(std::current_exception());  // on_error threw
            }
            break;
        } catch (const Decided& decided) {
            if (!stop.stop_requested()) fail(decided.error);
            break;
        } catch (...) {
            fail(std::current_exception());
            break;
        }
    }
    end();
}

void ProcessorState::fail(std::exception_ptr error) {
    const std::lock_guard lock(mutex);
    if (!failure) failure = std::move(error);
}

// A closed gate ends a drain early (rule 17).
void ProcessorState::say_why_drained() {
    const Gate gate = Admin(queue).gate();
    if (gate.state != "closed") return;
    Core::of(queue)->log(LogLevel::warning, "Drain ended: the gate is closed: ", gate.reason);
}

// Asks all that run, and all that begin from now on. No lock is held while a handler hears of it.
void ProcessorState::stop_handlers(std::unique_lock<std::mutex>& lock) {
    handlers_stop = true;
    std::vector<std::stop_source> asked;
    for (const auto& [id, one] : running) asked.push_back(one.stop);
    lock.unlock();
    for (auto& one : asked) one.request_stop();
    lock.lock();
}

void ProcessorState::join(std::unique_lock<std::mutex>& lock) {
    auto ending = std::move(threads);
    auto extending = std::move(extender);
    threads.clear();
    lock.unlock();
    ending.clear();  // asks to stop, and joins
    extending = {};
    lock.lock();
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
Processor& Processor::operator=(Processor&& other) noexcept {
    Processor replaced(std::move(other));
    state_.swap(replaced.state_);
    return *this;  // what was here ends as a Processor does
}
Processor::~Processor() {
    if (!state_) return;
    if (state_->forked()) {
        (void)state_.release();  // its threads are in the parent: here nothing can be joined
    } else {
        stop(Drain::none);
    }
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
    auto* state = state_.get();
    std::unique_lock lock(state->mutex);
    if (state->started) {
        throw Error(ErrorCode::misuse, "processor", "", "started already; allowed: once");
    }
    state->started = true;
    try {
        state->extender =
            std::jthread([state](const std::stop_token& stop) { state->extend_leases(stop); });
        const int workers = state->options.workers;
        state->threads.reserve(static_cast<std::size_t>(workers));
        for (int i = 0; i < workers; ++i) {
            state->threads.emplace_back(
                [state](const std::stop_token& stop) { state->work(stop); });
            ++state->working;  // it can't end before: that needs the lock
        }
    } catch (...) {
        state->join(lock);  // all or none
        state->started = false;
        throw;
    }
}

void Processor::stop(Drain drain, Ms limit) {
    auto& state = *state_;
    std::unique_lock lock(state.mutex);
    if (!state.started) return;
    for (const auto& thread : state.threads) {
        if (thread.get_id() != std::this_thread::get_id()) continue;
        throw Error(ErrorCode::misuse, "processor", "",
                    "stop() was called in a handler, and would wait for itself; allowed: from "
                    "another thread");
    }
    if (drain == Drain::everything) {
        state.draining = true;
        lock.unlock();
        detail::Core::of(state.queue)->waiting().notify();
        lock.lock();
    } else {
        for (auto& thread : state.threads) thread.request_stop();
    }
    if (drain == Drain::none) state.stop_handlers(lock);
    state.changed.notify_all();
    state.changed.wait_until(lock, runtime::from_now(limit), [&] { return state.working == 0; });
    for (auto& thread : state.threads) thread.request_stop();
    state.stop_handlers(lock);
    state.join(lock);
    state.handlers_stop = false;
}

void Processor::wait() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->working == 0; });
    if (state_->failure) std::rethrow_exception(std::exchange(state_->failure, nullptr));
}

}  // namespace headpond
