#include "feed/markup.h"

#include <string>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

using std::string_literals::operator""s;

struct Case {
    const char* html;
    const char* text;
};

class Html : public testing::TestWithParam<Case> {};

TEST_P(Html, IsRead) {
    EXPECT_EQ(text_of_html(GetParam().html, 1'000), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    Elements, Html,
    testing::Values(
        Case{"<b>Floods</b> in <i>Lima</i>", "Floods in Lima"}, Case{"<b>Flo</b>ods", "Floods"},
        Case{"<p>One.</p><p>Two</p><p>Three</p>", "One. Two; Three"},
        Case{"Depth: 10 km<br/>Region: Chile<br>Mag: 5", "Depth: 10 km; Region: Chile; Mag: 5"},
        Case{"<table><tr><td>San</td><td>Jose</td></tr></table>", "San; Jose"},
        Case{"<region>PILBARA</region>\n<incidentNumber>402250</incidentNumber>",
             "PILBARA; 402250"},
        Case{"<a href=\"http://x/?a=1&b=2\">link</a> <img src='x.png'/>end", "link end"},
        Case{"A<script>var x = '<b>';</script><style>p{}</style>B", "AB"},
        Case{"A<!-- hidden --> B", "A B"}, Case{"<P>UPPER</P><BR>Case", "UPPER; Case"},
        Case{"<b><i>wrong</b></i> nesting", "wrong nesting"},
        Case{"<html><head><meta charset='koi8-r'></head><body>Zürich</body></html>", "Zürich"}));

INSTANTIATE_TEST_SUITE_P(
    Entities, Html,
    testing::Values(Case{"Caf&eacute; &amp; Co &ndash; S&atilde;o", "Café & Co – São"},
                    Case{"&#8217;&#x2019;&#146;", "’’’"},
                    Case{"AT&T &unknown; & x", "AT&T &unknown; & x"}, Case{"S&amp;amp;P", "S&P"},
                    Case{"S&amp;amp;amp;P", "S&P"}, Case{"&amp;#8217;s", "’s"},
                    Case{"&lt;p&gt;Escaped &lt;b&gt;twice&lt;/b&gt;&lt;/p&gt;", "Escaped twice"},
                    Case{"a &lt; b &gt; c", "a < b > c"}, Case{"&#0;&#xD800;&#99999999;x", "x"},
                    Case{"&nbsp;x&nbsp;&nbsp;y", "x y"}));

INSTANTIATE_TEST_SUITE_P(Angles, Html,
                         testing::Values(Case{"Wind < 5 m/s", "Wind < 5 m/s"},
                                         Case{"Loss <$50 million", "Loss <$50 million"},
                                         Case{"if x<y then", "if x<y then"},
                                         Case{"cut off <a href=\"http://exa", "cut off"},
                                         Case{"5 > 3", "5 > 3"}, Case{"<", "<"}, Case{"a <", "a <"},
                                         Case{"</", "</"}, Case{"x <!-- never closed", "x"},
                                         Case{"<>empty<>", "<>empty<>"}));

INSTANTIATE_TEST_SUITE_P(Blanks, Html,
                         testing::Values(Case{"", ""}, Case{"  \n ", ""}, Case{"<p> </p>", ""},
                                         Case{" a <b> b </b> c", "a b c"},
                                         Case{"line\none", "line one"}));

TEST(HtmlBounds, MalformedUtf8DoesNotChangeTheCharset) {
    EXPECT_EQ(text_of_html("<b>Zürich \xFF</b> é", 100), "Zürich \uFFFD é");
}

TEST(HtmlBounds, ZeroByteDoesNotEndTheText) {
    EXPECT_EQ(text_of_html("<b>a\0b</b>c"s, 100), "a bc");
}

TEST(HtmlBounds, DeepNestingHasText) {
    std::string html;
    for (int i = 0; i < 40'000; ++i) html += "<div>";
    EXPECT_EQ(text_of_html(html + "bottom", 100), "bottom");
}

TEST(HtmlBounds, HugeTextIsCut) {
    const std::string text = text_of_html("<p>" + std::string(3'000'000, 'x'), 1'000);
    EXPECT_EQ(text.size(), 1'000U);
    EXPECT_TRUE(text.ends_with("x…"));
}

TEST(Collector, GathersABoundedAmount) {
    TextCollector collector;
    while (!collector.full()) collector.text(std::string(10'000, 'a'));
    collector.text("more");
    EXPECT_EQ(collector.finish(1'000'000).size(), TextCollector::gathered_bytes_max);
}

TEST(Collector, LiteralTextKeepsWhatIsNoHtmlElement) {
    TextCollector collector;
    collector.text("Less: < and <unknown>");
    EXPECT_EQ(collector.finish(100), "Less: < and <unknown>");
}

TEST(Collector, LiteralTextLosesHtmlAndEntities) {
    TextCollector collector;
    collector.text("<b>Caf&eacute;</b> &amp;amp; bar");
    EXPECT_EQ(collector.finish(100), "Café & bar");
}

TEST(Collector, BlankAtTheStartOfAFragmentSeparates) {
    TextCollector collector;
    collector.html("Fire in ");
    collector.html("<b>Perth</b>");
    collector.html(" &amp; Darwin");
    EXPECT_EQ(collector.finish(100), "Fire in Perth & Darwin");
}

}  // namespace
}  // namespace headpond::ingest
