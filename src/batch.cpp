#include "core.h"

#include <headpond/batch.h>

namespace headpond {

namespace {
// What a Batch says of itself after it was moved from.
const detail::BatchState& facts(const std::unique_ptr<detail::BatchState>& state) noexcept {
    static const detail::BatchState none;
    return state ? *state : none;
}
detail::BatchState& usable(const std::unique_ptr<detail::BatchState>& state, const char* what) {
    if (state) return *state;
    throw Error(ErrorCode::misuse, what, "",
                "the Batch was moved from; allowed: the one it is in now");
}
}  // namespace

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
    return facts(state_).id;
}
std::span<const Item> Batch::items() const noexcept {
    return facts(state_).items;
}
std::string_view Batch::token() const noexcept {
    return facts(state_).token;
}
int Batch::attempt() const noexcept {
    return facts(state_).attempt;
}
int Batch::attempts_max() const noexcept {
    return facts(state_).attempts_max;
}
WallTime Batch::deadline() const noexcept {
    return facts(state_).deadline;
}

Settled Batch::settle(const Settlement& settlement) {
    auto& state = usable(state_, "settle");
    const Settled answer = detail::settle(*state.core, state.token, settlement, true);
    state.done |= answer.fenced || settlement.rest != Rest::keep;
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
    auto& state = usable(state_, "extend");
    const Settled answer = detail::extend(*state.core, state.token, duration, true);
    if (!answer.fenced) state.deadline = engine::to_wall(state.core->now()) + duration;
    return answer;
}

}  // namespace headpond
