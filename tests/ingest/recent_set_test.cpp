#include "recent_set.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

TEST(RecentSet, KnowsWhatItMetUntilSoManyOthersCame) {
    RecentSet set(10);
    EXPECT_FALSE(set.meet(1));
    EXPECT_TRUE(set.meet(1));
    for (std::uint64_t i = 100; i < 109; ++i) EXPECT_FALSE(set.meet(i));
    EXPECT_TRUE(set.contains(1));
    for (std::uint64_t i = 200; i < 220; ++i) EXPECT_FALSE(set.meet(i));
    EXPECT_FALSE(set.contains(1));
    EXPECT_FALSE(set.meet(1));
}

TEST(RecentSet, WhatIsMetAgainAndAgainStays) {
    RecentSet set(10);
    EXPECT_FALSE(set.meet(1));
    for (std::uint64_t i = 100; i < 1'000; ++i) {
        EXPECT_FALSE(set.meet(i));
        EXPECT_TRUE(set.meet(1)) << i;
    }
}

}  // namespace
}  // namespace headpond::ingest
