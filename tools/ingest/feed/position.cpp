#include "feed/position.h"

#include "feed/fold.h"
#include "feed/xml_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

namespace headpond::ingest {
namespace {

// gml:Polygon/exterior/LinearRing/posList below georss:where is the deepest form.
constexpr int depth_max = 8;
// A shape with more corners is read up to here.
constexpr std::size_t numbers_max = 20'000;
constexpr std::size_t text_bytes_max = std::size_t{1} << 20;
// Elements of one item that are looked at for a position.
constexpr std::size_t parts_max = 64;

// The last four are halves: two of them make a pair or a box.
enum class Shape { point, pos, pair, circle, box, ring, latitude, longitude, lower, upper };

struct Part {
    Shape shape;
    std::string name;  // for messages
    std::string text;
};

struct Form {
    Space space;
    std::string_view local;
    Shape shape;
};

constexpr auto forms = std::to_array<Form>({{Space::georss, "point", Shape::point},
                                            {Space::gml, "pos", Shape::pos},
                                            {Space::geo, "lat", Shape::latitude},
                                            {Space::geo, "long", Shape::longitude},
                                            {Space::geo, "lon", Shape::longitude},
                                            {Space::georss, "circle", Shape::circle},
                                            {Space::georss, "box", Shape::box},
                                            {Space::gml, "lowerCorner", Shape::lower},
                                            {Space::gml, "upperCorner", Shape::upper},
                                            {Space::georss, "polygon", Shape::ring},
                                            {Space::georss, "line", Shape::ring},
                                            {Space::gml, "posList", Shape::ring}});

// Collects the parts with a text below `outer`. Recursive, to depth_max.
void collect(pugi::xml_node outer, const Scope& scope, int depth, std::vector<Part>& parts) {
    for (const pugi::xml_node node : outer.children()) {
        if (node.type() != pugi::node_element || parts.size() == parts_max) continue;
        const Scope inner(&scope, node);
        const Name name = inner.name_of(node);
        if (name.space != Space::georss && name.space != Space::gml && name.space != Space::geo) {
            continue;
        }
        const auto form = std::find_if(forms.begin(), forms.end(), [&](const Form& row) {
            return name.is(row.space, row.local);
        });
        if (form != forms.end()) {
            std::string text = character_data(node, text_bytes_max);
            if (text.find_first_not_of(" \t\r\n") == text.npos) continue;  // empty: no position
            parts.push_back({form->shape, node.name(), std::move(text)});
        } else if (depth < depth_max) {
            collect(node, inner, depth + 1, parts);
        }
    }
}

// Numbers between blanks and commas, nullopt when something else is among them.
std::optional<std::vector<double>> numbers_of(std::string_view text) {
    constexpr std::string_view between = " \t\r\n,";
    std::vector<double> numbers;
    for (;;) {
        text.remove_prefix(std::min(text.find_first_not_of(between), text.size()));
        if (text.empty() || numbers.size() == numbers_max) return numbers;
        if (text.front() == '+') text.remove_prefix(1);
        double number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc()) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (!text.empty() && between.find(text.front()) == between.npos) return std::nullopt;
        numbers.push_back(number);
    }
}

// The comparisons are false for NaN, too.
bool in_range(double latitude, double longitude) {
    return std::abs(latitude) <= 90 && std::abs(longitude) <= 180;
}

std::optional<Position> checked(double latitude, double longitude) {
    if (!in_range(latitude, longitude)) return std::nullopt;
    return Position{latitude, longitude};
}

// The mean of corners given as latitude, longitude, latitude, ... A shape wider than half the globe
// is one that crosses the 180th meridian; a box says so by its western side being east of the
// other.
std::optional<Position> centre_of(std::vector<double> numbers, bool box) {
    if (numbers.size() < 4 || numbers.size() % 2 != 0 || (box && numbers.size() != 4)) {
        return std::nullopt;
    }
    double west = 180;
    double east = -180;
    for (std::size_t i = 0; i < numbers.size(); i += 2) {
        if (!in_range(numbers[i], numbers[i + 1])) return std::nullopt;
        west = std::min(west, numbers[i + 1]);
        east = std::max(east, numbers[i + 1]);
    }
    const bool crosses = box ? numbers[1] > numbers[3] : east - west > 180;
    const std::size_t size = numbers.size();
    const bool closed = numbers[0] == numbers[size - 2] && numbers[1] == numbers[size - 1];
    if (size >= 6 && closed) numbers.resize(size - 2);

    double latitudes = 0;
    double longitudes = 0;
    for (std::size_t i = 0; i < numbers.size(); i += 2) {
        latitudes += numbers[i];
        longitudes += numbers[i + 1] + (crosses && numbers[i + 1] < 0 ? 360 : 0);
    }
    const double corners = static_cast<double>(numbers.size() / 2);
    const double longitude = longitudes / corners;
    return Position{latitudes / corners, longitude > 180 ? longitude - 360 : longitude};
}

std::optional<Position> read(Shape shape, std::string_view text) {
    const auto numbers = numbers_of(text);
    if (!numbers) return std::nullopt;
    const std::size_t count = numbers->size();
    if (shape == Shape::box) return centre_of(*numbers, true);
    if (shape == Shape::ring) return centre_of(*numbers, false);
    // gml:pos may have a height, a circle has its radius.
    const bool third = count == 3 && (shape == Shape::pos || shape == Shape::circle);
    if (count != 2 && !third) return std::nullopt;
    return checked((*numbers)[0], (*numbers)[1]);
}

std::string problem_of(std::string_view name, std::string_view text) {
    return for_message(name) + " '" + for_message(text) +
           "' is no position: allowed is latitude -90 to 90, then longitude -180 to 180";
}

// Joins the first two halves, as geo:lat with geo:long, into one part.
void join(std::vector<Part>& parts, Shape first, Shape second, Shape whole) {
    const auto find = [&](Shape shape) {
        return std::find_if(parts.begin(), parts.end(),
                            [&](const Part& part) { return part.shape == shape; });
    };
    const auto one = find(first);
    const auto two = find(second);
    if (one == parts.end() && two == parts.end()) return;
    Part joined{whole, "", ""};
    for (const auto& half : {one, two}) {
        if (half == parts.end()) continue;
        joined.name += (joined.name.empty() ? "" : " ") + half->name;
        joined.text += (joined.text.empty() ? "" : " ") + half->text;
    }
    parts.push_back(std::move(joined));
}

}  // namespace

std::optional<Position> position_of(pugi::xml_node item, const Scope& scope,
                                    std::vector<std::string>& problems) {
    std::vector<Part> parts;
    collect(item, scope, 0, parts);
    join(parts, Shape::latitude, Shape::longitude, Shape::pair);
    join(parts, Shape::lower, Shape::upper, Shape::box);

    constexpr std::array order = {Shape::point,  Shape::pos, Shape::pair,
                                  Shape::circle, Shape::box, Shape::ring};
    for (const Shape shape : order) {
        for (const Part& part : parts) {
            if (part.shape != shape) continue;
            if (const auto position = read(shape, part.text)) return position;
            problems.push_back(problem_of(part.name, part.text));
        }
    }
    return std::nullopt;
}

}  // namespace headpond::ingest
