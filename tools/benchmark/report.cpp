#include "report.h"

#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace headpond::bench {

namespace {

// Three figures: more are noise.
std::string shown(double value) {
    const double size = std::abs(value);
    const bool whole = value == std::floor(value);
    const int decimals = whole || size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3;
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
    return text;
}

std::string shown_backlog(std::int64_t items) {
    if (items >= 1'000'000 && items % 1'000'000 == 0)
        return std::to_string(items / 1'000'000) + "M";
    if (items >= 1000 && items % 1000 == 0) return std::to_string(items / 1000) + "k";
    return std::to_string(items);
}

// The first columns of a row.
std::string head(const std::string& work, const std::string& keys) {
    char text[80];
    std::snprintf(text, sizeof text, "%-10s %-7s", work.c_str(), keys.c_str());
    return text;
}

std::string line(const std::string& head, const std::string& backlog, const std::string& per_call,
                 const std::string& durability, const std::string& us, const std::string& floor_us,
                 const std::string& ratio, const std::string& spread) {
    char text[160];
    std::snprintf(text, sizeof text, "%-18s %7s %8s  %-13s %9s %9s %7s  %-13s", head.c_str(),
                  backlog.c_str(), per_call.c_str(), durability.c_str(), us.c_str(),
                  floor_us.c_str(), ratio.c_str(), spread.c_str());
    return text;
}

// In lines of their own, as wide as the table.
std::string indented(const std::vector<std::pair<std::string, double>>& figures) {
    constexpr std::size_t columns = 100;
    std::string text, current;
    for (const auto& [name, value] : figures) {
        const std::string figure = name + " " + shown(value);
        if (!current.empty() && current.size() + 2 + figure.size() > columns) {
            text += current + ",\n";
            current.clear();
        }
        current += (current.empty() ? "  " : ", ") + figure;
    }
    return current.empty() ? text : text + current + "\n";
}

}  // namespace

void Table::header() {
    out_ << "us an item, medians of the rounds; ratio: library, or the peer named, / floor by "
            "round, "
            "its median and spread\n"
         << line(head("work", "keys"), "backlog", "per call", "durability", "us", "floor us",
                 "ratio", "min..max")
         << "  note\n"
         << std::flush;
}

void Table::row(const Row& row) {
    const bool is_peer = !row.peer.empty();
    std::string note = row.note;
    if (is_peer) note = shown(row.times_library) + " x library" + (note.empty() ? "" : ", ") + note;
    std::string text =
        line(is_peer ? row.peer : head(row.work, row.keys), shown_backlog(row.backlog),
             std::to_string(row.per_call), row.durability, shown(row.us), shown(row.floor_us),
             shown(row.ratio.median), shown(row.ratio.min) + ".." + shown(row.ratio.max)) +
        "  " + note;
    text.erase(text.find_last_not_of(' ') + 1);
    out_ << text << '\n';
    if (!is_peer) out_ << indented(row.more);  // a peer's note says it
    out_ << std::flush;
}

std::string to_json(std::span<const Row> rows) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const Row& row : rows) {
        nlohmann::ordered_json one{{"work", row.work},           {"backlog", row.backlog},
                                   {"per_call", row.per_call},   {"durability", row.durability},
                                   {"ratio", row.ratio.median},  {"us", row.us},
                                   {"floor_us", row.floor_us},   {"ratio_min", row.ratio.min},
                                   {"ratio_max", row.ratio.max}, {"keys", row.keys}};
        if (!row.peer.empty()) {
            one["peer"] = row.peer;
            one["times_library"] = row.times_library;
        }
        if (!row.note.empty()) one["note"] = row.note;
        for (const auto& [name, value] : row.more) one[name] = value;
        all.push_back(std::move(one));
    }
    return nlohmann::ordered_json{{"rows", std::move(all)}}.dump(1) + "\n";
}

}  // namespace headpond::bench
