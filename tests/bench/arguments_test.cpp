#include "arguments.h"

#include <initializer_list>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headpond::bench {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

Arguments read(std::initializer_list<const char*> typed) {
    std::vector<const char*> all{"headpond-bench"};
    all.insert(all.end(), typed);
    return read_arguments(static_cast<int>(all.size()), all.data()).value();
}

std::vector<std::string> works_of(std::initializer_list<const char*> typed) {
    std::vector<std::string> names;
    for (const Work* one : read(typed).works) names.emplace_back(one->name);
    return names;
}

std::string refusal_of(std::initializer_list<const char*> typed) {
    try {
        (void)read(typed);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "";
}

TEST(Arguments, PeersAreMeasuredWhereAskedFor) {
    EXPECT_THAT(works_of({}), Not(Contains("peers")));
    EXPECT_THAT(works_of({"--peers"}), Contains("peers"));
    EXPECT_THAT(works_of({"--peers"}), Contains("cycle"));
    EXPECT_THAT(works_of({"--work", "peers"}), ElementsAre("peers"));
    EXPECT_THAT(works_of({"--work", "cycle", "--peers"}), ElementsAre("cycle", "peers"));
}

TEST(Arguments, AnUnknownWorkIsRefusedWithTheKnownOnes) {
    const std::string refusal = refusal_of({"--work", "kafka"});
    EXPECT_THAT(refusal, HasSubstr("allowed: enqueue, cycle"));
    EXPECT_THAT(refusal, EndsWith("peers"));
}

TEST(Arguments, ASyncDelaySlowsWhatItCan) {
    using std::chrono::microseconds;
    EXPECT_EQ(read({}).sync_delay, microseconds(0));
    EXPECT_EQ(read({"--sync-delay", "150"}).sync_delay, microseconds(150));
    EXPECT_THAT(refusal_of({"--sync-delay", "-1"}), HasSubstr("from 0 to 1000000"));
    EXPECT_THAT(refusal_of({"--sync-delay", "1ms"}), HasSubstr("'1ms'"));
    EXPECT_THAT(refusal_of({"--sync-delay", "150", "--peers"}),
                HasSubstr("without the work peers"));
}

}  // namespace
}  // namespace headpond::bench
