#include "core.h"

#include <headpond/batch.h>

namespace headpond {

Batch::Batch(std::unique_ptr<detail::BatchState> state) noexcept : state_(std::move(state)) {}
Batch::Batch(Batch&&) noexcept = default;

Batch& Batch::operator=(Batch&& other) noexcept {
    Batch dropped(std::move(other));
    state_.swap(dropped.state_);
    return *this;
}

Batch::~Batch() {
    if (!state_ || state_->done || state_->detached) return;
    state_->core->drop_unsettled(state_->token);
}

std::int64_t Batch::id() const noexcept {
    return state_->id;
}
std::span<const Item> Batch::items() const noexcept {
    return state_->items;
}
std::string_view Batch::token() const noexcept {
    return state_->token;
}
int Batch::attempt() const noexcept {
    return state_->attempt;
}
int Batch::attempts_max() const noexcept {
    return state_->attempts_max;
}
WallTime Batch::deadline() const noexcept {
    return state_->deadline;
}

Settled Batch::settle(const Settlement& settlement) {
    const Settled answer = detail::settle(*state_->core, state_->token, settlement, true);
    state_->done |= answer.fenced || settlement.rest != Rest::keep;
    return answer;
}

Settled Batch::ack() {
    Settlement settlement;
    settlement.rest = Rest::ack;
    return settle(settlement);
}

Settled Batch::nack(std::string_view error) {
    Settlement settlement;
    settlement.error = error;
    return settle(settlement);
}

Settled Batch::release(Ms delay, std::string_view why) {
    Settlement settlement;
    settlement.rest = Rest::release;
    settlement.delay = delay;
    settlement.error = why;
    return settle(settlement);
}

Settled Batch::split(std::string_view why) {
    Settlement settlement;
    settlement.rest = Rest::split;
    settlement.error = why;
    return settle(settlement);
}

Settled Batch::extend(Ms duration) {
    const Settled answer = detail::extend(*state_->core, state_->token, duration, true);
    if (!answer.fenced) state_->deadline = engine::to_wall(state_->core->now()) + duration;
    return answer;
}

}  // namespace headpond
