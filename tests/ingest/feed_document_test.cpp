#include "feed/feed_document.h"

#include "feed/feed.h"

#include <string>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using std::string_literals::operator""s;

std::string error_of(const std::string& bytes) {
    FeedHints hints;
    hints.file_name = "news.xml";
    try {
        return "no error, " + std::to_string(parse_feed(bytes, hints).alerts.size()) + " alerts";
    } catch (const FeedError& error) {
        return error.what();
    }
}

struct Case {
    std::string bytes;
    const char* found;
};

class NotAFeed : public testing::TestWithParam<Case> {};

TEST_P(NotAFeed, IsNamed) {
    EXPECT_EQ(error_of(GetParam().bytes),
              "news.xml: not a feed: found "s + GetParam().found +
                  "; allowed: RSS 0.9x or 2.0, Atom 1.0, RDF (RSS 1.0)");
}

INSTANTIATE_TEST_SUITE_P(
    All, NotAFeed,
    testing::Values(Case{"", "an empty document"}, Case{" \n\t", "an empty document"},
                    Case{"\xEF\xBB\xBF", "an empty document"},
                    Case{"<!DOCTYPE html><html><head><title>404</title>", "an HTML page"},
                    Case{"<html><body>Log in<br></body></html>", "an HTML page"},
                    Case{"<HTML><p>x", "an HTML page"}, Case{"{\"items\": [1]}", "JSON"},
                    Case{"[]", "JSON"},
                    Case{"Service unavailable\n", "plain text ('Service unavailable')"},
                    Case{"a\x1B[31mb", "binary data"}, Case{"\x1F\x8B\x08", "compressed data"},
                    Case{"\x89PNG\r\n\x1A\n\0\0"s, "binary data"},
                    Case{"<?xml version='1.0'?><urlset><url/></urlset>",
                         "XML with the root <urlset>"},
                    Case{"<!-- only a comment -->", "broken XML"}, Case{"<", "broken XML"}));

TEST(FeedDocument, AnEmptyFeedIsAFeed) {
    EXPECT_EQ(error_of("<rss version='2.0'><channel><title>Quiet</title></channel></rss>"),
              "no error, 0 alerts");
    EXPECT_EQ(error_of("<feed xmlns='http://www.w3.org/2005/Atom'/>"), "no error, 0 alerts");
}

std::string titles(const Feed& feed) {
    std::string all;
    for (const Alert& alert : feed.alerts) all += alert.title + " ";
    return all;
}

Feed parse(const std::string& bytes) {
    FeedHints hints;
    hints.source_tag = "wire";
    return parse_feed(bytes, hints);
}

const std::string head = "<rss version='2.0'><channel><title>W</title>";
const std::string a = "<item><title>A</title><link>http://x/a</link></item>";
const std::string b = "<item><title>B</title></item>";
const std::string tail = "</channel></rss>";

// At every byte: the items whose end tag is there, and never a half one, which would get another
// uuid when the whole feed comes.
TEST(BrokenFeed, CutOffAnywhereGivesTheWholeItems) {
    const std::string whole = head + a + b + tail;
    const std::size_t first_end = head.size() + a.size();
    const std::size_t second_end = first_end + b.size();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const std::string bytes = whole.substr(0, size);
        // pugixml reads an end tag whose '>' is missing.
        const std::string error = error_of(bytes);
        if (size + 1 < first_end) {
            EXPECT_TRUE(error.starts_with("news.xml: ")) << size << error;
            continue;
        }
        if (size == first_end - 1) continue;
        const Feed feed = parse(bytes);
        const bool both = size >= second_end;
        if (size == second_end - 1) continue;
        EXPECT_EQ(titles(feed), both ? "A B " : "A ") << size;
        EXPECT_EQ(feed.alerts[0].link, "http://x/a");
        ASSERT_EQ(feed.warnings.size(), 1U) << size;
        EXPECT_TRUE(feed.warnings[0].starts_with("wire: malformed or cut off (")) << size;
    }
    EXPECT_TRUE(parse(whole).warnings.empty());
}

TEST(BrokenFeed, ItemsBehindTheBreakAreReadOneByOne) {
    const std::string broken = "<item><title>Bad <b></title><link>http://x/bad</link></item>";
    const Feed feed =
        parse(head + a + broken + b + broken + "<item><title>C</title></item>" + tail);
    EXPECT_EQ(titles(feed), "A B C ");
    ASSERT_EQ(feed.warnings.size(), 1U);
    EXPECT_NE(
        feed.warnings[0].find("1 item(s) read before it, 2 behind it, 2 incomplete one(s) skipped"),
        std::string::npos)
        << feed.warnings[0];
}

TEST(BrokenFeed, ABreakBeforeTheFirstItemLosesNone) {
    const Feed feed = parse("<rss><channel><title>Bad <b></title>" + a + b + tail);
    EXPECT_EQ(titles(feed), "A B ");
    EXPECT_EQ(feed.warnings.size(), 1U);
}

TEST(BrokenFeed, AtomAndItsNamespacesSurviveABreak) {
    const Feed feed = parse(
        "<x:feed xmlns:x='http://www.w3.org/2005/Atom' xmlns:q='http://www.georss.org/georss'>"
        "<x:entry><x:title>A</x:title></x:entry><x:entry><x:title>Bad</x:entry>"
        "<x:entry><x:title>B</x:title><q:point>1 2</q:point></x:entry></x:feed>");
    EXPECT_EQ(titles(feed), "A B ");
    EXPECT_EQ(feed.alerts.at(1).latitude, 1);
}

TEST(BrokenFeed, ItemsBehindABreakInRdfAreRead) {
    const Feed feed = parse(
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' "
        "xmlns='http://purl.org/rss/1.0/'><channel><title>R</title></channel><item><title>A</title>"
        "</item><item><title>Bad</item><item><title>B</title></item></rdf:RDF>");
    EXPECT_EQ(titles(feed), "A B ");
}

TEST(BrokenFeed, NoWholeItemIsAnError) {
    const std::string error = error_of(head + "<item><title>A</title><link>http://x");
    EXPECT_TRUE(error.starts_with("news.xml: malformed or cut off before its first whole item ("))
        << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
}

TEST(BrokenFeed, BareAmpersandsAndUnknownEntitiesAreText) {
    const Feed feed = parse(head + "<item><title>A & B &eacute; &unknown;</title></item>" + tail);
    EXPECT_EQ(titles(feed), "A & B é &unknown; ");
    EXPECT_TRUE(feed.warnings.empty());
}

TEST(Entities, ABillionLaughsAreAnError) {
    std::string bytes = "<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY lol0 'lol'>";
    for (int i = 1; i <= 12; ++i) {
        bytes += "<!ENTITY lol" + std::to_string(i) + " '";
        for (int j = 0; j < 10; ++j) bytes += "&lol" + std::to_string(i - 1) + ";";
        bytes += "'>";
    }
    bytes += "]>" + head + "<item><title>Laughs: &lol12;</title></item>" + tail;
    try {
        (void)parse(bytes);
        FAIL() << "it was read";
    } catch (const FeedError& error) {
        EXPECT_NE(
            std::string(error.what()).find("its entity lol1 is made of other entities; allowed"),
            std::string::npos)
            << error.what();
    }
}

TEST(Entities, OnesOfPlainTextStayAsTheyAre) {
    const Feed feed = parse("<!DOCTYPE rss [<!ENTITY nbsp2 '&#160;'><!ENTITY who \"us\">]>" + head +
                            "<item><title>By &who;</title></item>" + tail);
    EXPECT_EQ(titles(feed), "By &who; ");
}

TEST(Entities, ExternalOnesAreNotRead) {
    const Feed feed = parse("<!DOCTYPE rss [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>" + head +
                            "<item><title>[&x;]</title></item>" + tail);
    EXPECT_EQ(titles(feed), "[&x;] ");
}

TEST(Bounds, NestingOfTheFeedItselfIsNoRecursion) {
    std::string bytes = "<rss>";
    for (int i = 0; i < 500'000; ++i) bytes += "<channel>";
    EXPECT_TRUE(error_of(bytes).starts_with("news.xml: malformed or cut off")) << error_of(bytes);
}

TEST(Bounds, TagsAndAttributesAreBounded) {
    std::string bytes = head + a;
    for (int i = 0; i < 6'000'000; ++i) bytes += "<a/>";
    EXPECT_EQ(error_of(bytes + tail),
              "news.xml: holds 6000013 tags and attributes; allowed are 6000000");
}

TEST(Bounds, ManyBrokenItemsTakeLinearTime) {
    std::string bytes = head + a;
    for (int i = 0; i < 100'000; ++i) bytes += "<item><title>x</item>";
    EXPECT_EQ(titles(parse(bytes)), "A ");
    std::string unclosed = head + a;
    for (int i = 0; i < 300'000; ++i) unclosed += "<item>";
    EXPECT_EQ(titles(parse(unclosed)), "A ");
}

}  // namespace
}  // namespace headpond::ingest
