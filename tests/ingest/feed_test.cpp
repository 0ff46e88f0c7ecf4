#include "feed/feed.h"

#include <string>

#include <date/date.h>
#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using std::string_literals::operator""s;

Feed parse(const std::string& bytes, const std::string& source = "wire") {
    FeedHints hints;
    hints.source_tag = source;
    return parse_feed(bytes, hints);
}

std::string rss(const std::string& items) {
    return "<?xml version=\"1.0\" encoding=\"utf-8\"?><rss version=\"2.0\" "
           "xmlns:georss=\"http://www.georss.org/georss\"><channel><title>World &amp; "
           "wire</title>" +
           items + "</channel></rss>";
}

std::string atom(const std::string& entries) {
    return "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Atom wire</title>" + entries +
           "</feed>";
}

std::string time_of(const Alert& alert) {
    return alert.published_at ? date::format("%FT%T", *alert.published_at) : "none";
}

TEST(Rss, GivesEveryField) {
    const Feed feed =
        parse(rss("<item><title>Quake near <![CDATA[Valpara\u00EDso]]></title>"
                  "<link> https://example.org/1?a=1&amp;b=2 </link><description>&lt;p&gt;Magnitude "
                  "6.1&lt;/p&gt;"
                  "</description><pubDate>Thu, 30 Aug 2018 19:47:47 +0800</pubDate>"
                  "<georss:point>-33.05 -71.62</georss:point><guid>abc</guid></item>"));
    EXPECT_EQ(feed.title, "World & wire");
    EXPECT_EQ(feed.kind, FeedKind::rss);
    EXPECT_TRUE(feed.warnings.empty());
    ASSERT_EQ(feed.alerts.size(), 1U);
    const Alert& alert = feed.alerts[0];
    EXPECT_EQ(alert.title, "Quake near Valparaíso");
    EXPECT_EQ(alert.summary, "Magnitude 6.1");
    EXPECT_EQ(alert.link, "https://example.org/1?a=1&b=2");
    EXPECT_EQ(alert.source_tag, "wire");
    EXPECT_EQ(time_of(alert), "2018-08-30T11:47:47.000");
    EXPECT_EQ(alert.latitude, -33.05);
    EXPECT_EQ(alert.longitude, -71.62);
    EXPECT_EQ(alert.uuid.size(), 36U);
}

TEST(Rss, Version091WithoutNamespacesAndDatesIsRead) {
    const Feed feed = parse(
        "<rss version='0.91'><channel><title>Old</title><item><title>A</title>"
        "<link>http://x/a</link></item></channel></rss>");
    ASSERT_EQ(feed.alerts.size(), 1U);
    EXPECT_EQ(time_of(feed.alerts[0]), "none");
    EXPECT_FALSE(feed.alerts[0].latitude);
    EXPECT_TRUE(feed.warnings.empty()) << "what is missing is no warning";
}

TEST(Rss, PseudoXmlInCdataKeepsItsText) {
    const Feed feed =
        parse(rss("<item><title>Fire</title><description>Bushfire <![CDATA[<region>NORTH"
                  "</region>\n<number>402250</number>]]></description></item>"));
    EXPECT_EQ(feed.alerts.at(0).summary, "Bushfire; NORTH; 402250");
}

TEST(Rss, UnescapedMarkupInADescriptionIsRead) {
    const Feed feed =
        parse(rss("<item><title><b>Storm</b> <i>Ana</i></title><description>Over <b>Mala"
                  "wi</b>.<br/>Moving <a href='x'>west</a></description></item>"));
    EXPECT_EQ(feed.alerts.at(0).title, "Storm Ana");
    EXPECT_EQ(feed.alerts.at(0).summary, "Over Malawi. Moving west");
}

TEST(Rss, PrefixesAreResolvedByTheirAddress) {
    const Feed feed = parse(
        "<rss version='2.0' xmlns:q='http://www.georss.org/georss' xmlns:geo='urn:other' "
        "xmlns:d='http://purl.org/dc/elements/1.1/' xmlns:a='http://www.w3.org/2005/Atom'><channel>"
        "<item><a:title>Not "
        "this</a:title><geo:lat>1</geo:lat><geo:long>2</geo:long><title>This</title>"
        "<q:point>5 6</q:point><a:link href='http://x/self' rel='self'/><d:date>2018-08-30</d:date>"
        "</item></channel></rss>");
    const Alert& alert = feed.alerts.at(0);
    EXPECT_EQ(alert.title, "This");
    EXPECT_EQ(alert.latitude, 5);
    EXPECT_EQ(alert.link, "");
    EXPECT_EQ(time_of(alert), "2018-08-30T00:00:00.000");
}

TEST(Rss, UndeclaredPrefixHasItsCustomaryMeaning) {
    const Feed feed = parse(
        "<rss version='2.0'><channel><item><title>T</title><geo:lat>1</geo:lat>"
        "<geo:long>2</geo:long></item></channel></rss>");
    EXPECT_EQ(feed.alerts.at(0).longitude, 2);
}

TEST(Rss, ADefaultNamespaceDoesNotHideTheItems) {
    const Feed feed = parse(
        "<rss version='2.0' xmlns='http://backend.userland.com/rss2'><channel>"
        "<title>N</title><item><title>T</title></item></channel></rss>",
        "");
    EXPECT_EQ(feed.alerts.at(0).title, "T");
    EXPECT_EQ(feed.alerts.at(0).source_tag, "N");
}

TEST(Rss, ContentStandsForAnEmptyDescription) {
    const Feed feed = parse(
        "<rss version='2.0' "
        "xmlns:content='http://purl.org/rss/1.0/modules/content/'><channel><item>"
        "<title>T</title><description> </description><content:encoded><![CDATA[<p>Long</p>]]>"
        "</content:encoded></item></channel></rss>");
    EXPECT_EQ(feed.alerts.at(0).summary, "Long");
}

TEST(Rss, AGuidThatIsAnAddressStandsForTheLink) {
    const Feed feed =
        parse(rss("<item><title>A</title><guid>https://x/1</guid></item>"
                  "<item><title>B</title><guid>id-2</guid></item>"
                  "<item><title>C</title><link>\n<![CDATA[https://x/3]]>\n</link></item>"));
    EXPECT_EQ(feed.alerts.at(0).link, "https://x/1");
    EXPECT_EQ(feed.alerts.at(1).link, "");
    EXPECT_EQ(feed.alerts.at(2).link, "https://x/3");
}

TEST(Atom, GivesEveryField) {
    const Feed feed = parse(atom(
        "<entry><title type='html'>Floods in &lt;b&gt;Lima&lt;/b&gt; &amp;amp; Ica</title>"
        "<link rel='enclosure' href='http://x/picture'/><link href='http://x/1'/><id>urn:1</id>"
        "<published>2018-08-30T19:47:47+08:00</published><updated>2019-01-01T00:00:00Z</updated>"
        "<summary type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>Rain <b>goes</b> <i>on</i>"
        "<p>Rivers rise</p></div></summary></entry>"));
    EXPECT_EQ(feed.kind, FeedKind::atom);
    EXPECT_EQ(feed.title, "Atom wire");
    const Alert& alert = feed.alerts.at(0);
    EXPECT_EQ(alert.title, "Floods in Lima & Ica");
    EXPECT_EQ(alert.link, "http://x/1");
    EXPECT_EQ(alert.summary, "Rain goes on; Rivers rise");
    EXPECT_EQ(time_of(alert), "2018-08-30T11:47:47.000");
}

TEST(Atom, TypesOfTextAreTold) {
    const Feed feed = parse(atom(
        "<entry><title>Less: &lt;x&gt; and AT&amp;amp;T</title>"
        "<content "
        "type='image/png'>aGVsbG8=</content><updated>2019-01-01T00:00:00Z</updated></entry>"
        "<entry><title type='text'>plain</title><content type='html'>&lt;p&gt;c&lt;/p&gt;</content>"
        "<id>https://x/id</id></entry>"));
    EXPECT_EQ(feed.alerts.at(0).title, "Less: <x> and AT&T");
    EXPECT_EQ(feed.alerts.at(0).summary, "");
    EXPECT_EQ(time_of(feed.alerts.at(0)), "2019-01-01T00:00:00.000");
    EXPECT_EQ(feed.alerts.at(1).summary, "c");
    EXPECT_EQ(feed.alerts.at(1).link, "https://x/id");
}

TEST(Atom, PrefixedAndUnqualifiedFeedsAreRead) {
    const Feed prefixed = parse(
        "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:title>F</a:title>"
        "<a:entry><a:title>T</a:title></a:entry></a:feed>",
        "");
    EXPECT_EQ(prefixed.alerts.at(0).title, "T");
    EXPECT_EQ(prefixed.alerts.at(0).source_tag, "F");
    EXPECT_EQ(parse("<feed><entry><title>T</title></entry></feed>").alerts.at(0).title, "T");
}

TEST(Rdf, ItemsBesideTheChannelAreRead) {
    const Feed feed = parse(
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' "
        "xmlns='http://purl.org/rss/1.0/' xmlns:dc='http://purl.org/dc/elements/1.1/' "
        "xmlns:geo='http://www.w3.org/2003/01/geo/wgs84_pos#'><channel "
        "rdf:about='x'><title>R</title>"
        "<items><rdf:Seq/></items></channel><item rdf:about='http://x/1'><title>T</title>"
        "<link>http://x/1</link><description>D</description><dc:date>2018-08-30T19:47Z</dc:date>"
        "<geo:lat>1</geo:lat><geo:long>2</geo:long></item></rdf:RDF>",
        "");
    EXPECT_EQ(feed.kind, FeedKind::rdf);
    const Alert& alert = feed.alerts.at(0);
    EXPECT_EQ(alert.source_tag, "R");
    EXPECT_EQ(alert.summary, "D");
    EXPECT_EQ(time_of(alert), "2018-08-30T19:47:00.000");
    EXPECT_EQ(alert.latitude, 1);
}

TEST(Items, WithoutTitleOrLinkAreStillAlerts) {
    const Feed feed =
        parse(rss("<item><description>Only a summary</description></item>"
                  "<item><description>" +
                  std::string(500, 'x') +
                  "</description></item>"
                  "<item><description>" +
                  std::string(501, 'x') + "</description></item>"));
    ASSERT_EQ(feed.alerts.size(), 3U) << "summaries with equal heads are different alerts";
    EXPECT_EQ(feed.alerts[0].title, "Only a summary");
    EXPECT_EQ(feed.alerts[1].title.size(), 120U);
    EXPECT_EQ(feed.alerts[1].title, feed.alerts[2].title);
}

TEST(Items, WithoutAnyTextAreSkippedWithAWarning) {
    const Feed feed =
        parse(rss("<item><title>A</title></item><item><title> <b/> </title>"
                  "<link>http://x</link></item><item/><item><title>B</title></item>"));
    EXPECT_EQ(feed.alerts.size(), 2U);
    EXPECT_EQ(feed.warnings, (std::vector<std::string>{"wire: item 2: has no text: skipped",
                                                       "wire: item 3: has no text: skipped"}));
}

TEST(Items, OfARepeatedTitleAndLinkTheFirstIsKept) {
    const std::string one = "<title>A</title><link>http://x</link>";
    const Feed feed = parse(rss("<item>" + one + "<description>first</description></item><item>" +
                                one + "</item><item><title>A</title><link>http://y</link></item>"));
    ASSERT_EQ(feed.alerts.size(), 2U);
    EXPECT_EQ(feed.alerts[0].summary, "first");
    EXPECT_EQ(feed.warnings,
              (std::vector<std::string>{
                  "wire: item 2: repeats the title and link of an earlier item: skipped"}));
}

TEST(Items, UuidsAreTheSameEachTimeAndDifferBySource) {
    const std::string bytes = rss("<item><title>A</title></item>");
    EXPECT_EQ(parse(bytes).alerts.at(0).uuid, parse(bytes).alerts.at(0).uuid);
    EXPECT_NE(parse(bytes).alerts.at(0).uuid, parse(bytes, "other").alerts.at(0).uuid);
    EXPECT_EQ(parse(bytes).alerts.at(0).uuid, "5d31cf34-dcaa-5aa3-9d84-ec05b60d2e47")
        << "is stored: may never change";
}

TEST(Items, WrongDatesAndPositionsAreWarningsAndAbsent) {
    const Feed feed =
        parse(rss("<item><title>A</title><pubDate>next\nTuesday</pubDate>"
                  "<georss:point>95 10</georss:point></item>"));
    EXPECT_EQ(time_of(feed.alerts.at(0)), "none");
    EXPECT_FALSE(feed.alerts.at(0).latitude || feed.alerts.at(0).longitude);
    ASSERT_EQ(feed.warnings.size(), 2U);
    EXPECT_EQ(feed.warnings[0],
              "wire: item 1: pubDate 'next Tuesday' is no date: allowed are RFC 822, "
              "RFC 3339, YYYY-MM-DD HH:MM:SS (UTC) or YYYY-MM-DD");
    EXPECT_EQ(feed.warnings[1],
              "wire: item 1: georss:point '95 10' is no position: allowed is latitude "
              "-90 to 90, then longitude -180 to 180");
}

TEST(Items, LongTextsAreCutAtACharacter) {
    std::string long_text;
    for (int i = 0; i < 5'000; ++i) long_text += "日本";
    const Feed feed =
        parse(rss("<item><title>" + long_text + "</title><description>" + long_text +
                  "</description><link>http://x/" + std::string(3'000, 'a') + "</link></item>"));
    const Alert& alert = feed.alerts.at(0);
    EXPECT_LE(alert.title.size(), title_bytes_max);
    EXPECT_GT(alert.title.size(), title_bytes_max - 6);
    EXPECT_TRUE(alert.title.ends_with("…"));
    EXPECT_LE(alert.summary.size(), summary_bytes_max);
    EXPECT_GT(alert.summary.size(), summary_bytes_max - 6);
    EXPECT_EQ(alert.link, "") << "a cut link would lead elsewhere";
    ASSERT_EQ(feed.warnings.size(), 1U);
    EXPECT_EQ(feed.warnings[0], "wire: item 1: its link is longer than 2048 bytes: ignored");
}

TEST(Items, TextsHaveNoControlCharacters) {
    const Feed feed =
        parse(rss("<item><title>a&#27;[31m\x01 b&#0;c\u202E&#xD800;</title>"
                  "<link>http://x/&#10;y&#7;</link></item>"));
    const Alert& alert = feed.alerts.at(0);
    for (const std::string& text : {alert.title, alert.link}) {
        for (const char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << text;
    }
    EXPECT_TRUE(alert.title.starts_with("a")) << alert.title;
}

TEST(Hints, SourceIsTheTagElseTheTitleElseTheFile) {
    const std::string item = "<item><title>A</title></item>";
    FeedHints hints;
    hints.file_name = "/feeds/quakes.rss.xml";
    EXPECT_EQ(parse_feed(rss(item), hints).alerts.at(0).source_tag, "World & wire");
    const std::string untitled = "<rss><channel>" + item + "</channel></rss>";
    EXPECT_EQ(parse_feed(untitled, hints).alerts.at(0).source_tag, "quakes.rss");
    EXPECT_EQ(parse_feed(untitled, {}).alerts.at(0).source_tag, "feed");
    hints.source_tag = " tag\n" + std::string(100, 'x');
    const std::string tag = parse_feed(rss(item), hints).alerts.at(0).source_tag;
    EXPECT_EQ(tag.find('\n'), std::string::npos);
    EXPECT_LE(tag.size(), source_bytes_max);
}

TEST(Hints, CharsetOfTheHeaderIsUsed) {
    FeedHints hints;
    hints.content_type = "text/xml; charset=Shift_JIS";
    const Feed feed = parse_feed(
        "<rss><channel><item><title>\x93\x8C\x8B\x9E \x83\x5C</title></item></channel></rss>",
        hints);
    EXPECT_EQ(feed.alerts.at(0).title, "東京 ソ") << "0x5C is the second byte of a character";
}

TEST(Hints, Utf16FeedIsRead) {
    const std::string ascii =
        "<?xml version='1.0' encoding='utf-16'?>"
        "<rss><channel><item><title>T</title></item></channel></rss>";
    std::string bytes = "\xFF\xFE";
    for (const char c : ascii) bytes += {c, '\0'};
    EXPECT_EQ(parse(bytes).alerts.at(0).title, "T");
}

TEST(Hints, MalformedBytesAreOneWarning) {
    const Feed feed =
        parse(rss("<item><title>Z\xFCrich</title></item><item><title>\xFF\xFE!</title>"
                  "</item>"));
    EXPECT_EQ(feed.alerts.at(0).title, "Z\uFFFDrich");
    ASSERT_EQ(feed.warnings.size(), 1U);
    EXPECT_TRUE(feed.warnings[0].starts_with("wire: malformed bytes in utf-8: 2 place(s)"));
}

TEST(Bounds, BodyOverTheLimitIsAnError) {
    const std::string body = rss("<item><title>A</title></item>");
    FeedHints hints;
    hints.file_name = "big.xml";
    hints.body_bytes_max = body.size();
    EXPECT_EQ(parse_feed(body, hints).alerts.size(), 1U);
    hints.body_bytes_max = body.size() - 1;
    try {
        parse_feed(body, hints);
        FAIL() << "no error";
    } catch (const FeedError& error) {
        EXPECT_EQ(error.what(), "big.xml: holds " + std::to_string(body.size()) +
                                    " bytes; allowed are " + std::to_string(body.size() - 1));
    }
}

TEST(Bounds, WarningsAreCountedBeyondTheirLimit) {
    std::string items;
    for (int i = 0; i < 1'000; ++i) items += "<item/>";
    const Feed feed = parse(rss(items));
    ASSERT_EQ(feed.warnings.size(), warnings_max + 1);
    EXPECT_EQ(feed.warnings.back(), "wire: and 900 more warning(s)");
}

TEST(Bounds, DeepNestingIsRead) {
    std::string deep = "<description>";
    for (int i = 0; i < 300'000; ++i) deep += "<x>";
    deep += "bottom";
    for (int i = 0; i < 300'000; ++i) deep += "</x>";
    const Feed feed = parse(rss("<item><title>A</title>" + deep + "</description></item>"));
    EXPECT_EQ(feed.alerts.at(0).summary, "bottom");
}

TEST(Bounds, ManyDeclarationsAreLookedUpOnlyOnce) {
    std::string item = "<item";
    for (int i = 0; i < 50'000; ++i) item += " xmlns:n" + std::to_string(i) + "='u'";
    item += "><title>A</title>";
    for (int i = 0; i < 50'000; ++i) item += "<z:z/>";
    EXPECT_EQ(parse(rss(item + "</item>")).alerts.at(0).title, "A");
}

TEST(Sample, HasAlertsWithAndWithoutAPlace) {
    FeedHints hints;
    hints.file_name = HEADPOND_SAMPLE_FEED;
    const Feed feed = parse_feed(read_file(hints.file_name), hints);
    EXPECT_EQ(feed.alerts.size(), 40U);
    EXPECT_TRUE(feed.warnings.empty()) << feed.warnings.front();
    std::size_t located = 0;
    for (const Alert& alert : feed.alerts) {
        located += alert.latitude.has_value();
        EXPECT_TRUE(alert.published_at) << alert.title;
        EXPECT_FALSE(alert.summary.empty()) << alert.title;
        EXPECT_EQ(alert.title.find_first_of("<>"), std::string::npos) << alert.title;
        EXPECT_EQ((alert.title + alert.summary).find("&amp;"), std::string::npos) << alert.title;
    }
    EXPECT_EQ(located, 8U);
}

}  // namespace
}  // namespace headpond::ingest
