// The map page: fixed parts, and the alerts as JSON in an element that is never run.
#include "../headpond/utf8.h"
#include "output/alert_json.h"
#include "output/formats.h"
#include "output/map_assets.h"

#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace headpond::ingest {

namespace {

constexpr std::size_t summary_columns = 300;

// In JSON these characters are found in strings only. Escaped, no text can end the element that
// holds it, begin a comment or a tag in it, or a line where a script is read.
std::string escaped(const std::string& json) {
    std::string safe;
    safe.reserve(json.size());
    for (std::size_t at = 0; at < json.size(); ++at) {
        const char c = json[at];
        const std::string_view rest = std::string_view(json).substr(at, 3);
        if (c == '<') {
            safe += "\\u003c";
        } else if (c == '>') {
            safe += "\\u003e";
        } else if (c == '&') {
            safe += "\\u0026";
        } else if (rest == "\xE2\x80\xA8" || rest == "\xE2\x80\xA9") {
            safe += rest.back() == '\xA8' ? "\\u2028" : "\\u2029";
            at += 2;
        } else {
            safe += c;
        }
    }
    return safe;
}

Json milliseconds(const std::optional<WallTime>& time) {
    return time ? Json(time->time_since_epoch().count()) : Json(nullptr);
}

// In the order that page.js reads: names would be most of the file.
Json members_of(const AlertRow& row) {
    const bool placed = has_position(row);
    return {row.alert.title,
            row.alert.source_tag,
            row.alert.link,
            cli::cut_to(row.alert.summary, summary_columns),
            milliseconds(row.alert.published_at),
            milliseconds(row.added_at),
            placed ? Json(*row.alert.latitude) : Json(nullptr),
            placed ? Json(*row.alert.longitude) : Json(nullptr),
            row.method,
            row.confidence,
            row.name,
            row.country,
            row.reason};
}

void write_alerts(AlertsReader& alerts, const Excerpt& excerpt, std::ostream& out) {
    const char* separator = "\n";
    out << '[';
    alerts.each(excerpt.since, [&](const AlertRow& row) {
        out << separator << escaped(dumped(members_of(row)));
        separator = ",\n";
    });
    out << "\n]";
}

}  // namespace

void write_map(AlertsReader& alerts, const Excerpt& excerpt, std::ostream& out) {
    const MapAssets assets = map_assets();
    std::string_view left = assets.html;
    while (!left.empty()) {
        const auto begin = left.find("{{");
        out << left.substr(0, begin);
        if (begin == std::string_view::npos) return;
        const auto end = left.find("}}", begin);
        if (end == std::string_view::npos) throw std::logic_error("page.html: {{ without }}");
        const std::string_view part = left.substr(begin + 2, end - begin - 2);
        left.remove_prefix(end + 2);
        if (part == "style") {
            out << assets.style;
        } else if (part == "script") {
            out << assets.script;
        } else if (part == "land") {
            out << assets.land;
        } else if (part == "about") {
            out << dumped({{"written_at", milliseconds(excerpt.now)},
                           {"since", milliseconds(excerpt.since)}});
        } else if (part == "alerts") {
            write_alerts(alerts, excerpt, out);
        } else {
            throw std::logic_error("page.html: an unknown part");
        }
    }
}

}  // namespace headpond::ingest
