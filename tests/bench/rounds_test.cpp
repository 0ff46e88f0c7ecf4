#include "rounds.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headpond::bench {
namespace {

using ::testing::Each;
using ::testing::SizeIs;

TEST(Rounds, ContestantsTakeTurnsAndEachRoundBeginsWithAnother) {
    std::string order;
    std::vector<std::size_t> calls;
    const auto timed = [&](char name, double us) {
        return [&order, &calls, name, us](std::size_t count) {
            order += name;
            calls.push_back(count);
            return us * static_cast<double>(count);
        };
    };
    const std::vector<Timed> contestants{timed('a', 2), timed('b', 1000)};
    const Rounds rounds{.count = 3, .seconds = 0.01, .calls_min = 2};

    const auto times = take_turns(rounds, contestants, 1'000);

    ASSERT_THAT(times, SizeIs(2));
    EXPECT_THAT(times[0], SizeIs(3));
    EXPECT_THAT(times[0], Each(2.0));
    EXPECT_THAT(times[1], Each(1000.0));
    EXPECT_TRUE(order.ends_with("abbaab")) << order;
    // As many calls as fill 10 ms: of a the most allowed.
    EXPECT_EQ(calls[calls.size() - 2], 1'000U);
    EXPECT_EQ(calls[calls.size() - 1], 10U);
}

}  // namespace
}  // namespace headpond::bench
