#include "peers/peer.h"

#include <cstdlib>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headpond::bench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Puts a variable of the environment back at the end.
class Variable {
  public:
    Variable(const char* name, const char* value) : name_(name) {
        const char* before = std::getenv(name);
        had_ = before != nullptr;
        if (had_) before_ = before;
        ::setenv(name, value, 1);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() {
        if (had_) ::setenv(name_, before_.c_str(), 1);
        if (!had_) ::unsetenv(name_);
    }

  private:
    const char* name_;
    bool had_ = false;
    std::string before_;
};

TEST(Peer, EachHasANameOfItsOwnThatFindsIt) {
    std::set<std::string_view> names;
    for (const Peer& one : peers()) {
        EXPECT_TRUE(names.insert(one.name).second) << one.name;
        EXPECT_EQ(&peer(one.name), &one);
    }
    EXPECT_TRUE(names.contains("redis-streams"));
}

TEST(Peer, AnUnknownNameIsRefusedWithTheKnownOnes) {
    try {
        (void)peer("kafka");
        FAIL() << "no error";
    } catch (const std::invalid_argument& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("kafka"), HasSubstr("allowed: "),
                                        HasSubstr("beanstalkd"), HasSubstr("liteque")));
    }
}

TEST(Peer, ASkippedOneIsNamedWithTheReason) {
    EXPECT_EQ(skip_line("redis-lists", "redis-server is not installed; apt-get install it"),
              "skipped: redis-lists (redis-server is not installed; apt-get install it)");
}

TEST(Peer, WhereProgramsAreMissingTheReasonSaysHowToGetThem) {
    const Variable path("PATH", "/nowhere");
    for (const char* name : {"redis-streams", "redis-lists", "plainjob", "liteque"}) {
        EXPECT_THAT(peer(name).missing(), HasSubstr("apt-get install ")) << name;
    }
}

TEST(Peer, WhatEachLacksIsToldInLinesOfATerminalsWidth) {
    std::ostringstream out;
    explain_peers(out);
    for (const Peer& one : peers()) {
        EXPECT_THAT(out.str(), HasSubstr("\n" + std::string(one.name) + " "));
        EXPECT_FALSE(one.lacks.empty()) << one.name;
    }
    std::istringstream lines(out.str());
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120U) << line;
}

}  // namespace
}  // namespace headpond::bench
