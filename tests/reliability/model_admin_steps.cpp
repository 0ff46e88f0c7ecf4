// The verbs of a case that operators and readers use, and transact.
#include "reliability/model_case.h"
#include "reliability/model_dice.h"

#include <stdexcept>

namespace headpond::reliability::model {

void CaseRunner::cancel(Dice& dice) {
    const std::string key = dice.key();
    say("cancel " + key);
    const bool expected = model_->cancel(moment(), key);
    expect("cancel", expected, queues_[dice.below(2)]->cancel(key));
}

void CaseRunner::cleanup(Dice& dice) {
    say("cleanup");
    const CleanupReport expected = model_->cleanup(moment());
    const CleanupReport seen = queues_[dice.below(2)]->cleanup();
    expect("cleanup: expired", expected.expired, seen.expired);
    expect("cleanup: stale", expected.stale, seen.stale);
    expect("cleanup: evicted", expected.evicted, seen.evicted);
    expect("cleanup: reclaimed", expected.reclaimed, seen.reclaimed);
    expect("cleanup: abandoned", expected.abandoned, seen.abandoned);
    expect("cleanup: edited", std::int64_t{0}, seen.edited);
}

void CaseRunner::forget(Dice& dice) {
    Queue& queue = *queues_[dice.below(2)];
    const std::size_t limit = 1 + dice.below(5);
    const auto& wanted = model_->outcomes();
    const auto seen = queue.outcomes(limit);
    say("read and forget " + std::to_string(seen.size()) + " outcomes");
    expect("outcomes", std::min(limit, wanted.size()), seen.size());
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        expect("outcome", wanted[i].item_id, seen[i].item_id);
        expect("outcome's state", wanted[i].state, std::string(to_string(seen[i].state)));
        expect("outcome's reason", wanted[i].reason, seen[i].reason);
        expect("outcome's result", wanted[i].result, seen[i].result);
        // Some are left for later.
        if (!dice.one_in(4)) ids.push_back(seen[i].item_id);
    }
    ids.push_back(1'000'000);
    const std::size_t expected = model_->forget(ids);
    expect("forget", expected, queue.forget(ids));
}

namespace {

DeadFilter filter_of(std::size_t reason, std::size_t limit) {
    static constexpr std::array reasons{"", "", "abandoned", "rejected", "expired"};
    return {.reason = reasons[reason], .limit = limit};
}

}  // namespace

void CaseRunner::redrive(Dice& dice) {
    const DeadFilter filter = filter_of(dice.below(5), 1 + dice.below(4));
    say("redrive up to " + std::to_string(filter.limit) + " " + filter.reason);
    const Redriven expected = model_->redrive(moment(), filter);
    const Redriven seen = Admin(*queues_[dice.below(2)]).redrive(filter);
    say(" -> " + std::to_string(seen.redriven));
    expect("redriven", expected.redriven, seen.redriven);
    expect("redrive: duplicates", expected.duplicates, seen.duplicates);
    expect("redrive: remaining", expected.remaining, seen.remaining);
}

void CaseRunner::purge(Dice& dice) {
    const DeadFilter filter = filter_of(dice.below(5), 1 + dice.below(3));
    say("purge up to " + std::to_string(filter.limit) + " " + filter.reason);
    const std::int64_t expected = model_->purge(filter);
    expect("purge", expected, Admin(*queues_[dice.below(2)]).purge(filter));
}

void CaseRunner::set(Dice& dice) {
    const auto settings = model_settings();
    const ModelSetting& setting = settings[dice.below(settings.size())];
    // A queue that has not looked at the file since keeps its idea of when a cleanup is due.
    if (setting.name == "cleanup_interval") return;
    const std::int64_t value = setting.values[dice.below(setting.values.size())];
    say("set " + std::string(setting.name) + " " + setting.text(value));
    model_->limits.*setting.member = value;
    Admin(*queues_[dice.below(2)]).set(setting.name, setting.text(value), "model");
}

void CaseRunner::pause(Dice& dice) {
    std::optional<Ms> duration;
    if (!dice.one_in(6)) duration = Ms{1} + dice.ms_below(60, 100);
    say("pause " + (duration ? "for " + std::to_string(duration->count()) + " ms" : ""));
    model_->pause(moment(), duration, "paused");
    Admin(*queues_[dice.below(2)]).pause(duration, "paused", "model");
}

void CaseRunner::resume(Dice& dice) {
    say("resume");
    model_->resume();
    Admin(*queues_[dice.below(2)]).resume("model");
}

void CaseRunner::flush(Dice& dice) {
    const std::size_t queue = dice.below(2);
    say("flush queue " + std::to_string(queue));
    queues_[queue]->flush();
    flush_owed_[queue] = true;
}

void CaseRunner::transact(Dice& dice) {
    Queue& queue = *queues_[dice.below(2)];
    const bool undo = dice.below(3) == 2;
    say(undo ? "transact and throw:" : "transact:");
    const Model before = *model_;
    const std::runtime_error wanted("undo");
    bool undone = false;
    try {
        queue.transact([&](Transaction& tx) {
            for (std::size_t i = 0, count = 1 + dice.below(3); i < count; ++i) inside(dice, tx);
            if (undo) throw wanted;
        });
    } catch (const std::runtime_error& error) {
        if (std::string_view(error.what()) != wanted.what()) throw;
        undone = true;
    }
    expect("transact throws what its function threw", undo, undone);
    if (undo) model_ = before;
}

void CaseRunner::inside(Dice& dice, Transaction& tx) {
    const std::size_t verb = dice.below(4);
    if (verb == 0 || (verb != 3 && held_.empty())) {
        const std::string key = dice.key();
        const std::string payload(dice.below(70), 'q');
        const NewItem item{.key = key, .payload = payload, .tracking = Tracking::tracked};
        const auto expected = model_->enqueue(moment(), std::span(&item, 1));
        const Enqueued seen = tx.enqueue(item);
        say(" enqueue " + key + " (" + std::to_string(payload.size()) + " B) " +
            std::string(to_string(seen)));
        expect("enqueue", std::string(to_string(expected.front())), std::string(to_string(seen)));
    } else if (verb != 3) {
        const Held& held = held_[dice.below(held_.size())];
        const Settlement how = settlement(dice, held.items);
        say(" settle " + held.token);
        const auto expected = model_->settle(moment(), held.token, how);
        expect_settled(expected, settled_or_misuse([&] { return tx.settle(held.token, how); }));
    } else {
        const auto seen = tx.outcomes(2);
        expect("outcomes", std::min<std::size_t>(2, model_->outcomes().size()), seen.size());
        std::vector<std::int64_t> ids;
        for (const Outcome& outcome : seen) ids.push_back(outcome.item_id);
        const std::size_t expected = model_->forget(ids);
        say(" forget " + std::to_string(ids.size()));
        expect("forget", expected, tx.forget(ids));
    }
}

}  // namespace headpond::reliability::model
