#include "engine/text.h"

#include <string>

#include <gtest/gtest.h>

namespace headpond::engine {
namespace {

using namespace std::string_view_literals;

TEST(Text, WellFormedUtf8IsRecognised) {
    for (const std::string_view good :
         {""sv, "plain"sv, "\0"sv, "\xc2\x80"sv, "\xdf\xbf"sv, "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv,
          "\xee\x80\x80"sv, "\xef\xbf\xbf"sv, "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv,
          "\xe4\xb8\xad\xe6\x96\x87"sv}) {
        EXPECT_TRUE(is_utf8(good)) << ::testing::PrintToString(std::string(good));
    }
}

TEST(Text, MalformedUtf8IsNot) {
    for (const std::string_view bad :
         {"\x80"sv, "\xbf"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xc2"sv, "\xc2 "sv, "\xe0\x9f\xbf"sv,
          "\xe2\x82"sv, "\xed\xa0\x80"sv, "\xed\xbf\xbf"sv, "\xf0\x8f\xbf\xbf"sv, "\xf0\x9f\x98"sv,
          "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xff"sv, "a\xfe"sv}) {
        EXPECT_FALSE(is_utf8(bad)) << ::testing::PrintToString(std::string(bad));
    }
}

TEST(Text, CleanReplacesEachBadByteAndKeepsTheRest) {
    EXPECT_EQ(clean("caf\xc3\xa9", 100), "caf\xc3\xa9");
    EXPECT_EQ(clean("a\xff\xc3z"sv, 100), "a??z");
    EXPECT_EQ(clean("a\0b"sv, 100), "a?b");
    EXPECT_EQ(clean("\xed\xa0\x80", 100), "???");
    EXPECT_TRUE(is_utf8(clean("\xf0\x9f\x98 \xe2\x82 \xc0\xaf", 100)));
}

TEST(Text, CleanCutsBetweenCharacters) {
    const std::string text = "\xe4\xb8\xad\xe6\x96\x87";  // two characters of three bytes
    EXPECT_EQ(clean(text, 6), text);
    EXPECT_EQ(clean(text, 5), "\xe4\xb8\xad");
    EXPECT_EQ(clean(text, 3), "\xe4\xb8\xad");
    EXPECT_EQ(clean(text, 2), "");
    EXPECT_EQ(clean("\xff\xff\xff", 2), "??");
    EXPECT_EQ(clean("abc", 0), "");
}

}  // namespace
}  // namespace headpond::engine
