#include "tally.h"

#include "gazetteer/gazetteer.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace headpond::ingest {

namespace {

constexpr double near_km = 100;
constexpr double least_km = 0.1;
constexpr double growth = 1.02;

std::uint64_t number_of(std::string_view uuid) {
    return std::hash<std::string_view>{}(uuid);
}

// Which of the reasons a fallback is counted under; null: none.
std::int64_t Counts::*reason_of(const std::string& reason) {
    if (reason == "evicted") return &Counts::evicted;
    if (reason == "expired" || reason == "stale") return &Counts::expired;
    if (reason == "abandoned") return &Counts::abandoned;
    if (reason == "rejected") return &Counts::rejected;
    return nullptr;
}

}  // namespace

void Distances::add(double km) {
    const double steps = std::log(std::max(km, least_km) / least_km) / std::log(growth);
    classes_[km < least_km ? -1 : static_cast<int>(steps)] += 1;
    count_ += 1;
}

void Distances::add(const Distances& other) {
    for (const auto& [number, count] : other.classes_) classes_[number] += count;
    count_ += other.count_;
}

std::optional<double> Distances::median() const {
    std::int64_t left = (count_ + 1) / 2;
    for (const auto& [number, count] : classes_) {
        left -= count;
        if (left <= 0) return number < 0 ? 0 : least_km * std::pow(growth, number + 0.5);
    }
    return std::nullopt;
}

bool Tally::is_as_before(const Open& open, const AlertRow& row) {
    if (!open.fallback) return row.method == "batch_pending";
    return row.method == "fallback" && open.reason == reason_of(row.reason);
}

bool Tally::seen(std::string_view uuid) {
    const auto number = number_of(uuid);
    return recent_.contains(number) && recent_.meet(number);
}

void Tally::count(const AlertRow& row) {
    const std::string& uuid = row.alert.uuid;
    const auto at = open_.find(uuid);
    const bool known = recent_.meet(number_of(uuid));
    if (at != open_.end()) {
        const Open before = at->second;
        if (is_as_before(before, row)) return;
        take_back(before);
        open_.erase(at);
        put(row, *before.source);
    } else if (!known) {
        SourceTally& source = source_of(row.alert.source_tag);
        add(source, &Counts::alerts, 1);
        source.accuracy.alerts +=
            hidden_coordinates_ && row.feed_latitude && row.feed_longitude ? 1 : 0;
        put(row, source);
    }
}

void Tally::remove(const std::string& uuid) {
    const auto at = open_.find(uuid);
    if (at == open_.end()) return;
    take_back(at->second);
    add(*at->second.source, &Counts::alerts, -1);
    at->second.source->accuracy.alerts -= at->second.measured ? 1 : 0;
    open_.erase(at);
}

std::vector<std::string> Tally::open() const {
    std::vector<std::string> uuids;
    uuids.reserve(open_.size());
    for (const auto& [uuid, open] : open_) uuids.push_back(uuid);
    return uuids;
}

SourceTally& Tally::source_of(const std::string& tag) {
    const auto found = sources_.find(tag);
    if (found != sources_.end()) return found->second;
    return sources_.size() < sources_max ? sources_[tag] : others_;
}

void Tally::add(SourceTally& source, std::int64_t Counts::*count, std::int64_t by) {
    source.counts.*count += by;
    total_.*count += by;
}

void Tally::put(const AlertRow& row, SourceTally& source) {
    const bool measured = hidden_coordinates_ && row.feed_latitude && row.feed_longitude;
    if (row.method == "batch_pending") {
        add(source, &Counts::pending, 1);
        keep_open(row.alert.uuid, {.source = &source, .measured = measured});
    } else if (row.method == "fallback") {
        const auto reason = reason_of(row.reason);
        add(source, &Counts::fallback, 1);
        if (reason != nullptr) add(source, reason, 1);
        source.accuracy.fallback += measured ? 1 : 0;
        keep_open(row.alert.uuid,
                  {.source = &source, .fallback = true, .reason = reason, .measured = measured});
    } else {
        add(source, row.method == "feed" ? &Counts::by_feed : &Counts::by_batch, 1);
        if (measured && row.alert.latitude && row.alert.longitude) measure(row, source);
    }
}

void Tally::take_back(const Open& open) {
    add(*open.source, open.fallback ? &Counts::fallback : &Counts::pending, -1);
    if (open.reason != nullptr) add(*open.source, open.reason, -1);
    if (open.fallback && open.measured) open.source->accuracy.fallback -= 1;
}

// Of the fallbacks the oldest are forgotten first: they stay counted as what they are.
void Tally::keep_open(const std::string& uuid, const Open& open) {
    open_.insert_or_assign(uuid, open);
    if (!open.fallback) return;
    fallbacks_.push_back(uuid);
    while (fallbacks_.size() > fallbacks_max) {
        const auto oldest = open_.find(fallbacks_.front());
        if (oldest != open_.end() && oldest->second.fallback) open_.erase(oldest);
        fallbacks_.pop_front();
    }
}

void Tally::measure(const AlertRow& row, SourceTally& source) {
    const double km = distance_km(*row.feed_latitude, *row.feed_longitude, *row.alert.latitude,
                                  *row.alert.longitude);
    const std::string truth =
        Gazetteer::builtin().country_at(*row.feed_latitude, *row.feed_longitude);
    Accuracy& accuracy = source.accuracy;
    accuracy.located += 1;
    accuracy.within_100_km += km <= near_km ? 1 : 0;
    accuracy.right_country += truth == row.country ? 1 : 0;
    accuracy.distances.add(km);
    if (km <= near_km) return;
    const auto worse = [&](const Miss& miss) { return miss.distance_km < km; };
    misses_.insert(std::find_if(misses_.begin(), misses_.end(), worse),
                   {.title = row.alert.title,
                    .source_tag = row.alert.source_tag,
                    .name = row.name,
                    .country = row.country,
                    .method = row.method,
                    .confidence = row.confidence,
                    .feed_country = truth,
                    .distance_km = km});
    if (misses_.size() > misses_max) misses_.pop_back();
}

}  // namespace headpond::ingest
