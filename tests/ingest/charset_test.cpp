#include "feed/charset.h"

#include <string>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using std::string_literals::operator""s;

struct Case {
    const char* charset;
    std::string bytes;
    const char* utf8;
};

class Charsets : public testing::TestWithParam<Case> {};

// The bytes are those of Python's codecs.
INSTANTIATE_TEST_SUITE_P(
    Named, Charsets,
    testing::Values(
        Case{"utf-8", "Z\xC3\xBCrich", "Zürich"}, Case{"ISO-8859-1", "Z\xFCrich", "Zürich"},
        Case{"iso-8859-1", "\x93quoted\x94", "“quoted”"}, Case{"windows-1252", "\x80 5", "€ 5"},
        Case{"iso-8859-2", "\xA3\xF3\xBC", "Łóź"},
        Case{"windows-1251", "\xCC\xEE\xF1\xEA\xE2\xE0", "Москва"},
        Case{"KOI8-R", "\xED\xCF\xD3\xCB\xD7\xC1", "Москва"},
        Case{"GB2312", "\xB1\xB1\xBE\xA9", "北京"}, Case{"gbk", "\xE9\x46", "镕"},
        Case{"gb18030", "\xB1\xB1\xBE\xA9\x95\x32\x82\x36", "北京𠀀"},
        Case{"Big5", "\xA5\x78\xA5\x5F", "台北"},
        Case{"Shift_JIS", "\x93\x8C\x8B\x9E\x87\x40", "東京①"},
        Case{"EUC-JP", "\xC5\xEC\xB5\xFE", "東京"},
        Case{"iso-2022-jp", "\x1B$B\x45\x6C\x35\x7E\x1B(B", "東京"},
        Case{"euc-kr", "\xBC\xAD\xBF\xEF", "서울"}, Case{"windows-1256", "\xDE\xD8\xD1", "قطر"}));

TEST_P(Charsets, AreConverted) {
    const auto converted = convert_to_utf8(GetParam().bytes, GetParam().charset);
    ASSERT_TRUE(converted);
    EXPECT_EQ(converted->text, GetParam().utf8);
    EXPECT_EQ(converted->malformed, 0U);
}

TEST_P(Charsets, ComeFromTheHttpHeader) {
    const std::string type = "application/rss+xml; charset=\""s + GetParam().charset + "\"; q=1";
    const Decoded decoded = decode_feed(GetParam().bytes, type);
    EXPECT_EQ(decoded.text, GetParam().utf8);
    EXPECT_TRUE(decoded.warnings.empty());
}

TEST_P(Charsets, ComeFromTheDeclaration) {
    const std::string head = "<?xml version='1.0' encoding='"s + GetParam().charset + "'?>";
    const Decoded decoded = decode_feed(head + GetParam().bytes, "");
    EXPECT_EQ(decoded.text, head + GetParam().utf8);
    EXPECT_TRUE(decoded.warnings.empty());
}

TEST(Charset, Utf16IsConverted) {
    EXPECT_EQ(convert_to_utf8("A\0\xFC\0"s, "utf-16le")->text, "Aü");
    EXPECT_EQ(convert_to_utf8("\0A\0\xFC"s, "UTF-16BE")->text, "Aü");
    EXPECT_EQ(convert_to_utf8("\0A\xD8\x40\xDC\x00"s, "UTF-16BE")->text, "A𠀀");
}

TEST(Charset, UnknownNamesAreNone) {
    for (const char* name : {"", "no-such-charset", "utf-8//TRANSLIT", "../x", "a b"}) {
        EXPECT_FALSE(convert_to_utf8("x", name)) << name;
    }
    EXPECT_FALSE(convert_to_utf8("x", std::string(1'000, 'a')));
}

TEST(Charset, MalformedRunBecomesOneReplacement) {
    const auto converted = convert_to_utf8("caf\xE9 \xFF\xFE\xFD ok", "UTF-8");
    EXPECT_EQ(converted->text, "caf\uFFFD \uFFFD ok");
    EXPECT_EQ(converted->malformed, 2U);
    EXPECT_EQ(converted->first_malformed, 3U);
}

TEST(Charset, Utf8IsStrict) {
    EXPECT_EQ(repair_utf8("a\xED\xA0\x80z"), "a\uFFFDz") << "surrogate";
    EXPECT_EQ(repair_utf8("a\xC0\xAFz"), "a\uFFFDz") << "overlong";
    EXPECT_EQ(repair_utf8("a\xF4\x90\x80\x80z"), "a\uFFFDz") << "above U+10FFFF";
    EXPECT_EQ(repair_utf8("a\xE5\x8C"), "a\uFFFD") << "cut off";
    EXPECT_EQ(repair_utf8("\U0010FFFF\uFFFD"), "\U0010FFFF\uFFFD");
}

TEST(Charset, OddLastByteOfUtf16IsReplaced) {
    const auto converted = convert_to_utf8("A\0B"s, "UTF-16LE");
    EXPECT_EQ(converted->text, "A\uFFFD");
    const auto lone = convert_to_utf8(
        "\x00\xD8"
        "A\0"s,
        "UTF-16LE");
    EXPECT_EQ(lone->text,
              "\uFFFD"
              "A")
        << "lone surrogate";
}

TEST(DecodeFeed, ByteOrderMarkGoesBeforeAllElse) {
    const Decoded utf8 = decode_feed("\xEF\xBB\xBF<rss>ü</rss>", "text/xml; charset=latin1");
    EXPECT_EQ(utf8.text, "<rss>ü</rss>");
    EXPECT_EQ(utf8.charset, "UTF-8");
    EXPECT_EQ(decode_feed("\xFF\xFE<\0\xFC\0"s, "").text, "<ü");
    EXPECT_EQ(decode_feed("\xFE\xFF\0<\0\xFC"s, "").text, "<ü");
    EXPECT_EQ(decode_feed("\xFF\xFE\0\0<\0\0\0"s, "").charset, "UTF-32LE");
}

TEST(DecodeFeed, Utf16WithoutMarkShowsByItsZeroBytes) {
    EXPECT_EQ(decode_feed("<\0a\0>\0"s, "").text, "<a>");
    EXPECT_EQ(decode_feed("\0<\0a\0>"s, "utf-8").charset, "UTF-16BE");
}

TEST(DecodeFeed, HttpHeaderGoesBeforeTheDeclaration) {
    const std::string body = "<?xml version=\"1.0\" encoding=\"koi8-r\"?>\xCC\xEE";
    EXPECT_NE(decode_feed(body, "text/xml; charset=windows-1251").text.find("Мо"),
              std::string::npos);
    EXPECT_EQ(decode_feed(body, "text/xml").charset, "koi8-r");
    EXPECT_EQ(decode_feed(body, "windows-1251").charset, "windows-1251") << "a bare name";
}

TEST(DecodeFeed, DeclarationIsBelievedWhenOnlyItFits) {
    const std::string body = "<?xml version=\"1.0\" encoding=\"gb2312\"?>\xB1\xB1\xBE\xA9";
    const Decoded decoded = decode_feed(body, "text/xml; charset=utf-8");
    EXPECT_NE(decoded.text.find("北京"), std::string::npos);
    ASSERT_EQ(decoded.warnings.size(), 1U);
    EXPECT_NE(decoded.warnings[0].find("only the declared gb2312 fits"), std::string::npos);
}

TEST(DecodeFeed, HttpHeaderStaysWhenTheDeclarationFitsNoBetter) {
    const Decoded decoded =
        decode_feed("<?xml version=\"1.0\" encoding=\"gb2312\"?>é\xFF", "text/xml; charset=utf-8");
    EXPECT_EQ(decoded.charset, "utf-8");
    ASSERT_EQ(decoded.warnings.size(), 1U);
    EXPECT_TRUE(decoded.warnings[0].starts_with("malformed bytes in utf-8: 1 place(s)"));
}

TEST(DecodeFeed, UnknownCharsetIsAWarningAndTheBytesDecide) {
    const Decoded decoded =
        decode_feed("<?xml version=\"1.0\" encoding=\"klingon\"?>Zürich", "text/xml; charset=x\ny");
    EXPECT_NE(decoded.text.find("Zürich"), std::string::npos);
    EXPECT_EQ(decoded.charset, "UTF-8");
    ASSERT_EQ(decoded.warnings.size(), 2U);
    EXPECT_NE(decoded.warnings[0].find("content type"), std::string::npos);
    EXPECT_NE(decoded.warnings[1].find("klingon"), std::string::npos);
}

TEST(DecodeFeed, DeclaredUtf16InAsciiBytesIsNotBelieved) {
    const Decoded decoded = decode_feed("<?xml version=\"1.0\" encoding=\"utf-16\"?><a>ü</a>", "");
    EXPECT_NE(decoded.text.find("<a>ü</a>"), std::string::npos);
    ASSERT_EQ(decoded.warnings.size(), 1U);
}

TEST(DecodeFeed, MalformedBytesAreOneWarning) {
    const Decoded decoded =
        decode_feed("<?xml version=\"1.0\" encoding=\"utf-8\"?>a\xFFz b\xFFz c\xFFz", "");
    EXPECT_NE(decoded.text.find("a\uFFFDz b\uFFFDz c\uFFFDz"), std::string::npos);
    ASSERT_EQ(decoded.warnings.size(), 1U);
    EXPECT_EQ(decoded.warnings[0],
              "malformed bytes in utf-8: 3 place(s), the first at byte 39, became U+FFFD");
}

TEST(DecodeFeed, UndeclaredBytesAreSniffed) {
    EXPECT_EQ(decode_feed("<a>Zürich</a>", "").charset, "UTF-8");
    EXPECT_EQ(decode_feed("", "").text, "");
    const Decoded latin = decode_feed("<a>Z\xFCrich</a>", "");
    EXPECT_EQ(latin.text, "<a>Zürich</a>");
}

TEST(DecodeFeed, DetectorKnowsUndeclaredCyrillic) {
    // "В Москве произошло сильное наводнение, жители города эвакуированы" in windows-1251.
    const std::string text =
        "\xC2 \xCC\xEE\xF1\xEA\xE2\xE5 \xEF\xF0\xEE\xE8\xE7\xEE\xF8\xEB\xEE "
        "\xF1\xE8\xEB\xFC\xED\xEE\xE5 \xED\xE0\xE2\xEE\xE4\xED\xE5\xED\xE8\xE5, "
        "\xE6\xE8\xF2\xE5\xEB\xE8 \xE3\xEE\xF0\xEE\xE4\xE0 "
        "\xFD\xE2\xE0\xEA\xF3\xE8\xF0\xEE\xE2\xE0\xED\xFB";
    EXPECT_EQ(decode_feed("<a>" + text + "</a>", "").text,
              "<a>В Москве произошло сильное наводнение, жители города эвакуированы</a>");
}

TEST(DecodeFeed, DamagedUtf8IsStillUtf8) {
    std::string text = "<a>";
    for (int i = 0; i < 30; ++i) text += "Zürich ";
    const Decoded decoded = decode_feed(text + "\xFF</a>", "");
    EXPECT_EQ(decoded.charset, "UTF-8");
    EXPECT_EQ(decoded.text, text + "\uFFFD</a>");
}

TEST(DecodeFeed, LargeTextCrossesTheBuffers) {
    std::string bytes = "<?xml version='1.0' encoding='big5'?>";
    std::string expected = bytes;
    for (int i = 0; i < 20'000; ++i) {
        bytes += "\xA5\x78\xA5\x5F";
        expected += "台北";
    }
    EXPECT_EQ(decode_feed(bytes, "").text, expected);
}

}  // namespace
}  // namespace headpond::ingest
