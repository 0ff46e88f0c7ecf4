#include "feed/fold.h"

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using std::string_literals::operator""s;

const std::string mark(piece_mark);

TEST(Fold, MakesOneLine) {
    EXPECT_EQ(fold("  a \r\n\t b\u00A0\u2003c\u2028d\0e  "s, 100), "a b c d e");
    EXPECT_EQ(fold("\x1B[31mred\x07\x7F.", 100), "[31mred .");
    EXPECT_EQ(fold("", 100), "");
    EXPECT_EQ(fold(" \n\u3000", 100), "");
}

TEST(Fold, MarksBecomeSeparators) {
    EXPECT_EQ(fold(mark + "a" + mark + mark + " b" + mark, 100), "a; b");
    EXPECT_EQ(fold("a." + mark + "b:" + mark + "c。" + mark + "d", 100), "a. b: c。 d");
}

TEST(Fold, C1ControlsAreWindows1252) {
    EXPECT_EQ(fold("It\u0092s \u0080\u0081 5", 100), "It’s € 5");
}

TEST(Fold, InvisibleAndDirectionCharactersVanish) {
    EXPECT_EQ(fold("a\u00AD\u200B\uFEFFb\u202Ec\u2066d\uFFFFe", 100), "abcde");
    EXPECT_EQ(fold("می\u200Cخواهم", 100), "می\u200Cخواهم") << "Persian needs U+200C";
}

TEST(Fold, MalformedBytesAreReplaced) {
    EXPECT_EQ(fold("a\xED\xA0\x80z", 100), "a\uFFFDz");
}

TEST(Fold, CutsAtACharacterWithinTheLimit) {
    for (std::size_t limit = 0; limit <= 40; ++limit) {
        const std::string cut = fold("日本語のとても長い見出し", limit);
        EXPECT_LE(cut.size(), limit);
        EXPECT_EQ(cut.find("\uFFFD"), std::string::npos);
        EXPECT_EQ(fold(cut, 1'000), cut) << "is whole characters";
        if (limit >= 6 && limit < 36) {
            EXPECT_TRUE(cut.ends_with("…")) << cut;
        }
    }
    EXPECT_EQ(fold("日本語", 9), "日本語") << "fits exactly";
}

TEST(Fold, CutsAtABlankWhenOneIsNear) {
    EXPECT_EQ(fold("one two three four", 15), "one two…");
    EXPECT_EQ(fold("one " + std::string(200, 'x'), 100), "one " + std::string(93, 'x') + "…");
}

TEST(Fold, KeepsAllOfTheFourLengths) {
    EXPECT_EQ(fold("aü日𠀀", 100), "aü日𠀀");
}

}  // namespace
}  // namespace headpond::ingest
