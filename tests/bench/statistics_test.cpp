#include "statistics.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace headpond::bench {
namespace {

TEST(Statistics, TheMedianOfAnOddCountIsTheMiddleOne) {
    const Spread spread = spread_of({9, 1, 5});
    EXPECT_EQ(spread.median, 5);
    EXPECT_EQ(spread.min, 1);
    EXPECT_EQ(spread.max, 9);
}

TEST(Statistics, TheMedianOfAnEvenCountLiesBetweenTheMiddleTwo) {
    EXPECT_EQ(spread_of({4, 1, 2, 100}).median, 3);
}

TEST(Statistics, NoValuesHaveNoMedian) {
    EXPECT_THROW((void)spread_of({}), std::invalid_argument);
}

}  // namespace
}  // namespace headpond::bench
