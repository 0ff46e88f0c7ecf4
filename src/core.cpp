#include "core.h"

#include "option_table.h"
#include "platform/files.h"
#include "platform/system.h"

#include <headpond/error.h>

#include <algorithm>

#include <spdlog/spdlog.h>

namespace headpond::detail {

using runtime::Sync;

namespace {

// The Cores whose transact runs on this thread: one may lend its writer inside another's.
struct Lend;
thread_local const Lend* innermost = nullptr;
struct Lend {
    explicit Lend(const Core* lender) : core(lender), outer(innermost) { innermost = this; }
    Lend(const Lend&) = delete;
    Lend& operator=(const Lend&) = delete;
    ~Lend() { innermost = outer; }
    const Core* core;
    const Lend* outer;
};

bool lent_here(const Core* core) {
    for (const Lend* one = innermost; one != nullptr; one = one->outer) {
        if (one->core == core) return true;
    }
    return false;
}

}  // namespace

// --- the host ------------------------------------------------------------------------------------

engine::Host::Life Core::life_of(const store::OwnerRow& owner) {
    if (owner.lock_inode != static_cast<std::int64_t>(side_->inode())) return Life::unknown;
    return side_->held(owner.id) ? Life::alive : Life::dead;
}

// As of a millisecond ago: others fill a disk no faster than what is kept free is worth.
std::int64_t Core::disk_free() {
    constexpr auto look_every = std::chrono::milliseconds(1);
    const auto now = std::chrono::steady_clock::now();
    if (now >= disk_looked_at_ + look_every) {
        disk_free_ = platform::disk_free(path);
        disk_looked_at_ = now;
    }
    return disk_free_;
}

store::Millis Core::now() const {
    return clock_->since_boot().count() + clock_offset_.load();
}

// --- running -------------------------------------------------------------------------------------

runtime::WriteQueue::Deadline Core::turn_deadline() const {
    return std::chrono::steady_clock::now() + options.turn_timeout;
}

bool Core::inherited() const noexcept {
    return fork_generation_ != platform::fork_generation();
}

void Core::require_usable(std::string_view operation, bool after_close) const {
    if (inherited()) {
        throw Error(ErrorCode::closed, operation, path,
                    "this process was forked from the one that opened the queue; allowed: open it "
                    "only after the fork");
    }
    if (closed.load() && !after_close)
        throw Error(ErrorCode::closed, operation, path, "the queue was closed");
    if (lent_here(this)) {
        throw Error(ErrorCode::misuse, operation, path,
                    "called inside transact on its thread; allowed: the Transaction's own calls");
    }
    require_in_place(operation);
}

// Three looks cost as much as three more system calls, a tenth of a small commit: calls in quick
// succession share one.
void Core::require_in_place(std::string_view operation) const {
    constexpr auto look_every = std::chrono::milliseconds(1);
    const auto now = std::chrono::steady_clock::now();
    if (!files_ || now < looked_at_.load() + look_every) return;
    if (const std::string* displaced = files_->displaced()) {
        throw Error(ErrorCode::io, operation, *displaced,
                    "the file was moved, removed or replaced while it was open; nothing was "
                    "changed; allowed: to put it back, or to close the queue and open it anew");
    }
    looked_at_ = now;
}

std::shared_ptr<const engine::Settings> Core::settings_for(store::Transaction& tx) {
    return settings_of(tx, tx.totals().settings_version);
}

std::shared_ptr<const engine::Settings> Core::settings_of(store::Transaction& tx,
                                                          std::int64_t version) {
    {
        const std::lock_guard lock(mutex_);
        if (settings_ && settings_version_ == version) return settings_;
    }
    auto fresh = std::make_shared<const engine::Settings>(read_settings(tx.settings()));
    log_bytes_max_ = fresh->wal_bytes_max;
    reserve_wanted_ = fresh->wal_reserve();
    const std::lock_guard lock(mutex_);
    settings_ = fresh;
    settings_version_ = version;
    return fresh;
}

void Core::invalidate_settings() {
    const std::lock_guard lock(mutex_);
    settings_version_ = -1;
}

engine::Effects Core::perform(store::Transaction& tx, std::int64_t rows_max,
                              const std::function<void(engine::Context&)>& fn) {
    const auto totals = tx.totals();
    const auto settings = settings_of(tx, totals.settings_version);
    tx.map_keys(settings->keys_are_mapped());
    engine::Context context(tx, totals, *this, *settings, rows_max);
    fn(context);
    context.finish();
    clock_offset_ =
        context.instant.anchor ? context.instant.anchor->offset : context.clock_row.offset;
    cleanup_due_at_ = context.totals.last_cleanup_at + settings->cleanup_interval;
    return std::move(context.effects);
}

void Core::attempt(const Call& call, std::int64_t rows_max,
                   const std::function<void(engine::Context&)>& fn, engine::Effects& effects) {
    writes_->run(
        {.operation = call.operation, .alone = call.alone},
        [&](store::Transaction& tx) {
            effects = {};
            effects = perform(tx, rows_max, fn);
            return call.synced || effects.sync ? Sync::needed : Sync::spared;
        },
        turn_deadline());
}

void Core::run(const Call& call, const std::function<void(engine::Context&)>& fn) {
    require_usable(call.operation, call.after_close);
    nack_dropped();
    engine::Effects effects;
    std::int64_t rows_max = store::no_limit;
    const auto checked = [&](engine::Context& context) {
        require_keys(context.settings);
        fn(context);
    };
    for (;;) {
        try {
            attempt(call, rows_max, checked, effects);
            break;
        } catch (const KeysChanged&) {
            obey_keys();
        } catch (const Error& error) {
            // The store has begun its log anew, if it could: once more, in small steps.
            if (error.code() != ErrorCode::disk_full || rows_max == 1) throw;
            rows_max = 1;
        }
    }
    if (effects.settings) invalidate_settings();
    after_commit(effects);
    if (reserve_wanted_.load() > reserve_placed_.load()) place_reserve();
}

// A limit raised while the queue is open asks for a larger log (rule 13).
void Core::place_reserve() {
    const std::int64_t wanted = reserve_wanted_.load();
    reserve_placed_ = wanted;
    try {
        writes_->with_turn(
            "settings", [&] { store_->set_log_reserve(wanted, log_bytes_max_.load()); },
            turn_deadline());
    } catch (const Error& error) {
        // What was asked for is done; the next open tries again.
        log(LogLevel::warning, "The log was not enlarged: ", error.what());
    }
}

// The setting `keys` may be changed by hand or by another process: the index follows it, in a
// transaction of its own before the one that notices.
void Core::require_keys(const engine::Settings& settings) const {
    if (settings.keys != keys_in_force_.load()) throw KeysChanged{};
}

void Core::obey_keys() {
    std::vector<engine::LogLine> lines;
    std::int64_t keys = 0;
    writes_->run(
        {.operation = "settings", .alone = true},
        [&](store::Transaction& tx) {
            lines.clear();
            keys = index_keys(tx, engine::read_clock(*clock_, tx.clock(), tx).now, lines);
            return Sync::needed;
        },
        turn_deadline());
    keys_in_force_ = keys;
    invalidate_settings();
    for (const auto& line : lines) log(line.level, line.text);
}

// Where resident keys repeat, `unique` cannot be: the setting goes back, so that the file says what
// holds.
std::int64_t Core::index_keys(store::Transaction& tx, store::Millis now,
                              std::vector<engine::LogLine>& lines) {
    constexpr auto free = static_cast<std::int64_t>(Keys::free);
    std::int64_t keys = read_settings(tx.settings()).keys;
    try {
        tx.nested([&] {
            // The index finds keys that repeat: mapped ones need it for that alone, and not at each
            // opening.
            const bool changed = keys_in_force_.load() >= 0;
            if (changed && keys != free) tx.index_keys(true);
            tx.index_keys(static_cast<Keys>(keys) == Keys::unique);
        });
    } catch (const Error& error) {
        if (error.code() != ErrorCode::misuse) throw;
        const OptionRow& row = option_row("keys", "settings");
        lines.push_back({LogLevel::warning, "Setting keys: " + row.format(keys) +
                                                " -> free: two resident items share a key"});
        keys = free;
        tx.set_setting(row.setting_row(free, now, label_));
    }
    return keys;
}

void Core::after_commit(const engine::Effects& effects) noexcept {
    if (effects.wake) side_->wake();
    for (const auto& line : effects.lines) log(line.level, line.text);
}

void Core::read(std::string_view operation, const std::function<void(store::Transaction&)>& fn) {
    require_usable(operation);
    store_->read(operation, fn);
}

void Core::transact(const std::function<void(store::Transaction&, engine::Effects&)>& fn) {
    require_usable("transact");
    nack_dropped();
    engine::Effects effects;
    for (bool done = false; !done;) {
        try {
            writes_->run(
                {.operation = "transact", .alone = true},
                [&](store::Transaction& tx) {
                    effects = {};
                    require_keys(*settings_for(tx));
                    const Lend lend(this);
                    fn(tx, effects);
                    store_->check_guest(tx);
                    return Sync::needed;
                },
                turn_deadline());
            done = true;
        } catch (const KeysChanged&) {
            obey_keys();
        } catch (...) {
            invalidate_settings();  // a change of them may have been seen and is undone
            throw;
        }
    }
    after_commit(effects);
}

void Core::keep(engine::Effects& all, engine::Effects&& more) {
    all.wake |= more.wake;
    all.settings |= more.settings;
    for (auto& line : more.lines) all.lines.push_back(std::move(line));
}

// --- dropped batches -----------------------------------------------------------------------------

namespace {
Settlement dropped_settlement() {
    Settlement settlement;
    settlement.rest = Rest::nack;
    settlement.error = "dropped unsettled";
    return settlement;
}
}  // namespace

void Core::drop_unsettled(const std::string& token) noexcept {
    if (inherited()) return;
    try {
        engine::Effects effects;
        const Settlement settlement = dropped_settlement();
        const bool done = !lent_here(this) &&
                          writes_->try_run({.operation = "drop"}, [&](store::Transaction& tx) {
                              effects = perform(tx, store::no_limit, [&](engine::Context& context) {
                                  (void)engine::settle(context, token, settlement);
                              });
                              return effects.sync ? Sync::needed : Sync::spared;
                          });
        if (done) {
            after_commit(effects);
            return;
        }
    } catch (const std::exception& error) {
        // Whatever was in the way now may be gone at the next write; failing that the lapse does
        // it.
        log(LogLevel::warning, "A dropped batch could not be nacked yet: ", error.what());
    } catch (const store::WholeRollback&) {
        log(LogLevel::warning,
            "A dropped batch could not be nacked yet: ", "SQLite rolled it back");
    }
    try {
        const std::lock_guard lock(mutex_);
        dropped_.push_back(token);
    } catch (const std::bad_alloc&) {
        log(LogLevel::warning, "A dropped batch waits for its lease to lapse: ", token);
    }
}

void Core::nack_dropped() {
    std::vector<std::string> tokens;
    {
        const std::lock_guard lock(mutex_);
        tokens.swap(dropped_);
    }
    const Settlement settlement = dropped_settlement();
    while (!tokens.empty()) {
        engine::Effects effects;
        try {
            attempt(
                {.operation = "drop", .synced = false}, store::no_limit,
                [&](engine::Context& context) {
                    (void)engine::settle(context, tokens.back(), settlement);
                },
                effects);
        } catch (const Error&) {
            // The caller's own write meets the same trouble and reports it; these wait on.
            const std::lock_guard lock(mutex_);
            dropped_.insert(dropped_.end(), tokens.begin(), tokens.end());
            return;
        }
        tokens.pop_back();
        after_commit(effects);
    }
}

// --- cleanup -------------------------------------------------------------------------------------

// The call before it is done, and answers for itself; the next one tries again, and tells.
void Core::clean_up_after_call() noexcept {
    try {
        clean_up_if_due();
    } catch (...) {
        return;
    }
}

void Core::clean_up_if_due() {
    if (now() < cleanup_due_at_.load() || cleaning_.exchange(true)) return;
    struct Done {
        std::atomic<bool>& flag;
        ~Done() { flag = false; }
    };
    const Done done{cleaning_};
    clean_up(false);
}

CleanupReport Core::clean_up(bool force) {
    CleanupReport report;
    engine::Progress progress;
    bool ran = force;
    while (progress.step != engine::Step::done) {
        report = operate({.operation = "cleanup", .synced = false},
                         [&, before = report, at = progress](engine::Context& context) mutable {
                             // Counted from what stood before, so that a rerun counts once.
                             CleanupReport counted = before;
                             engine::Progress moved = at;
                             engine::cleanup_step(context, moved, counted, force);
                             progress = moved;
                             return counted;
                         });
        ran |= progress.step != engine::Step::done;
        force = true;  // claimed
    }
    if (!ran) return report;
    if (report.expired > 0) {
        log(LogLevel::info, "Removed " + std::to_string(report.expired) + " stale buffer items");
    }
    if (report.stale > 0) {
        log(LogLevel::info,
            "Cleaned " + std::to_string(report.stale) + " stale batch markers from alerts");
    }
    constexpr std::int64_t pages_a_step = 128;
    for (std::int64_t freed = pages_a_step; freed == pages_a_step;) {
        freed = 0;
        writes_->with_turn(
            "cleanup",
            [&] {
                freed = store_->shrink(pages_a_step);
                report.pages_freed += freed;
                // What was freed leaves the file in a checkpoint.
                if (freed < pages_a_step && report.pages_freed > 0) store_->relieve(0);
            },
            turn_deadline());
    }
    log_health();
    return report;
}

// --- the rest ------------------------------------------------------------------------------------

namespace {

void log_to_spdlog(LogLevel level, const std::string& line) {
    switch (level) {
        case LogLevel::debug:
            spdlog::debug(line);
            break;
        case LogLevel::info:
            spdlog::info(line);
            break;
        case LogLevel::warning:
            spdlog::warn(line);
            break;
        case LogLevel::error:
            spdlog::error(line);
            break;
    }
}

}  // namespace

// What is told here is done: a log that fails, or memory that is out, must not make it look undone.
void Core::log(LogLevel level, std::string_view text, std::string_view why) const noexcept {
    try {
        std::string line = "[" + options.log_tag + "] ";
        line.append(text).append(why);
        if (options.log) {
            options.log(level, line);
        } else {
            log_to_spdlog(level, line);
        }
    } catch (...) {
        return;  // nobody here to tell
    }
}

void Core::log_health() {
    std::string line;
    read("health", [&](store::Transaction& tx) {
        const auto first = tx.survey(0, store::no_limit, 1);
        const auto at = engine::read_clock(*clock_, tx.clock(), tx).now;
        line = engine::health_line(tx.totals(), *settings_for(tx),
                                   first.empty() ? 0 : at - first.front().enqueued_at);
    });
    log(LogLevel::info, line);
}

Options Core::options_in_force() {
    Options all = options;
    read("options", [&](store::Transaction& tx) {
        const auto settings = settings_for(tx);
        for (const OptionRow& row : option_table()) {
            if (row.in_file()) set_option(all, row, (*settings).*row.setting);
        }
    });
    return all;
}

Settled settle(Core& core, std::string_view token, const Settlement& settlement, bool after_close) {
    const auto once = [&](const Settlement& part) {
        return core.operate(
            {.operation = "settle", .synced = false, .after_close = after_close},
            [&](engine::Context& context) { return engine::settle(context, token, part); });
    };
    try {
        return once(settlement);
    } catch (const Error& error) {
        const bool removes = !settlement.acked.empty() || !settlement.rejected.empty() ||
                             settlement.rest == Rest::ack;
        if (error.code() != ErrorCode::disk_full || !removes) throw;
    }
    // A full disk: one item a transaction frees what the next one needs.
    Settled total;
    const auto add = [&](const Settled& part) {
        total.fenced |= part.fenced;
        total.acked += part.acked;
        total.rejected += part.rejected;
        total.gone += part.gone;
    };
    Settlement one;
    one.rest = Rest::keep;
    for (const Result& result : settlement.acked) {
        one.acked = {result};
        add(once(one));
    }
    one.acked.clear();
    for (const Rejection& rejection : settlement.rejected) {
        one.rejected = {rejection};
        add(once(one));
    }
    Settlement rest = settlement;
    rest.acked.clear();
    rest.rejected.clear();
    const Settled last = once(rest);
    if (!last.fenced || total.acked + total.rejected == 0) add(last);
    total.abandoned = last.abandoned;
    total.stale = last.stale;
    return total;
}

Settled extend(Core& core, std::string_view token, Ms duration, bool after_close) {
    if (duration < Ms{1} || duration > Ms{24 * 3600 * 1000}) {
        throw Error(ErrorCode::misuse, "extend", core.path,
                    "the lease time is " + std::to_string(duration.count()) +
                        " ms; allowed: 1 ms to 1 day");
    }
    return core.operate(
        {.operation = "extend", .synced = false, .after_close = after_close},
        [&](engine::Context& context) { return engine::extend(context, token, duration.count()); });
}

}  // namespace headpond::detail
