#include "feed/position.h"

#include <string>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

struct Found {
    std::optional<Position> position;
    std::vector<std::string> problems;
};

Found find(const std::string& inside) {
    const std::string xml =
        "<item xmlns:georss='http://www.georss.org/georss' xmlns:gml='http://www.opengis.net/gml' "
        "xmlns:geo='http://www.w3.org/2003/01/geo/wgs84_pos#'>" +
        inside + "</item>";
    pugi::xml_document document;
    EXPECT_TRUE(document.load_string(xml.c_str()));
    const pugi::xml_node item = document.first_child();
    const Scope scope(nullptr, item);
    Found found;
    found.position = position_of(item, scope, found.problems);
    return found;
}

struct Case {
    const char* xml;
    double latitude;
    double longitude;
};

class Positions : public testing::TestWithParam<Case> {};

TEST_P(Positions, AreFound) {
    const Found found = find(GetParam().xml);
    ASSERT_TRUE(found.position);
    EXPECT_NEAR(found.position->latitude, GetParam().latitude, 1e-9);
    EXPECT_NEAR(found.position->longitude, GetParam().longitude, 1e-9);
    EXPECT_TRUE(found.problems.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Points, Positions,
    testing::Values(
        Case{"<georss:point>-33.45 -70.66</georss:point>", -33.45, -70.66},
        Case{"<georss:point>\n 35.5 ,\t139.25 </georss:point>", 35.5, 139.25},
        Case{"<georss:point><![CDATA[+1e1 -0]]></georss:point>", 10, 0},
        Case{"<georss:point>-90 180</georss:point>", -90, 180},
        Case{"<georss:where><gml:Point><gml:pos>1 2</gml:pos></gml:Point></georss:where>", 1, 2},
        Case{"<georss:where><gml:Point><gml:pos>1 2 300</gml:pos></gml:Point></georss:where>", 1,
             2},
        Case{"<geo:lat>12.5</geo:lat><geo:long>-3</geo:long>", 12.5, -3},
        Case{"<geo:long>-3</geo:long><geo:lat>12.5</geo:lat>", 12.5, -3},
        Case{"<geo:Point><geo:lat>7</geo:lat><geo:long>8</geo:long></geo:Point>", 7, 8},
        Case{"<g:lat "
             "xmlns:g='http://www.w3.org/2003/01/geo/wgs84_pos'>7</g:lat><geo:lon>8</geo:lon>",
             7, 8},
        Case{"<georss:point/><geo:lat>7</geo:lat><geo:long>8</geo:long>", 7, 8},
        Case{"<geo:lat>7</geo:lat><geo:long>8</geo:long><georss:point>1 2</georss:point>", 1, 2}));

INSTANTIATE_TEST_SUITE_P(
    Shapes, Positions,
    testing::Values(
        Case{"<georss:box>10 20 30 60</georss:box>", 20, 40},
        Case{"<georss:box>-10 -170 10 170</georss:box>", 0, 0},
        Case{"<georss:box>-10 170 10 -160</georss:box>", 0, -175},
        Case{"<georss:polygon>0 0 0 10 10 10 10 0 0 0</georss:polygon>", 5, 5},
        Case{"<georss:polygon>0 170 0 -170 10 -170 10 170 0 170</georss:polygon>", 5, 180},
        Case{"<georss:line>0 0 10 20</georss:line>", 5, 10},
        Case{"<georss:circle>4 5 1000</georss:circle>", 4, 5},
        Case{"<georss:where><gml:Envelope><gml:lowerCorner>0 0</gml:lowerCorner>"
             "<gml:upperCorner>10 20</gml:upperCorner></gml:Envelope></georss:where>",
             5, 10},
        Case{"<georss:where><gml:Polygon><gml:exterior><gml:LinearRing><gml:posList>0 0 0 2 2 2 2 "
             "0 0 0"
             "</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></georss:where>",
             1, 1}));

class NoPositions : public testing::TestWithParam<const char*> {};

TEST_P(NoPositions, AreDescribed) {
    const Found found = find(GetParam());
    EXPECT_FALSE(found.position);
    ASSERT_EQ(found.problems.size(), 1U);
    EXPECT_NE(found.problems[0].find("is no position: allowed is latitude -90 to 90"),
              std::string::npos)
        << found.problems[0];
}

INSTANTIATE_TEST_SUITE_P(
    Wrong, NoPositions,
    testing::Values("<georss:point>91 0</georss:point>", "<georss:point>0 180.1</georss:point>",
                    "<georss:point>nan nan</georss:point>", "<georss:point>0 inf</georss:point>",
                    "<georss:point>12</georss:point>", "<georss:point>1 2 3</georss:point>",
                    "<georss:point>48,85 2,35</georss:point>",
                    "<georss:point>N48 E2</georss:point>", "<georss:point>1e999 0</georss:point>",
                    "<geo:lat>5</geo:lat>", "<geo:long>5</geo:long>",
                    "<geo:lat>x</geo:lat><geo:long>5</geo:long>", "<georss:box>1 2 3</georss:box>",
                    "<georss:polygon>1 2 3 400</georss:polygon>",
                    "<georss:polygon>1 2</georss:polygon>"));

TEST(Position, NoneIsNoProblem) {
    const Found found = find("<title>x</title><lat>5</lat><geo:lat/><geo:long> </geo:long>");
    EXPECT_FALSE(found.position);
    EXPECT_TRUE(found.problems.empty());
}

TEST(Position, ABadOneGivesWayToAGoodOne) {
    const Found found =
        find("<georss:point>900 0</georss:point><geo:lat>7</geo:lat><geo:long>8</geo:long>");
    ASSERT_TRUE(found.position);
    EXPECT_EQ(found.position->latitude, 7);
    EXPECT_EQ(found.problems.size(), 1U);
}

TEST(Position, DepthAndNumberOfPartsAreBounded) {
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += "<gml:x>";
    deep += "<gml:pos>1 2</gml:pos>";
    for (int i = 0; i < 100'000; ++i) deep += "</gml:x>";
    EXPECT_FALSE(find(deep).position);

    std::string wide;
    for (int i = 0; i < 100'000; ++i) wide += "<georss:point>bad</georss:point>";
    EXPECT_LE(find(wide).problems.size(), 64U);
}

}  // namespace
}  // namespace headpond::ingest
