#include "support/queue_fixture.h"

namespace headpond::test {
namespace {

using Life = QueueTest;

TEST_F(Life, EnqueueLeaseAckLeavesAnOutcomeAndABalancedLedger) {
    Queue queue(options());
    EXPECT_EQ(put(queue, {"a", "b", "c"}), std::vector(3, Enqueued::stored));
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(batch->items()[1].payload, "payload of b");
    EXPECT_EQ(batch->attempt(), 1);
    const Settled settled = batch->ack();
    EXPECT_FALSE(settled.fenced);
    EXPECT_EQ(settled.acked, 3);
    const auto outcomes = queue.outcomes(10);
    ASSERT_EQ(outcomes.size(), 3U);
    EXPECT_EQ(outcomes[0].state, OutcomeState::resolved);
    EXPECT_EQ(counter(queue, "acked"), 3);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
