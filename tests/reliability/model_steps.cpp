// The verbs of a case, each on the queue and on the model.
#include "reliability/model_case.h"
#include "reliability/model_dice.h"

#include <headpond/error.h>

#include <algorithm>
#include <stdexcept>

namespace headpond::reliability::model {

// Keys and payloads, and the items that borrow them.
class CaseRunner::Newcomers {
  public:
    void add(std::string key, std::size_t bytes, Tracking tracking,
             std::optional<WallTime> published) {
        said += " " + key + " (" + std::to_string(bytes) + " B" +
                (tracking == Tracking::tracked ? ", tracked" : "") +
                (published ? ", published" : "") + ")";
        texts_.push_back(std::make_unique<std::array<std::string, 2>>(
            std::array{std::move(key), std::string(bytes, 'p')}));
        items.push_back({.key = (*texts_.back())[0],
                         .source_tag = bytes % 2 == 0 ? "even" : "",
                         .payload = (*texts_.back())[1],
                         .tracking = tracking,
                         .published_at = published});
    }
    std::vector<NewItem> items;
    std::string said;

  private:
    std::vector<std::unique_ptr<std::array<std::string, 2>>> texts_;
};

CaseRunner::Newcomers CaseRunner::newcomers(Dice& dice, Millis wall) {
    Newcomers all;
    for (std::size_t i = 0, count = 1 + dice.below(4); i < count; ++i) {
        std::string key = dice.key();
        const std::size_t bytes = dice.below(70);
        const std::size_t kind = dice.below(6);
        std::optional<WallTime> published;
        if (kind >= 3) published = WallTime{Ms{wall - static_cast<Millis>(bytes) * 700}};
        all.add(std::move(key), bytes, kind % 3 == 1 ? Tracking::untracked : Tracking::tracked,
                published);
    }
    return all;
}

namespace {

std::string shown(const std::vector<Enqueued>& answers) {
    std::string text;
    for (const Enqueued answer : answers) text += " " + std::string(to_string(answer));
    return text;
}

std::string shown(const std::optional<Settled>& settled) {
    if (!settled) return "misuse";
    if (settled->fenced) return "fenced";
    return std::to_string(settled->acked) + " acked, " + std::to_string(settled->rejected) +
           " rejected, " + std::to_string(settled->gone) + " gone, " +
           std::to_string(settled->stale) + " stale" + (settled->abandoned ? ", abandoned" : "");
}

std::string shown(const Settlement& how) {
    static constexpr std::array words{"ack", "nack", "release", "split", "keep"};
    std::string text;
    for (const Result& one : how.acked) {
        text += " ack " + (one.item_id != 0 ? std::to_string(one.item_id) : one.key);
    }
    for (const Rejection& one : how.rejected) {
        text += " reject " + (one.item_id != 0 ? std::to_string(one.item_id) : one.key);
    }
    text += std::string(" rest ") + words[static_cast<std::size_t>(how.rest)];
    if (how.delay) text += ", delay " + std::to_string(how.delay->count()) + " ms";
    if (how.close_gate) text += ", closes the gate";
    return text;
}

}  // namespace

void CaseRunner::enqueue(Dice& dice) {
    Queue& queue = *queues_[dice.below(2)];
    const Newcomers all = newcomers(dice, clock_->wall_time);
    say("enqueue" + all.said);
    model_->cleanup_if_due(moment());
    const auto expected = model_->enqueue(moment(), all.items);
    const auto seen = all.items.size() == 1 ? std::vector{queue.enqueue(all.items.front())}
                                            : queue.enqueue(all.items);
    say(" ->" + shown(seen));
    expect("enqueue", shown(expected), shown(seen));
}

void CaseRunner::lease(Dice& dice) {
    const std::size_t queue = dice.below(2);
    LeaseRequest request{.when = dice.below(3) == 1 ? When::due : When::immediate};
    if (const std::size_t most = dice.below(5); most > 0 && most < 3) {
        request.items_max = static_cast<std::int64_t>(most);
    }
    request.lease_time = Ms{1} + dice.ms_below(100, 101);
    request.detached = dice.below(4) == 3;
    say("lease by queue " + std::to_string(queue) +
        (request.when == When::due ? ", when due" : "") +
        (request.items_max ? ", at most " + std::to_string(*request.items_max) : "") + ", for " +
        std::to_string(request.lease_time->count()) + " ms" +
        (request.detached ? ", detached" : ""));
    const auto expected = model_->lease(moment(), request, flush_owed_[queue]);
    auto seen = queues_[queue]->lease(request);
    say(seen ? " -> batch " + std::string(seen->token()) + " of " +
                   std::to_string(seen->items().size())
             : " -> nothing");
    expect("lease", std::string(expected ? "a batch" : "nothing"),
           std::string(seen ? "a batch" : "nothing"));
    if (!seen) return;
    expect("batch id", expected->batch, seen->id());
    expect("attempt", expected->attempt, std::int64_t{seen->attempt()});
    expect("attempts_max", expected->attempts_max, std::int64_t{seen->attempts_max()});
    expect("deadline", expected->deadline, Millis{seen->deadline().time_since_epoch().count()});
    expect("items leased", expected->items.size(), seen->items().size());
    Held held{.token = std::string(seen->token()), .queue = queue, .detached = request.detached};
    for (std::size_t i = 0; i < expected->items.size(); ++i) {
        const Item& item = seen->items()[i];
        const ModelItem& wanted = expected->items[i];
        if (item.id != wanted.id || item.key != wanted.key || item.payload != wanted.payload ||
            item.source_tag != wanted.source_tag ||
            item.enqueued_at.time_since_epoch().count() != wanted.enqueued_at ||
            (item.tracking == Tracking::tracked) != wanted.tracked) {
            differ("the leased item " + std::to_string(item.id) + " is not as it was enqueued");
        }
        held.items.push_back(item);
    }
    held.batch = std::make_unique<Batch>(std::move(*seen));
    model_->issue(expected->batch, held.token);
    tokens_.push_back(held.token);
    held_.push_back(std::move(held));
    if (held_.size() > 6) drop_held(0);
}

Settlement CaseRunner::settlement(Dice& dice, const std::vector<Item>& items) {
    Settlement how;
    how.rest = static_cast<Rest>(dice.below(5));
    const std::size_t extras = dice.below(32);
    if (extras % 2 == 1) how.error = "error " + std::to_string(extras);
    if (extras % 4 == 3) how.delay = Ms{static_cast<std::int64_t>(extras) * 100};
    if (extras == 30) how.close_gate = GateClosure{.duration = Ms{1'500}, .reason = "asked"};
    if (extras == 28) how.close_gate = GateClosure{.duration = std::nullopt, .reason = "quota"};
    for (std::size_t i = 0; i < items.size(); ++i) {
        const Item& item = items[i];
        switch (dice.below(8)) {
            case 1:
                how.acked.push_back({.item_id = item.id, .result = "r"});
                break;
            case 2:
                how.acked.push_back({.key = item.key, .result = item.key});
                break;
            case 3:
                how.rejected.push_back({.item_id = item.id, .reason = "bad"});
                break;
            case 4:
                how.rejected.push_back({.key = item.key, .reason = "worse"});
                break;
            default:
                break;
        }
    }
    switch (dice.below(20)) {
        case 17:
            how.acked.push_back({.item_id = 1'000'000});
            break;
        case 18:
            if (!items.empty()) how.rejected.push_back({.item_id = items[0].id, .reason = "again"});
            break;
        case 19:
            if (!items.empty()) {
                how.acked.push_back({.item_id = items.back().id, .result = std::string(61, 'r')});
            }
            break;
        default:
            break;
    }
    return how;
}

std::optional<Settled> CaseRunner::settled_or_misuse(const std::function<Settled()>& call) const {
    try {
        return call();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::misuse) throw;
        return std::nullopt;
    }
}

void CaseRunner::expect_settled(const std::optional<Settled>& expected,
                                const std::optional<Settled>& seen) {
    say(" -> " + shown(seen));
    expect("settle", shown(expected), shown(seen));
}

void CaseRunner::settle(Dice& dice) {
    if (held_.empty()) return;
    // Mostly the newest.
    const std::size_t at = held_.size() - 1 - dice.below(held_.size() + 2) % held_.size();
    const std::size_t through = dice.below(4);
    const bool keeps = dice.below(2) == 1;  // the object, whatever the answer
    Held& held = held_[at];
    const Settlement how = settlement(dice, held.items);
    say("settle " + held.token + (through < 2 ? "" : " by token") + shown(how));
    const auto expected = model_->settle(moment(), held.token, how);
    const auto seen = settled_or_misuse([&] {
        return through < 2 ? held.batch->settle(how)
                           : queues_[through - 2]->settle(held.token, how);
    });
    expect_settled(expected, seen);
    if (through < 2 && seen) held.done |= seen->fenced || how.rest != Rest::keep;
    if (!keeps) drop_held(at);
}

// Old tokens, and such as nobody was given.
void CaseRunner::settle_by_token(Dice& dice) {
    if (tokens_.empty()) return;
    std::string token = tokens_[tokens_.size() - 1 - dice.below(tokens_.size())];
    const std::size_t forgery = dice.below(4);
    if (forgery == 1) token.back() = token.back() == '0' ? '1' : '0';
    if (forgery == 2) token += '0';
    if (forgery == 3) token.insert(0, "1");
    const Settlement how = settlement(dice, {});
    say("settle " + token + " by token" + shown(how));
    const auto expected = model_->settle(moment(), token, how);
    Queue& queue = *queues_[dice.below(2)];
    expect_settled(expected, settled_or_misuse([&] { return queue.settle(token, how); }));
}

void CaseRunner::extend(Dice& dice) {
    if (tokens_.empty()) return;
    const Ms duration = Ms{1} + dice.ms_below(100, 150);
    const bool by_object = dice.below(2) == 0 && !held_.empty();
    const std::string token =
        by_object ? held_[dice.below(held_.size())].token : tokens_[dice.below(tokens_.size())];
    say("extend " + token + " to " + std::to_string(duration.count()) + " ms from now");
    const bool expected = model_->extend(moment(), token, duration.count());
    bool seen = false;
    if (by_object) {
        const auto held = std::find_if(held_.begin(), held_.end(),
                                       [&](const Held& one) { return one.token == token; });
        seen = !held->batch->extend(duration).fenced;
        if (seen) {
            expect("deadline", now() + duration.count(),
                   Millis{held->batch->deadline().time_since_epoch().count()});
        }
    } else {
        seen = !queues_[dice.below(2)]->extend(token, duration).fenced;
    }
    say(seen ? "" : " -> fenced");
    expect("extend", expected, seen);
}

void CaseRunner::drop(Dice& dice) {
    if (held_.empty()) return;
    const std::size_t at = dice.below(held_.size());
    say("drop the Batch of " + held_[at].token);
    drop_held(at);
}

// The destructor nacks what is unsettled.
void CaseRunner::drop_held(std::size_t at) {
    Held held = std::move(held_[at]);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(at));
    if (!held.done && !held.detached) {
        Settlement nack;
        nack.error = "dropped unsettled";
        (void)model_->settle(moment(), held.token, nack);
    }
    held.batch.reset();
}

}  // namespace headpond::reliability::model
