#include "svg_plot.h"

#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace headpond::bench {
namespace {

Row row_of(const std::string& work, std::int64_t backlog, const std::string& durability) {
    return {.work = work,
            .keys = "free",
            .backlog = backlog,
            .per_call = 100,
            .durability = durability,
            .us = 6,
            .floor_us = 4,
            .plotted = true};
}

std::size_t count(const std::string& text, const std::string& word) {
    std::size_t found = 0;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
    return found;
}

// Each element ends, in the order in which they began. Style text has no tags.
bool is_balanced(const std::string& svg) {
    static const std::regex tag(R"(<(/?)([a-z]+)((?:\s+[\w:-]+="[^"<&]*")*)\s*(/?)>)");
    std::vector<std::string> open;
    std::size_t tags = 0;
    for (std::sregex_iterator it(svg.begin(), svg.end(), tag), end; it != end; ++it, ++tags) {
        const std::string name = (*it)[2];
        if ((*it)[1].length() == 0 && (*it)[4].length() == 0) open.push_back(name);
        if ((*it)[1].length() == 0) continue;
        if (open.empty() || open.back() != name) return false;
        open.pop_back();
    }
    return open.empty() && tags == count(svg, "<");
}

TEST(SvgPlot, IsWellFormed) {
    const std::vector<Row> rows{
        row_of("enqueue", 1000, "power_loss"), row_of("enqueue", 1'000'000, "power_loss"),
        row_of("cycle", 1000, "process_crash"), row_of("cycle", 100'000, "process_crash")};
    const std::string svg = to_svg(rows);
    EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"")) << svg;
    EXPECT_TRUE(is_balanced(svg)) << svg;
    EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
}

TEST(SvgPlot, HasALineForLibraryAndFloorOfEachWorkAndDurability) {
    const std::vector<Row> rows{row_of("cycle", 1000, "power_loss"),
                                row_of("cycle", 100'000, "power_loss"),
                                row_of("cycle", 1000, "process_crash")};
    const std::string svg = to_svg(rows);
    EXPECT_EQ(count(svg, "<polyline"), 4U);
}

TEST(SvgPlot, LeavesOutWhatHasNoFloor) {
    std::vector<Row> rows{row_of("cycle", 1000, "power_loss"), row_of("lease", 1000, "power_loss")};
    rows.back().plotted = false;
    EXPECT_EQ(to_svg(rows).find("lease"), std::string::npos);
    rows.erase(rows.begin());
    EXPECT_THROW((void)to_svg(rows), std::invalid_argument);
}

}  // namespace
}  // namespace headpond::bench
