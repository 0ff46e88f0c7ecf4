#include "report.h"

#include "alerts_table.h"
#include "gazetteer/gazetteer.h"

#include <headpond/admin.h>

#include <iomanip>
#include <ostream>

#include <nlohmann/json.hpp>

namespace headpond::ingest {

namespace {

constexpr double near_km = 100;

void count_accuracy(Accuracy& accuracy, const AlertRow& row) {
    if (!row.feed_latitude || !row.feed_longitude) return;
    accuracy.alerts += 1;
    if (row.method == "fallback") accuracy.fallback += 1;
    if (!row.alert.latitude || !row.alert.longitude) return;
    accuracy.located += 1;
    const double km = distance_km(*row.feed_latitude, *row.feed_longitude, *row.alert.latitude,
                                  *row.alert.longitude);
    accuracy.within_100_km += km <= near_km ? 1 : 0;
    const std::string truth =
        Gazetteer::builtin().country_at(*row.feed_latitude, *row.feed_longitude);
    accuracy.right_country += truth == row.country ? 1 : 0;
}

void count_row(Summary& summary, const AlertRow& row) {
    summary.alerts += 1;
    if (row.method == "feed") {
        summary.by_feed += 1;
    } else if (row.method == "batch_pending") {
        summary.pending += 1;
    } else if (row.method == "fallback") {
        summary.fallback += 1;
    } else {
        summary.by_batch += 1;
    }
    if (row.method != "fallback") return;
    summary.evicted += row.reason == "evicted" ? 1 : 0;
    summary.expired += row.reason == "expired" || row.reason == "stale" ? 1 : 0;
    summary.abandoned += row.reason == "abandoned" ? 1 : 0;
    summary.rejected += row.reason == "rejected" ? 1 : 0;
}

double share(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Summary summarise(Queue& queue, const Pipeline& pipeline, bool hide_coordinates) {
    Summary summary;
    queue.transact([&](Transaction& transaction) {
        summary = {};
        if (hide_coordinates) summary.accuracy.emplace();
        AlertsTable table(transaction);
        for (const std::string& uuid : pipeline.uuids()) {
            const auto row = table.find(uuid);
            if (!row) continue;
            count_row(summary, *row);
            if (summary.accuracy) count_accuracy(*summary.accuracy, *row);
        }
    });
    summary.run = pipeline.counts();
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
    line("alerts", summary.alerts);
    line("placed by their feed", summary.by_feed);
    line("placed by a batch", summary.by_batch);
    line("fallback", summary.fallback, "no place found, or given up");
    line("pending", summary.pending, summary.pending > 0 ? "run again to go on" : "");
    line("batches", summary.run.batches);
    line("attempts", summary.run.attempts);
    line("evicted", summary.evicted);
    line("expired", summary.expired);
    line("abandoned", summary.abandoned);
    line("rejected", summary.rejected);
    if (summary.unclaimed > 0) {
        line("outcomes dropped", summary.unclaimed, "unread: outcomes_max is too small");
    }
    if (summary.accuracy) {
        const Accuracy& accuracy = *summary.accuracy;
        out << std::fixed << std::setprecision(1) << "  accuracy on " << accuracy.alerts
            << " alerts with known coordinates: located " << accuracy.located << ", within 100 km "
            << share(accuracy.within_100_km, accuracy.located) << "% of them, right country "
            << share(accuracy.right_country, accuracy.located) << "% of them, left as fallback "
            << share(accuracy.fallback, accuracy.alerts) << "% of all\n";
    }
    out << std::fixed << std::setprecision(2) << "  " << summary.seconds << " s\n";
}

void print_json(std::ostream& out, const Summary& summary) {
    nlohmann::ordered_json json{
        {"alerts", summary.alerts},         {"by_feed", summary.by_feed},
        {"by_batch", summary.by_batch},     {"fallback", summary.fallback},
        {"pending", summary.pending},       {"batches", summary.run.batches},
        {"attempts", summary.run.attempts}, {"evicted", summary.evicted},
        {"expired", summary.expired},       {"abandoned", summary.abandoned},
        {"rejected", summary.rejected},     {"known", summary.run.known},
        {"resumed", summary.run.resumed}};
    if (summary.unclaimed > 0) json["outcomes_unclaimed"] = summary.unclaimed;
    if (summary.accuracy) {
        const Accuracy& accuracy = *summary.accuracy;
        json["accuracy"] = {{"alerts", accuracy.alerts},
                            {"located", accuracy.located},
                            {"within_100_km", accuracy.within_100_km},
                            {"right_country", accuracy.right_country},
                            {"fallback", accuracy.fallback}};
    }
    json["seconds"] = summary.seconds;
    out << json.dump() << '\n';
}

}  // namespace headpond::ingest
