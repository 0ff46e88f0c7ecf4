#include "report.h"

#include "../headpond/utf8.h"

#include <headpond/admin.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <ostream>

#include <nlohmann/json.hpp>

namespace headpond::ingest {

namespace {

using Json = nlohmann::ordered_json;

// Sources that the table lists; --json has them all.
constexpr std::size_t sources_shown = 30;
constexpr std::size_t source_columns = 28;
constexpr std::size_t title_columns = 46;
constexpr std::size_t found_columns = 24;

double share(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// Cut, or filled with blanks, to so many columns.
std::string column(const std::string& text, std::size_t columns) {
    std::string cut = cli::cut_to(cli::one_line(text), columns);
    return cut + std::string(columns - std::min(columns, cli::width_of(cut)), ' ');
}

std::string name_of(const SourceSummary& source) {
    return source.source ? *source.source : "(other sources)";
}

void add(Accuracy& sum, const Accuracy& part) {
    sum.alerts += part.alerts;
    sum.located += part.located;
    sum.within_100_km += part.within_100_km;
    sum.right_country += part.right_country;
    sum.fallback += part.fallback;
    sum.distances.add(part.distances);
}

// --- the table -----------------------------------------------------------------------------------

void print_sources(std::ostream& out, const Summary& summary) {
    if (summary.sources.size() < 2) return;
    out << "  " << column("source", source_columns)
        << "   alerts  by feed by batch fallback  pending\n";
    const std::size_t shown = std::min(sources_shown, summary.sources.size());
    for (std::size_t i = 0; i < shown; ++i) {
        const SourceSummary& source = summary.sources[i];
        const Counts& counts = source.counts;
        out << "  " << column(name_of(source), source_columns) << std::right;
        for (const auto count :
             {counts.alerts, counts.by_feed, counts.by_batch, counts.fallback, counts.pending}) {
            out << std::setw(9) << count;
        }
        out << '\n';
    }
    if (shown < summary.sources.size()) {
        out << "  and " << summary.sources.size() - shown << " sources more: --json\n";
    }
}

std::string kilometres(const std::optional<double>& km) {
    if (!km) return "-";
    char text[32];
    std::snprintf(text, sizeof text, *km < 10 ? "%.1f" : "%.0f", *km);
    return text;
}

void print_accuracy_of_sources(std::ostream& out, const Summary& summary) {
    out << "  " << column("accuracy by source", source_columns)
        << "   alerts  located  100 km  country fallback  median km\n";
    std::size_t shown = 0;
    for (const SourceSummary& source : summary.sources) {
        const Accuracy& accuracy = source.accuracy;
        if (accuracy.alerts == 0) continue;
        if (shown++ == sources_shown) {
            out << "  and more sources: --json\n";
            break;
        }
        out << "  " << column(name_of(source), source_columns) << std::right << std::setw(9)
            << accuracy.alerts << std::setw(9) << accuracy.located << std::fixed
            << std::setprecision(1) << std::setw(7)
            << share(accuracy.within_100_km, accuracy.located) << '%' << std::setw(8)
            << share(accuracy.right_country, accuracy.located) << '%' << std::setw(8)
            << share(accuracy.fallback, accuracy.alerts) << '%' << std::setw(11)
            << kilometres(accuracy.distances.median()) << '\n';
    }
}

void print_misses(std::ostream& out, const Summary& summary) {
    if (summary.misses.empty()) return;
    out << "  " << column("worst misses", title_columns) << "  " << column("found", found_columns)
        << "  is in       km\n";
    for (const Miss& miss : summary.misses) {
        const std::string found = miss.name + (miss.country.empty() ? "" : ", " + miss.country);
        out << "  " << column(miss.title, title_columns) << "  " << column(found, found_columns)
            << "  " << column(miss.feed_country.empty() ? "-" : miss.feed_country, 5) << std::right
            << std::setw(9) << std::llround(miss.distance_km) << '\n';
    }
}

// --- JSON ----------------------------------------------------------------------------------------

Json to_json(const Accuracy& accuracy) {
    Json json{{"alerts", accuracy.alerts},
              {"located", accuracy.located},
              {"within_100_km", accuracy.within_100_km},
              {"right_country", accuracy.right_country},
              {"fallback", accuracy.fallback}};
    const auto median = accuracy.distances.median();
    json["median_km"] = median ? Json(std::round(*median * 10) / 10) : Json(nullptr);
    return json;
}

Json to_json(const SourceSummary& source, bool measured) {
    const Counts& counts = source.counts;
    Json json{{"source", source.source ? Json(*source.source) : Json(nullptr)},
              {"alerts", counts.alerts},
              {"by_feed", counts.by_feed},
              {"by_batch", counts.by_batch},
              {"fallback", counts.fallback},
              {"pending", counts.pending},
              {"evicted", counts.evicted},
              {"expired", counts.expired},
              {"abandoned", counts.abandoned},
              {"rejected", counts.rejected}};
    if (measured) json["accuracy"] = to_json(source.accuracy);
    return json;
}

Json to_json(const Miss& miss) {
    return {{"title", miss.title},
            {"source", miss.source_tag},
            {"found_name", miss.name},
            {"found_country", miss.country},
            {"feed_country", miss.feed_country},
            {"distance_km", std::round(miss.distance_km * 10) / 10},
            {"method", miss.method},
            {"confidence", miss.confidence}};
}

}  // namespace

Summary summarise(Pipeline& pipeline) {
    pipeline.recount();
    const Tally& tally = pipeline.tally();
    Summary summary;
    summary.counts = tally.total();
    summary.run = pipeline.counts();
    summary.measured = tally.hidden_coordinates();
    summary.misses = tally.misses();
    for (const auto& [tag, source] : tally.sources()) {
        if (source.counts.alerts == 0) continue;
        summary.sources.push_back(
            {.source = tag, .counts = source.counts, .accuracy = source.accuracy});
    }
    std::stable_sort(summary.sources.begin(), summary.sources.end(),
                     [](const SourceSummary& one, const SourceSummary& other) {
                         return one.counts.alerts > other.counts.alerts;
                     });
    const SourceTally& others = tally.others();
    if (others.counts.alerts > 0) {
        summary.sources.push_back({.counts = others.counts, .accuracy = others.accuracy});
    }
    for (const SourceSummary& source : summary.sources) add(summary.accuracy, source.accuracy);
    return summary;
}

std::int64_t unclaimed_outcomes(Queue& queue) {
    for (const auto& row : Admin(queue).view("counters").rows) {
        if (row.at(0) == "outcomes_unclaimed") return std::stoll(row.at(1));
    }
    return 0;
}

void print_table(std::ostream& out, const Summary& summary) {
    const auto line = [&](const char* name, std::int64_t value, const char* note = "") {
        out << "  " << std::left << std::setw(22) << name << std::right << std::setw(8) << value
            << (*note != '\0' ? "  " : "") << note << '\n';
    };
    const Counts& counts = summary.counts;
    line("alerts", counts.alerts);
    line("placed by their feed", counts.by_feed);
    line("placed by a batch", counts.by_batch);
    line("fallback", counts.fallback, "no place found, or given up");
    line("pending", counts.pending, counts.pending > 0 ? "run again to go on" : "");
    line("batches", summary.run.batches);
    line("attempts", summary.run.attempts);
    line("evicted", counts.evicted);
    line("expired", counts.expired);
    line("abandoned", counts.abandoned);
    line("rejected", counts.rejected);
    if (summary.unclaimed > 0) {
        line("outcomes dropped", summary.unclaimed, "unread: outcomes_max is too small");
    }
    print_sources(out, summary);
    if (summary.measured) {
        const Accuracy& accuracy = summary.accuracy;
        out << std::fixed << std::setprecision(1) << "  accuracy on " << accuracy.alerts
            << " alerts with known coordinates: located " << accuracy.located << ", within 100 km "
            << share(accuracy.within_100_km, accuracy.located) << "% of them, right country "
            << share(accuracy.right_country, accuracy.located) << "% of them, left as fallback "
            << share(accuracy.fallback, accuracy.alerts) << "% of all\n";
        print_accuracy_of_sources(out, summary);
        print_misses(out, summary);
    }
    out << std::fixed << std::setprecision(2) << "  " << summary.seconds << " s\n";
}

void print_json(std::ostream& out, const Summary& summary) {
    const Counts& counts = summary.counts;
    Json json{{"alerts", counts.alerts},          {"by_feed", counts.by_feed},
              {"by_batch", counts.by_batch},      {"fallback", counts.fallback},
              {"pending", counts.pending},        {"batches", summary.run.batches},
              {"attempts", summary.run.attempts}, {"evicted", counts.evicted},
              {"expired", counts.expired},        {"abandoned", counts.abandoned},
              {"rejected", counts.rejected},      {"known", summary.run.known},
              {"resumed", summary.run.resumed}};
    if (summary.unclaimed > 0) json["outcomes_unclaimed"] = summary.unclaimed;
    json["sources"] = Json::array();
    for (const SourceSummary& source : summary.sources) {
        json["sources"].push_back(to_json(source, summary.measured));
    }
    if (summary.measured) {
        json["accuracy"] = to_json(summary.accuracy);
        json["misses"] = Json::array();
        for (const Miss& miss : summary.misses) json["misses"].push_back(to_json(miss));
    }
    json["seconds"] = summary.seconds;
    out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace headpond::ingest
