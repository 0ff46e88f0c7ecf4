#include "svg_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <stdexcept>

namespace headpond::bench {

namespace {

constexpr double panel_width = 230, panel_height = 150;          // the plotted area
constexpr double left = 62, above = 34, right = 18, below = 48;  // around it
constexpr double cell_width = left + panel_width + right;
constexpr double cell_height = above + panel_height + below;
constexpr double head_height = 78;
constexpr std::size_t columns_max = 3;

// The class of a line: the durability gives the colour, the side the dashes.
constexpr std::array durabilities{"power_loss", "process_crash"};

constexpr const char* style = R"(<style>
svg { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 13px; }
.paper { fill: #ffffff; }
text { fill: #1f2328; }
.faint { fill: #59636e; }
.title { font-size: 16px; font-weight: 600; }
.name { font-size: 14px; font-weight: 600; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.axis { stroke: #818b98; stroke-width: 1; }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.floor { stroke-dasharray: 6 5; }
.power_loss { stroke: #0969da; }
.process_crash { stroke: #bc4c00; }
.dot.power_loss { fill: #0969da; }
.dot.process_crash { fill: #bc4c00; }
.dot.hollow { fill: #ffffff; stroke-width: 1.8; }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117; }
text { fill: #e6edf3; }
.faint { fill: #9198a1; }
.grid { stroke: #2f3742; }
.axis { stroke: #656c76; }
.power_loss { stroke: #58a6ff; }
.process_crash { stroke: #f0883e; }
.dot.power_loss { fill: #58a6ff; }
.dot.process_crash { fill: #f0883e; }
.dot.hollow { fill: #0d1117; }
}
</style>
)";

std::string number(double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f", value);
    return text;
}

// As short as it can be: 0.5, 20, 1500.
std::string short_number(double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

std::string power_of_ten(int exponent) {
    constexpr std::array names{"1", "10", "100", "1k", "10k", "100k", "1M", "10M", "100M"};
    const auto index = static_cast<std::size_t>(std::clamp(exponent, 0, 8));
    return names[index];
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& kind,
                    const std::string& text) {
    return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor +
           "\" class=\"" + kind + "\">" + text + "</text>\n";
}

std::string line_at(double x1, double y1, double x2, double y2, const std::string& kind) {
    return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) +
           "\" y2=\"" + number(y2) + "\" class=\"" + kind + "\"/>\n";
}

// 1, 2 or 5 times a power of ten, so that 3 to 6 steps reach `most`.
double nice_step(double most) {
    const double rough = most / 5;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= rough) return factor * power;
    }
    return 10 * power;
}

// The rows of a work, in one place of the drawing.
class Panel {
  public:
    Panel(std::string name, std::vector<Row> rows, double x, double y)
        : name_(std::move(name)), rows_(std::move(rows)), x_(x + left), y_(y + above) {
        double most = 0;
        for (const Row& row : rows_) most = std::max({most, row.us, row.floor_us});
        step_ = nice_step(std::max(most, 1e-3));
        top_ = std::ceil(most / step_ + 0.05) * step_;
        const auto [least, largest] =
            std::minmax_element(rows_.begin(), rows_.end(),
                                [](const Row& a, const Row& b) { return a.backlog < b.backlog; });
        first_decade_ = static_cast<int>(std::floor(logarithm(least->backlog) + 1e-9));
        last_decade_ = std::max(static_cast<int>(std::ceil(logarithm(largest->backlog) - 1e-9)),
                                first_decade_ + 1);
    }

    [[nodiscard]] std::string draw() const {
        std::string svg = axes();
        for (const char* durability : durabilities) {
            svg += curve(durability, "floor", &Row::floor_us);
            svg += curve(durability, "library", &Row::us);
        }
        return svg;
    }

  private:
    static double logarithm(std::int64_t backlog) {
        return std::log10(static_cast<double>(backlog));
    }
    [[nodiscard]] double across(std::int64_t backlog) const {
        const double span = last_decade_ - first_decade_;
        return x_ + panel_width * (logarithm(backlog) - first_decade_) / span;
    }
    [[nodiscard]] double up(double us) const { return y_ + panel_height * (1 - us / top_); }

    [[nodiscard]] std::string axes() const {
        std::string svg = text_at(x_, y_ - 12, "start", "name", name_);
        for (double us = 0; us <= top_ + step_ / 2; us += step_) {
            svg += line_at(x_, up(us), x_ + panel_width, up(us), us == 0 ? "axis" : "grid");
            svg += text_at(x_ - 8, up(us) + 4.5, "end", "faint", short_number(us));
        }
        for (int exponent = first_decade_; exponent <= last_decade_; ++exponent) {
            const double x =
                x_ + panel_width * (exponent - first_decade_) / (last_decade_ - first_decade_);
            svg += line_at(x, y_ + panel_height, x, y_ + panel_height + 5, "axis");
            svg += text_at(x, y_ + panel_height + 20, "middle", "faint", power_of_ten(exponent));
        }
        svg += text_at(x_ + panel_width / 2, y_ + panel_height + 38, "middle", "faint",
                       "items in the queue");
        const std::string x = number(x_ - 46), y = number(y_ + panel_height / 2);
        svg += "<text x=\"" + x + "\" y=\"" + y + "\" transform=\"rotate(-90 " + x + " " + y +
               ")\" text-anchor=\"middle\" class=\"faint\">\u00b5s an item</text>\n";
        return svg;
    }

    [[nodiscard]] std::string curve(const std::string& durability, const std::string& side,
                                    double Row::*value) const {
        std::map<std::int64_t, double> points;
        for (const Row& row : rows_) {
            if (row.durability == durability) points[row.backlog] = row.*value;
        }
        if (points.empty()) return {};
        std::string way, dots;
        for (const auto& [backlog, us] : points) {
            const std::string x = number(across(backlog)), y = number(up(us));
            way += (way.empty() ? "" : " ") + x + "," + y;
            dots += "<circle cx=\"" + x + "\" cy=\"" + y + "\" r=\"3.4\" class=\"dot " +
                    durability + (side == "floor" ? " hollow" : "") + "\"/>\n";
        }
        return "<polyline points=\"" + way + "\" class=\"line " + side + " " + durability +
               "\"/>\n" + dots;
    }

    std::string name_;
    std::vector<Row> rows_;
    double x_, y_;
    double step_ = 1, top_ = 1;
    int first_decade_ = 3, last_decade_ = 6;
};

std::string legend() {
    constexpr double line_length = 34, entry_width = 205;
    std::string svg;
    double x = 16;
    for (const char* durability : durabilities) {
        for (const char* side : {"library", "floor"}) {
            const bool is_floor = std::string(side) == "floor";
            const std::string kind = std::string(durability);
            svg += line_at(x, 54, x + line_length, 54, "line " + std::string(side) + " " + kind);
            svg += "<circle cx=\"" + number(x + line_length / 2) +
                   "\" cy=\"54.0\" r=\"3.4\" class=\"dot " + kind + (is_floor ? " hollow" : "") +
                   "\"/>\n";
            svg += text_at(x + line_length + 8, 58.5, "start", "", std::string(side) + ", " + kind);
            x += entry_width;
        }
    }
    return svg;
}

}  // namespace

std::string to_svg(std::span<const Row> rows) {
    std::vector<std::pair<std::string, std::vector<Row>>> works;
    for (const Row& row : rows) {
        if (!row.plotted) continue;
        const std::string name = row.work + (row.keys == "free" ? "" : " (" + row.keys + ")") +
                                 ", " + std::to_string(row.per_call) + " a call";
        const auto has_name = [&](const auto& one) { return one.first == name; };
        auto found = std::find_if(works.begin(), works.end(), has_name);
        if (found == works.end()) found = works.insert(works.end(), {name, {}});
        found->second.push_back(row);
    }
    if (works.empty()) {
        throw std::invalid_argument("no row to plot; allowed: at least one");
    }
    const std::size_t columns = std::min(columns_max, works.size());
    const std::size_t lines = (works.size() + columns - 1) / columns;
    // The legend sets the least width.
    const double width = std::max(static_cast<double>(columns) * cell_width, 860.0);
    const double height = head_height + static_cast<double>(lines) * cell_height;
    const std::string size = "width=\"" + number(width) + "\" height=\"" + number(height) + "\"";
    std::string svg =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" " + size + " viewBox=\"0 0 " + number(width) +
        " " + number(height) + "\" role=\"img\">\n" +
        "<title>Cost of an item against the items in the queue</title>\n" + style +
        "<rect class=\"paper\" " + size + "/>\n" +
        text_at(16, 28, "start", "title", "Cost of an item against the items in the queue") +
        legend();
    for (std::size_t i = 0; i < works.size(); ++i) {
        const double x = static_cast<double>(i % columns) * cell_width;
        const double y = head_height + static_cast<double>(i / columns) * cell_height;
        svg += Panel(works[i].first, works[i].second, x, y).draw();
    }
    return svg + "</svg>\n";
}

}  // namespace headpond::bench
