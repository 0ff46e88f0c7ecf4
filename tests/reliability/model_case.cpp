#include "reliability/model_case.h"

#include "reliability/model_dice.h"

#include <algorithm>
#include <stdexcept>

namespace headpond::reliability::model {

namespace {

constexpr Millis start_wall = 1'800'000'000'000;
constexpr Millis start_boot = 5'000'000;

struct Difference : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// splitmix64
std::uint64_t mixed(std::uint64_t z) {
    z = (z + 1) * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
}

}  // namespace

CaseRunner::CaseRunner(const std::filesystem::path& folder, Keys keys)
    : path_(folder / "model.db"), keys_(keys) {
    clock_->wall_time = start_wall;
    clock_->boot = start_boot;
    open(0);
    open(1);
    file_ = std::make_unique<ModelFile>(path_);
}

CaseRunner::~CaseRunner() {
    held_.clear();
}

void CaseRunner::open(std::size_t queue) {
    Options options;
    options.path = path_;
    options.keys = keys_;
    options.durability = Durability::process_crash;
    options.clock = clock_;
    options.random = random_;
    options.label = "model";
    options.enqueue_timeout = Ms{0};  // overflow = block: answers at once
    options.log = [](LogLevel, std::string_view) {};
    queues_[queue].reset();
    queues_[queue].emplace(options);
    flush_owed_[queue] = false;
}

void CaseRunner::differ(const std::string& what) const {
    throw Difference(what);
}

std::string CaseRunner::run(const Case& one) {
    begin(one);
    std::string found = run_steps(one);
    if (!found.empty()) {
        for (std::size_t i = 0; i < said_.size(); ++i) {
            found += "\n  " + std::to_string(i + 1) + ". " + said_[i];
        }
    }
    end();
    return found;
}

std::string CaseRunner::run_steps(const Case& one) {
    try {
        for (const Step& each : one.steps) step(each);
        if (said_.empty()) said_.emplace_back();
        if (file_->attempts() != model_->attempts()) {
            const auto seen = file_->attempts();
            const auto& wanted = model_->attempts();
            const auto [w, s] =
                std::mismatch(wanted.begin(), wanted.end(), seen.begin(), seen.end());
            const auto shown = [](const auto& row, const auto& end) {
                return row == end ? std::string("none")
                                  : "batch " + std::to_string(row->batch) + " attempt " +
                                        std::to_string(row->attempt) + " " + row->outcome + " '" +
                                        row->error + "' " + std::to_string(row->items) + " items";
            };
            differ("table attempts: expected " + shown(w, wanted.end()) + "; the file has " +
                   shown(s, seen.end()));
        }
        for (const CheckFinding& finding : Admin(*queues_[0]).check().findings) {
            if (!finding.warning) differ("check: " + finding.what + ": " + finding.detail);
        }
        const Health health = queues_[1]->health();
        const auto& counters = last_.counters;
        expect("health: items", counters[c_items], health.items);
        expect("health: waiting", counters[c_waiting_items], health.waiting);
        expect("health: leased", counters[c_leased_items], health.leased);
        expect("health: the ledger's difference", std::int64_t{0}, health.ledger_difference);
        if (health.age_max < Ms{0} || health.age_average < Ms{0}) differ("health: negative age");
    } catch (const Difference& difference) {
        return difference.what();
    } catch (const std::exception& error) {
        return std::string("an error: ") + error.what();
    }
    return {};
}

void CaseRunner::begin(const Case& one) {
    ModelLimits limits;
    const auto settings = model_settings();
    for (const ModelSetting& setting : settings) limits.*setting.member = setting.values[0];
    for (const std::uint8_t die : one.settings) {
        if (die == 0) continue;
        const ModelSetting& setting = settings[die % settings.size()];
        limits.*setting.member = setting.values[die / settings.size() % setting.values.size()];
    }
    clock_->wall_time = start_wall;
    clock_->boot = start_boot;
    clock_->boots = 1;
    offset_ = start_wall - start_boot;
    random_->value = 0;
    const bool mapped = keys_ == Keys::mapped;
    file_->empty(limits, clock_->boot_identity(), start_wall, offset_, mapped);
    for (std::size_t i = 0; i < queues_.size(); ++i) {
        (void)queues_[i]->forget({});                   // so that it sees the file anew
        if (flush_owed_[i]) (void)queues_[i]->lease();  // finds nothing: the flush is over
        flush_owed_[i] = false;
    }
    model_.emplace(limits, start_wall, mapped, file_->last_item_id());
    last_ = {};
    tokens_.clear();
    said_.clear();
}

// What is still held goes without a word: the next case begins with an empty file.
void CaseRunner::end() {
    file_->hide_tokens();
    held_.clear();
}

void CaseRunner::compare(Verb verb) {
    QueueState expected = model_->state();
    QueueState seen = file_->state();
    expected.gate = expected.gate.at(now());
    seen.gate = seen.gate.at(now());
    const std::string found = difference(expected, seen);
    if (!found.empty()) differ(found);
    seen.gate = {};  // it changes by time alone
    if (last_ == seen) return;
    // Rule 9: any write that finds the stored clock more than a second off moves it.
    const bool by_hand = verb == Verb::owner_dies || verb == Verb::reboot;
    last_ = std::move(seen);
    const Millis seen_at = file_->clock().seen_at;
    if (!by_hand && (seen_at < now() - 1000 || seen_at > now())) {
        differ("clock: seen_at is " + std::to_string(seen_at) + ", now is " +
               std::to_string(now()));
    }
}

void CaseRunner::step(const Step& step) {
    using Run = void (CaseRunner::*)(Dice&);
    using C = CaseRunner;
    // In the order of Verb.
    static constexpr std::array<Run, 21> runs{
        &C::enqueue, &C::lease,     &C::settle,   &C::settle_by_token, &C::extend,   &C::drop,
        &C::cancel,  &C::cleanup,   &C::forget,   &C::redrive,         &C::purge,    &C::set,
        &C::pause,   &C::resume,    &C::flush,    &C::transact,        &C::one_dies, &C::reopen,
        &C::reboot,  &C::pass_time, &C::step_wall};
    said_.emplace_back();
    random_->value = mixed(said_.size());
    Dice dice(step);
    (this->*runs.at(static_cast<std::size_t>(step.verb)))(dice);
    const bool asked_nothing = step.verb == Verb::pass_time || step.verb == Verb::step_wall;
    if (!asked_nothing) compare(step.verb);
}

// --- time and processes --------------------------------------------------------------------------

void CaseRunner::pass_time(Dice& dice) {
    Millis by = 0;
    const std::size_t how = dice.below(4);
    if (how < 2) {
        by = dice.ms_below(200, how == 0 ? 13 : 130).count();
    } else {
        // To an instant at which something changes, or to the millisecond before it.
        auto events = model_->events();
        std::erase_if(events, [&](Millis at) { return at <= now(); });
        std::sort(events.begin(), events.end());
        if (!events.empty()) {
            by = events[dice.below(std::min<std::size_t>(3, events.size()))] - now();
            by += how == 3 ? static_cast<Millis>(dice.below(3)) - 1 : 0;
        }
    }
    say(std::to_string(by) + " ms pass");
    clock_->boot += by;
    clock_->wall_time += by;
}

void CaseRunner::step_wall(Dice& dice) {
    constexpr Millis hour = 3'600'000;
    const auto by = (static_cast<Millis>(dice.below(7)) - 3) * hour + 7;
    say("the wall clock steps by " + std::to_string(by) + " ms");
    clock_->wall_time += by;
}

void CaseRunner::one_dies(Dice& dice) {
    const std::size_t queue = dice.below(2);
    say("the process of queue " + std::to_string(queue) + " dies");
    owner_dies(queue);
}

// All that this process holds stays as it is, and nobody is there for it.
void CaseRunner::owner_dies(std::size_t queue) {
    file_->hide_tokens();
    for (Held& held : held_) {
        if (held.queue != queue) continue;
        if (!held.detached) {
            file_->orphan(held.token);
            model_->owner_died(held.token);
        }
        held.batch.reset();
    }
    std::erase_if(held_, [](const Held& held) { return held.batch == nullptr; });
    file_->restore_tokens();
}

void CaseRunner::reopen(Dice& dice) {
    const std::size_t queue = dice.below(2);
    say("reopen queue " + std::to_string(queue));
    open(queue);
}

void CaseRunner::reboot(Dice& dice) {
    const Millis off = dice.ms_below(200, 50).count();
    for (std::size_t i = 0; i < queues_.size(); ++i) {
        owner_dies(i);
        queues_[i].reset();
    }
    const StoredClock stored = file_->clock();
    Millis expected = std::max(stored.seen_at, stored.anchored_at);
    for (const ModelItem& item : last_.items) expected = std::max(expected, item.enqueued_at);
    clock_->boots += 1;
    clock_->boot = 1000;
    clock_->wall_time += off;
    expected = std::max(expected, clock_->wall_time);
    say("reboot, " + std::to_string(off) + " ms off; the queue clock goes on from " +
        std::to_string(expected));
    open(0);
    open(1);
    offset_ = expected - clock_->boot;
    const StoredClock anchored = file_->clock();
    expect("clock: boot", clock_->boot_identity(), anchored.boot);
    expect("clock: offset", offset_, anchored.offset);
}

}  // namespace headpond::reliability::model
