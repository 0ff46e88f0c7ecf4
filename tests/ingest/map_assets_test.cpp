#include "output/map_assets.h"

#include <array>
#include <regex>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

namespace headpond::ingest {
namespace {

// As a content security policy names it.
std::string hash_of(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> coded{};
    EVP_EncodeBlock(coded.data(), digest.data(), static_cast<int>(size));
    return std::string("'sha256-") + reinterpret_cast<const char*>(coded.data()) + "'";
}

TEST(MapAssets, ThePolicyAllowsItsOwnScriptAndStyleAndNothingElse) {
    const MapAssets assets = map_assets();
    const std::string policy = "content=\"default-src 'none'; script-src " +
                               hash_of(assets.script) + "; style-src " + hash_of(assets.style) +
                               "; base-uri 'none'; form-action 'none'\"";
    EXPECT_NE(assets.html.find(policy), std::string_view::npos)
        << "map/page.html has to say: " << policy;
    EXPECT_LT(assets.html.find(policy), assets.html.find("{{style}}"));
}

TEST(MapAssets, NothingIsAskedOfAServer) {
    const MapAssets assets = map_assets();
    const std::regex outside(R"((src|href)\s*=|url\(|@import|fetch\(|XMLHttp|WebSocket|import\()");
    for (const std::string_view part : {assets.html, assets.style, assets.script}) {
        EXPECT_FALSE(std::regex_search(part.begin(), part.end(), outside));
    }
    EXPECT_EQ(assets.html.find("http:"), std::string_view::npos);
    EXPECT_EQ(assets.html.find("https:"), std::string_view::npos);
}

TEST(MapAssets, TextOfAlertsBecomesNeitherMarkupNorScript) {
    const std::regex running(
        R"(innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\()"
        R"(|on\w+\s*=\s*["'])");
    const MapAssets assets = map_assets();
    EXPECT_FALSE(std::regex_search(assets.script.begin(), assets.script.end(), running));
    // The page's own parts may not end the elements that they stand in.
    for (const std::string_view part : {assets.style, assets.script, assets.land}) {
        EXPECT_EQ(part.find("</"), std::string_view::npos);
        EXPECT_EQ(part.find("<!--"), std::string_view::npos);
    }
}

TEST(MapAssets, TheOutlinesAreCoarseAndOnEarth) {
    const auto outlines = nlohmann::json::parse(map_assets().land);
    EXPECT_LT(map_assets().land.size(), 60'000U);
    for (const char* kind : {"land", "borders"}) {
        EXPECT_GT(outlines[kind].size(), 100U);
        for (const auto& line : outlines[kind]) {
            ASSERT_EQ(line.size() % 2, 0U);
            int longitude = 0, latitude = 0;
            for (std::size_t i = 0; i < line.size(); i += 2) {
                longitude += line[i].get<int>();
                latitude += line[i + 1].get<int>();
                // What crosses 180 degrees goes on beyond it.
                EXPECT_LE(std::abs(longitude), 5'400);
                EXPECT_LE(std::abs(latitude), 900);
            }
        }
    }
}

}  // namespace
}  // namespace headpond::ingest
