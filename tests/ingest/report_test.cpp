#include "report.h"

#include "../headpond/utf8.h"

#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace headpond::ingest {
namespace {

using nlohmann::json;

SourceSummary source(const std::optional<std::string>& name, std::int64_t alerts) {
    SourceSummary source{.source = name};
    source.counts.alerts = source.counts.by_batch = alerts;
    source.accuracy.alerts = source.accuracy.located = alerts;
    source.accuracy.within_100_km = alerts / 2;
    return source;
}

Summary measured() {
    Summary summary;
    summary.measured = true;
    summary.sources = {source("Desk\n\x1b[31m " + std::string(80, 'w'), 4), source("東京", 2),
                       source(std::nullopt, 1)};
    summary.misses = {{.title = "Flood </b>\n" + std::string(200, 't'),
                       .source_tag = "Desk",
                       .name = "Springfield",
                       .country = "US",
                       .method = "gazetteer_batch",
                       .confidence = "low",
                       .feed_country = "AU",
                       .distance_km = 15'432.1}};
    return summary;
}

std::string table(const Summary& summary) {
    std::ostringstream out;
    print_table(out, summary);
    return out.str();
}

TEST(Report, OneSourceNeedsNoPartOfItsOwn) {
    Summary summary;
    summary.sources = {source("Desk", 4)};
    EXPECT_EQ(table(summary).find("Desk"), std::string::npos);
    EXPECT_EQ(table(summary).find("accuracy"), std::string::npos);
}

TEST(Report, LinesAreCutToTheWidthAndSteerNoTerminal) {
    std::istringstream lines(table(measured()));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("  accuracy on")) continue;  // a sentence
        EXPECT_LE(cli::width_of(line), 100U) << line;
        EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
    }
}

TEST(Report, TheTableHasAPartBySourceTheAccuracyAndTheMisses) {
    const std::string text = table(measured());
    for (const char* part :
         {"  東京                                  2        0        2        0        0\n",
          "  (other sources)                     1 ", "  worst misses",
          "  Springfield, US           AU       15432\n"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << "\nin\n" << text;
    }
}

TEST(Report, JsonIsOneLineWithEverySource) {
    Summary summary = measured();
    for (int i = 0; i < 100; ++i) summary.sources.push_back(source("n" + std::to_string(i), 1));
    std::ostringstream out;
    print_json(out, summary);
    EXPECT_EQ(out.str().find('\n'), out.str().size() - 1);
    const json read = json::parse(out.str());
    EXPECT_EQ(read["sources"].size(), 103U);
    EXPECT_EQ(read["sources"][1]["source"], "東京");
    EXPECT_TRUE(read["sources"][2]["source"].is_null());
    EXPECT_EQ(read["sources"][0]["accuracy"]["within_100_km"], 2);
    EXPECT_TRUE(read["sources"][0]["accuracy"]["median_km"].is_null());
    EXPECT_EQ(read["misses"][0]["found_name"], "Springfield");
    EXPECT_EQ(read["misses"][0]["distance_km"], 15'432.1);
    EXPECT_NE(table(summary).find("  and 73 sources more: --json\n"), std::string::npos);
}

TEST(Report, WithoutHiddenCoordinatesJsonTellsNoAccuracy) {
    Summary summary;
    summary.sources = {source("Desk", 4)};
    std::ostringstream out;
    print_json(out, summary);
    const json read = json::parse(out.str());
    EXPECT_FALSE(read.contains("accuracy") || read.contains("misses"));
    EXPECT_FALSE(read["sources"][0].contains("accuracy"));
}

}  // namespace
}  // namespace headpond::ingest
