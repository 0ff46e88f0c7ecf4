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
using ::testing::Not;

std::vector<std::string> works_of(std::initializer_list<const char*> typed) {
    std::vector<const char*> all{"headpond-bench"};
    all.insert(all.end(), typed);
    const auto arguments = read_arguments(static_cast<int>(all.size()), all.data());
    std::vector<std::string> names;
    for (const Work* one : arguments.value().works) names.emplace_back(one->name);
    return names;
}

TEST(Arguments, PeersAreMeasuredWhereAskedFor) {
    EXPECT_THAT(works_of({}), Not(Contains("peers")));
    EXPECT_THAT(works_of({"--peers"}), Contains("peers"));
    EXPECT_THAT(works_of({"--peers"}), Contains("cycle"));
    EXPECT_THAT(works_of({"--work", "peers"}), ElementsAre("peers"));
    EXPECT_THAT(works_of({"--work", "cycle", "--peers"}), ElementsAre("cycle", "peers"));
}

TEST(Arguments, AnUnknownWorkIsRefusedWithTheKnownOnes) {
    try {
        (void)works_of({"--work", "kafka"});
        FAIL() << "no error";
    } catch (const UsageError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("allowed: enqueue, cycle"));
        EXPECT_THAT(error.what(), ::testing::EndsWith("peers"));
    }
}

}  // namespace
}  // namespace headpond::bench
