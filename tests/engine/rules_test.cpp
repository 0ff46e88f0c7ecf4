// The decisions alone: no store, no clock.
#include "engine/rules.h"

#include <limits>

#include <gtest/gtest.h>

namespace headpond::engine {
namespace {

using State = store::GateRow::State;
constexpr std::uint64_t all_bits = std::numeric_limits<std::uint64_t>::max();

Settings limits() {
    Settings settings;
    settings.items_max = 10;
    settings.bytes_max = 1000;
    settings.payload_bytes_max = 400;
    settings.attempts_max = 3;
    settings.batch_items_due = 5;
    settings.batch_linger = 300;
    settings.backoff_base = 1000;
    settings.backoff_max = 6000;
    settings.pending_max = 7200;
    settings.breaker_failures = 3;
    settings.breaker_closed = 30;
    settings.breaker_closed_max = 100;
    return settings;
}

TEST(Rules, AdmitsUpToEveryLimitAndNotOver) {
    const Fill empty{};
    EXPECT_EQ(admit(empty, 0, limits(), true), Admission::store);
    EXPECT_EQ(admit(empty, 400, limits(), true), Admission::store);
    EXPECT_EQ(admit(empty, 401, limits(), true), Admission::too_large);
    Settings small = limits();
    small.bytes_max = 399;
    EXPECT_EQ(admit(empty, 400, small, true), Admission::too_large);
}

TEST(Rules, AFullQueueAdmitsOnlyWhereItMayEvict) {
    const Fill full{.items = 10, .bytes = 100};
    EXPECT_EQ(admit(full, 1, limits(), true), Admission::store);
    EXPECT_EQ(admit(full, 1, limits(), false), Admission::refused);
    const Fill heavy{.items = 1, .bytes = 700};
    EXPECT_EQ(admit(heavy, 301, limits(), true), Admission::store);
    EXPECT_EQ(admit(heavy, 301, limits(), false), Admission::refused);
    EXPECT_EQ(admit(heavy, 300, limits(), false), Admission::store);
}

TEST(Rules, WhatIsLeasedMakesNoRoom) {
    const Fill leased{.items = 10, .bytes = 100, .leased_items = 10, .leased_bytes = 100};
    EXPECT_EQ(admit(leased, 1, limits(), true), Admission::refused);
    const Fill heavy{.items = 2, .bytes = 900, .leased_items = 1, .leased_bytes = 700};
    EXPECT_EQ(admit(heavy, 300, limits(), true), Admission::store);
    EXPECT_EQ(admit(heavy, 301, limits(), true), Admission::refused);
    const Fill over{.items = 1, .bytes = 2000, .leased_items = 1, .leased_bytes = 2000};
    EXPECT_EQ(admit(over, 0, limits(), true), Admission::refused);  // a limit was lowered
}

TEST(Rules, ExcessIsWhatIsOverTheBounds) {
    EXPECT_FALSE(excess({.items = 10, .bytes = 1000}, limits()).any());
    const Excess over = excess({.items = 13, .bytes = 1001}, limits());
    EXPECT_EQ(over.items, 3);
    EXPECT_EQ(over.bytes, 1);
}

TEST(Rules, ACutIsDueByCountOrByLinger) {
    EXPECT_FALSE(cut_is_due({.items = 0}, limits(), 1'000'000));
    EXPECT_FALSE(cut_due_at({.items = 0}, limits()));
    const ReadyFacts few{.items = 4, .oldest_enqueued_at = 1000};
    EXPECT_FALSE(cut_is_due(few, limits(), 1299));
    EXPECT_TRUE(cut_is_due(few, limits(), 1300));
    EXPECT_EQ(cut_due_at(few, limits()), 1300);
    const ReadyFacts enough{.items = 5, .oldest_enqueued_at = 1000};
    EXPECT_TRUE(cut_is_due(enough, limits(), 1000));
}

TEST(Rules, AttemptsAllowedIsTheGreaterOfTheSettingAndTheBatchesOwn) {
    store::BatchRow batch;
    batch.attempts = 3;
    EXPECT_EQ(attempts_allowed(batch, limits()), 3);
    EXPECT_TRUE(exhausted(batch, limits()));
    batch.attempts_max = 4;
    EXPECT_EQ(attempts_allowed(batch, limits()), 4);
    EXPECT_FALSE(exhausted(batch, limits()));
    batch.attempts_max = 2;
    EXPECT_EQ(attempts_allowed(batch, limits()), 3);
}

TEST(Rules, BackoffIsUniformUnderACeilingThatDoubles) {
    for (const auto& [attempts, ceiling] :
         {std::pair{1, 1000}, std::pair{2, 2000}, std::pair{3, 4000}, std::pair{4, 6000},
          std::pair{5, 6000}, std::pair{1'000'000, 6000}}) {
        EXPECT_EQ(backoff(attempts, limits(), 0), 0);
        const auto range = static_cast<std::uint64_t>(ceiling);
        EXPECT_EQ(backoff(attempts, limits(), range), ceiling);
        EXPECT_EQ(backoff(attempts, limits(), range + 1), 0);
        EXPECT_LE(backoff(attempts, limits(), all_bits), ceiling);
    }
}

TEST(Rules, BackoffTakesZeroAndABaseOverTheMaximum) {
    Settings none = limits();
    none.backoff_base = 0;
    EXPECT_EQ(backoff(7, none, all_bits), 0);
    Settings steep = limits();
    steep.backoff_base = 50'000;
    EXPECT_EQ(backoff(1, steep, 6000), 6000);
    EXPECT_EQ(backoff(1, steep, 6001), 0);
    Settings long_ones = limits();
    long_ones.backoff_max = std::numeric_limits<std::int64_t>::max();
    EXPECT_GE(backoff(1'000, long_ones, all_bits), 0);  // no overflow
}

TEST(Rules, AfterAFailureABatchIsRetriedThenAbandonedOrSplit) {
    store::BatchRow batch;
    batch.items = 2;
    batch.attempts = 2;
    EXPECT_EQ(after_failure(batch, limits()), AfterFailure::retry);
    batch.attempts = 3;
    EXPECT_EQ(after_failure(batch, limits()), AfterFailure::abandon);
    Settings isolating = limits();
    isolating.isolate_poison = 1;
    EXPECT_EQ(after_failure(batch, isolating), AfterFailure::split);
    batch.items = 1;
    EXPECT_EQ(after_failure(batch, isolating), AfterFailure::abandon);
    batch.attempts = 5;
    EXPECT_EQ(attempts_after_split(batch, limits()), 6);
    batch.attempts = 1;
    EXPECT_EQ(attempts_after_split(batch, limits()), 3);
}

TEST(Rules, StalenessCountsFromQueueingUnlessTheItemHasItsOwnTime) {
    store::ItemRow item;
    item.tracked = true;
    item.enqueued_at = 1000;
    EXPECT_FALSE(stale(item, limits(), 8200));
    EXPECT_TRUE(stale(item, limits(), 8201));
    item.stale_at = 2000;
    EXPECT_FALSE(stale(item, limits(), 2000));
    EXPECT_TRUE(stale(item, limits(), 2001));
    item.tracked = false;
    EXPECT_FALSE(stale(item, limits(), 1'000'000));
    EXPECT_FALSE(stale_at(500, limits()));
    Settings published = limits();
    published.stale_from = static_cast<std::int64_t>(StaleFrom::published);
    EXPECT_EQ(stale_at(500, published), 7700);
    EXPECT_FALSE(stale_at(std::nullopt, published));
}

TEST(Rules, AClosedGateIsHalfOpenWhenItsTimeHasCome) {
    store::GateRow gate;
    gate.state = State::closed;
    EXPECT_EQ(gate_at(gate, 1'000'000).state, State::closed);  // until reopened
    gate.until = 100;
    gate.trial_batch_id = 7;
    EXPECT_EQ(gate_at(gate, 99).state, State::closed);
    EXPECT_EQ(gate_at(gate, 100).state, State::half_open);
    EXPECT_FALSE(gate_at(gate, 100).trial_batch_id);
}

TEST(Rules, TheGateCountsUnavailableVerdictsInARow) {
    store::GateRow gate;
    for (int i = 1; i <= 2; ++i) {
        const auto next = gate_after(gate, i, Verdict::unavailable, limits(), 1000);
        ASSERT_TRUE(next);
        EXPECT_EQ(next->state, State::open);
        EXPECT_EQ(next->failures, i);
        gate = *next;
    }
    const auto calm = gate_after(gate, 3, Verdict::answered, limits(), 1000);
    ASSERT_TRUE(calm);
    EXPECT_EQ(calm->failures, 0);
    EXPECT_FALSE(gate_after(*calm, 3, Verdict::answered, limits(), 1000));
    EXPECT_FALSE(gate_after(gate, 3, Verdict::none, limits(), 1000));
    const auto tripped = gate_after(gate, 3, Verdict::unavailable, limits(), 1000);
    ASSERT_TRUE(tripped);
    EXPECT_EQ(tripped->state, State::closed);
    EXPECT_EQ(tripped->until, 1030);
    EXPECT_EQ(tripped->closures, 1);
}

TEST(Rules, OfAHalfOpenGateTheTrialAloneDecides) {
    store::GateRow gate;
    gate.state = State::half_open;
    gate.trial_batch_id = 7;
    gate.closures = 1;
    EXPECT_FALSE(gate_after(gate, 8, Verdict::answered, limits(), 0));
    EXPECT_FALSE(gate_after(gate, 8, Verdict::unavailable, limits(), 0));
    const auto open = gate_after(gate, 7, Verdict::answered, limits(), 0);
    ASSERT_TRUE(open);
    EXPECT_EQ(open->state, State::open);
    EXPECT_EQ(open->closures, 0);
    std::int64_t closed = 30;
    for (const std::int64_t expected : {60, 100, 100}) {
        const auto again = gate_after(gate, 7, Verdict::unavailable, limits(), 0);
        ASSERT_TRUE(again);
        EXPECT_EQ(again->state, State::closed);
        EXPECT_EQ(again->until, expected);
        EXPECT_GE(*again->until, closed);
        closed = *again->until;
        gate.closures = again->closures;
    }
}

TEST(Rules, AClosedGateIsChangedByNoVerdict) {
    store::GateRow gate;
    gate.state = State::closed;
    gate.until = 100;
    EXPECT_FALSE(gate_after(gate, 1, Verdict::unavailable, limits(), 50));
    EXPECT_FALSE(gate_after(gate, 1, Verdict::answered, limits(), 50));
}

}  // namespace
}  // namespace headpond::engine
