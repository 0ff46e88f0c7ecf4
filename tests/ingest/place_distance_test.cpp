#include "gazetteer/place_distance.h"

#include "gazetteer/place_text.h"

#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

TEST(PlaceDistance, KnowsTheCompassAndItsWords) {
    EXPECT_EQ(bearing_of("n"), 0);
    EXPECT_EQ(bearing_of("ssw"), 202.5);
    EXPECT_EQ(bearing_of("nnw"), 337.5);
    EXPECT_EQ(bearing_of("southeast"), 135);
    EXPECT_EQ(bearing_of("northern"), 0);
    EXPECT_EQ(bearing_of("sudwestlich"), 225);
    EXPECT_EQ(bearing_of("noreste"), 45);
    EXPECT_EQ(bearing_of("ovest"), 270);
    EXPECT_EQ(bearing_of("oso"), 247.5);
    EXPECT_EQ(bearing_of("up"), std::nullopt);
    EXPECT_EQ(bearing_of("nort"), std::nullopt);
    EXPECT_EQ(bearing_of(""), std::nullopt);
}

// The distance in a text, whose unit is the token of that index.
double km(std::string_view text, std::size_t unit) {
    const Folding folding;
    return km_before(tokenise(text, folding).tokens, unit);
}

TEST(PlaceDistance, ReadsWholeAndDecimalNumbers) {
    EXPECT_DOUBLE_EQ(km("23 km N", 1), 23);
    EXPECT_DOUBLE_EQ(km("95.5 km N", 2), 95.5);
    EXPECT_DOUBLE_EQ(km("7km N", 0), 7);
    EXPECT_NEAR(km("6 miles N", 1), 9.66, 0.01);
    EXPECT_NEAR(km("about 2.5mi N", 2), 4.02, 0.01);
}

TEST(PlaceDistance, NoNumberOfABelievableSizeIsNone) {
    EXPECT_EQ(km("km N", 0), 0);
    EXPECT_EQ(km("some km N", 1), 0);
    EXPECT_EQ(km("999999 km N", 1), 0);
    EXPECT_EQ(km("99999999999999999999 km N", 1), 0);
}

TEST(PlaceDistance, ANumberAndItsUnitMayBeOneWord) {
    const Folding folding;
    const std::vector<Token> tokens = tokenise("23km 5 km 7th", folding).tokens;
    ASSERT_EQ(tokens.size(), 4U);
    EXPECT_TRUE(has_unit(tokens[0]));
    EXPECT_FALSE(has_unit(tokens[1]));
    EXPECT_FALSE(has_unit(tokens[2]));
    EXPECT_FALSE(has_unit(tokens[3]));
}

}  // namespace
}  // namespace headpond::ingest
