#include "reliability/workload.h"

#include <headpond/sqlite.h>

#include <algorithm>
#include <new>

#include <sqlite3.h>

namespace headpond::reliability {

Workload::Workload(Order order, History& history)
    : order_(std::move(order)),
      history_(history),
      random_(order_.seed),
      tokens_(std::make_shared<test::FakeRandom>(order_.seed)) {}

Workload::~Workload() = default;

std::size_t Workload::pick(std::size_t below) {
    return random_() % below;
}

std::string Workload::new_key(const char* prefix) {
    return prefix + order_.name + std::to_string(++keys_);
}

void Workload::advance(Ms by) {
    if (!order_.live) clock_->advance(by);
}

// --- calls ---------------------------------------------------------------------------------------

// Durable is a call that changed what a power cut must not undo: one that changed nothing promises
// nothing, and what was leased before it may be lost after it.
bool Workload::call(bool durable, const std::function<void()>& fn) {
    return call([&] {
        fn();
        return durable;
    });
}

namespace {

// Tells of a call's begin and end.
class Inside {
  public:
    explicit Inside(const std::function<void(bool)>& tell) : tell_(tell) {
        if (tell_) tell_(true);
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() {
        if (tell_) tell_(false);
    }

  private:
    const std::function<void(bool)>& tell_;
};

}  // namespace

bool Workload::call(const std::function<bool()>& fn) {
    try {
        bool durable = false;
        {
            const Inside inside(order_.inside);
            durable = fn();
        }
        if (order_.after_call) order_.after_call(durable);
        return true;
    } catch (const Error& error) {
        failure_ = error.code();
        errors_ += 1;
        if (order_.on_error) order_.on_error(error);
    } catch (const std::bad_alloc&) {
        failure_.reset();
        errors_ += 1;
    }
    return false;
}

// A settlement on a full disk goes item by item: the first of them may have been settled. Memory
// may end after the commit.
Told Workload::failed() const {
    return failure_ == ErrorCode::disk_full ? Told::unknown : failed_whole();
}

Told Workload::failed_whole() const {
    const bool unknown = !failure_ || *failure_ == ErrorCode::outcome_unknown;
    return unknown ? Told::unknown : Told::error;
}

bool Workload::open() {
    Options options;
    options.path = order_.path;
    options.durability = order_.durability;
    if (order_.live) {
        options.backoff_base = Ms{0};
    } else {
        options.clock = clock_;
        options.random = tokens_;
    }
    options.log = [](LogLevel, std::string_view) {};
    // Processes that share a file must not quarrel about it.
    options.keys = order_.live || order_.seed % 2 == 1 ? Keys::unique : Keys::mapped;
    options.items_max = 40;
    options.payload_bytes_max = 64 * 1024;
    options.wal_bytes_max = 64 * 1024;  // the smallest: many checkpoints
    options.cleanup_rows = 7;
    options.attempts_kept = 30;
    options.release_delay_min = Ms{0};
    options.breaker_failures = 1'000'000;
    options.outcome_age_max = Ms{1'000'000'000};
    options.disk_free_min = 0;
    options.label = "workload";
    return call(true, [&] { queue_.emplace(options); });
}

// After an unknown outcome only a new opening tells; it may fail as well for a while.
bool Workload::ready() {
    if (queue_ && failure_ == ErrorCode::outcome_unknown) close();
    for (int tries = 0; !queue_ && tries < 4 && !lost_; ++tries) open();
    lost_ = !queue_;
    if (!lost_) failure_ = ErrorCode::busy;  // none of those that matter
    return !lost_;
}

void Workload::close() {
    if (queue_) call(false, [&] { queue_.reset(); });
}

void Workload::run() {
    ready();
    for (int i = 0; i < order_.rounds && ready(); ++i) round();
    close();
}

void Workload::round() {
    const std::size_t enqueues = 1 + pick(2);
    for (std::size_t i = 0; i < enqueues && ready(); ++i) enqueue();
    if (ready() && pick(3) == 0) enqueue_with_guest();
    if (ready()) {
        if (auto batch = lease()) {
            if (order_.live && ready()) enqueue();  // a holder does other things meanwhile
            if (ready()) settle_somehow(*batch);
            call(false, [&] { batch.reset(); });  // what is unsettled is nacked
        }
        if (order_.holding) order_.holding(false);
    }
    if (ready() && pick(4) == 0) fail_until_abandoned();
    if (ready() && pick(3) == 0) cancel();
    if (ready() && pick(2) == 0) read_outcomes();
    if (ready()) operate();
    advance(Ms{static_cast<std::int64_t>(pick(400'000))});
}

// --- entering ------------------------------------------------------------------------------------

namespace {

Told told_of(Enqueued answer) {
    return answer == Enqueued::stored ? Told::yes : Told::no;
}

}  // namespace

void Workload::enqueue() {
    std::vector<std::string> keys, payloads;
    const std::size_t count = 1 + pick(6);
    for (std::size_t i = 0; i < count; ++i) {
        keys.push_back(new_key("k"));
        const std::size_t bytes = pick(12) == 0 ? 30'000 : pick(600);
        payloads.emplace_back(bytes, static_cast<char>('a' + i));
    }
    std::vector<NewItem> items;
    for (std::size_t i = 0; i < count; ++i) {
        items.push_back({.key = keys[i],
                         .source_tag = "workload",
                         .payload = payloads[i],
                         .tracking = Tracking::tracked});
    }
    history_.asked(Verb::enqueue, keys);
    std::vector<Enqueued> answers;
    const bool done = call([&] {
        answers = queue_->enqueue(items);
        return std::ranges::count(answers, Enqueued::stored) > 0;
    });
    if (!done) {
        history_.told(Verb::enqueue, keys, failed_whole());
        return;
    }
    std::vector<std::pair<std::string, Told>> all;
    for (std::size_t i = 0; i < count; ++i) {
        all.emplace_back(keys[i], told_of(answers[i]));
        if (answers[i] == Enqueued::stored) known_.push_back(keys[i]);
    }
    history_.told(Verb::enqueue, all);
}

// The caller's row and the item, or neither.
void Workload::enqueue_with_guest() {
    const std::string key = new_key("guest");
    const bool changes_its_mind = pick(4) == 0;
    struct ChangedMind {};
    history_.asked(Verb::enqueue, {key});
    Enqueued answer = Enqueued::refused;
    try {
        const bool done = call([&] {
            queue_->transact([&](Transaction& transaction) {
                sqlite3* handle = sqlite_handle(transaction);
                const auto exec = [&](const std::string& sql) {
                    const int code = sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr);
                    if (code == SQLITE_OK) return;
                    throw Error(ErrorCode::io, "guest", "", sqlite3_errmsg(handle));
                };
                exec("CREATE TABLE IF NOT EXISTS guest (key TEXT PRIMARY KEY) STRICT");
                answer = transaction.enqueue(
                    {.key = key, .payload = "x", .tracking = Tracking::tracked});
                if (answer == Enqueued::stored) exec("INSERT INTO guest VALUES ('" + key + "')");
                if (changes_its_mind) throw ChangedMind{};
            });
            return answer == Enqueued::stored;
        });
        history_.told(Verb::enqueue, {key}, done ? told_of(answer) : failed_whole());
    } catch (const ChangedMind&) {
        history_.told(Verb::enqueue, {key}, Told::no);
    }
}

// --- leaving -------------------------------------------------------------------------------------

std::optional<Batch> Workload::lease() {
    std::optional<Batch> batch;
    const std::int64_t asked_at = History::now();
    LeaseRequest request;
    if (pick(3) == 0) request.items_max = 1 + static_cast<std::int64_t>(pick(4));
    call(false, [&] { batch = queue_->lease(request); });
    if (!batch) return batch;
    if (order_.holding) order_.holding(true);
    std::vector<std::string> keys;
    for (const auto& item : batch->items()) keys.push_back(item.key);
    history_.delivered(keys, asked_at);
    return batch;
}

void Workload::settle(Batch& batch, std::size_t acked, std::size_t rejected, Rest rest) {
    Settlement settlement;
    settlement.rest = rest;
    settlement.error = "service said 500";
    std::vector<std::string> ack_keys, reject_keys;
    for (const auto& item : batch.items()) {
        if (acked > 0) {
            --acked;
            ack_keys.push_back(item.key);
            settlement.acked.push_back({.item_id = item.id, .result = "result of " + item.key});
        } else if (rejected > 0) {
            --rejected;
            reject_keys.push_back(item.key);
            settlement.rejected.push_back({.item_id = item.id, .reason = "not a place"});
        }
    }
    history_.asked(Verb::ack, ack_keys);
    history_.asked(Verb::reject, reject_keys);
    Settled settled;
    const bool settled_it = call([&] {
        settled = batch.settle(settlement);
        return settled.acked + settled.rejected + settled.stale > 0 || settled.abandoned;
    });
    if (!settled_it) {
        history_.told(Verb::ack, ack_keys, failed());
        history_.told(Verb::reject, reject_keys, failed());
        return;
    }
    const bool all_there = !settled.fenced && settled.gone == 0;
    history_.told(Verb::ack, ack_keys, all_there ? Told::yes : Told::unknown);
    history_.told(Verb::reject, reject_keys, all_there ? Told::yes : Told::unknown);
}

void Workload::settle_somehow(Batch& batch) {
    const std::size_t all = batch.items().size();
    switch (pick(8)) {
        case 0:
            settle(batch, all / 2, 1, Rest::nack);
            break;
        case 1:
            settle(batch, 0, 0, Rest::release);
            break;
        case 2:
            settle(batch, all / 3, 0, Rest::split);
            break;
        case 3:
            settle(batch, 1, 0, Rest::keep);
            if (ready()) call(false, [&] { (void)batch.extend(Ms{30'000}); });
            break;  // and is dropped unsettled
        case 4:
            settle(batch, 0, all, Rest::nack);
            break;
        default:
            settle(batch, all, 0, Rest::nack);
            break;
    }
}

// Nacks and lapses until the attempts are used up: the last of them removes items.
void Workload::fail_until_abandoned() {
    for (int i = 0; i < 4 && ready(); ++i) {
        auto batch = lease();
        if (!batch) return;
        if (i == 1) {
            advance(Ms{61'000});  // lapses
            continue;
        }
        call([&] { return batch->nack("service said 503").abandoned; });
        advance(Ms{300'000});
    }
    if (order_.holding) order_.holding(false);
}

void Workload::cancel() {
    if (known_.empty()) return;
    const std::string key = known_[pick(known_.size())];
    history_.asked(Verb::cancel, {key});
    bool cancelled = false;
    if (!call([&] { return cancelled = queue_->cancel(key); })) {
        history_.told(Verb::cancel, {key}, failed());
        return;
    }
    history_.told(Verb::cancel, {key}, cancelled ? Told::yes : Told::no);
}

void Workload::read_outcomes() {
    std::vector<Outcome> outcomes;
    if (!call(false, [&] { outcomes = queue_->outcomes(20); }) || outcomes.empty()) return;
    std::vector<std::string> keys;
    std::vector<std::int64_t> ids;
    for (const auto& outcome : outcomes) {
        keys.push_back(outcome.key);
        ids.push_back(outcome.item_id);
    }
    history_.asked(Verb::forget, keys);
    const bool done =
        pick(2) == 0 ? call(true, [&] { (void)queue_->forget(ids); }) : call(true, [&] {
            queue_->transact([&](Transaction& transaction) { (void)transaction.forget(ids); });
        });
    history_.told(Verb::forget, keys, done ? Told::yes : failed());
}

// --- operators -----------------------------------------------------------------------------------

void Workload::set_a_limit() {
    const std::size_t range = items_highest - items_lowest + 1;
    const std::string value = std::to_string(items_lowest + static_cast<std::int64_t>(pick(range)));
    call(true, [&] { Admin(*queue_).set("items_max", value, "workload"); });
}

void Workload::operate() {
    switch (pick(10)) {
        case 0:
            advance(Ms{3'700'000});  // what is ready or waiting is over its age
            call([&] {
                const CleanupReport report = queue_->cleanup();
                return report.expired + report.stale + report.evicted + report.abandoned > 0;
            });
            break;
        case 1:
            call([&] { return Admin(*queue_).redrive({}).redriven > 0; });
            break;
        case 2:
            call([&] { return Admin(*queue_).purge({}) > 0; });
            break;
        case 3:
            set_a_limit();
            break;
        case 4:
            call(true, [&] { Admin(*queue_).pause(Ms{20}, "quota", "workload"); });
            if (ready()) call(true, [&] { Admin(*queue_).resume("workload"); });
            break;
        case 5:
            close();
            break;
        case 6:
            call([&] { return Admin(*queue_).repair().edited != 0; });
            break;
        case 7:
            call(false, [&] { (void)queue_->health(); });
            if (ready()) call(false, [&] { (void)Admin(*queue_).why("k1"); });
            break;
        default:
            break;
    }
}

}  // namespace headpond::reliability
