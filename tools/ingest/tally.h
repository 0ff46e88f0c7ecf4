// What a run's alerts came to, counted as it happens.
#pragma once

#include "recent_set.h"
#include "tables/alerts_table.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace headpond::ingest {

struct Counts {
    std::int64_t alerts = 0, by_feed = 0, by_batch = 0, fallback = 0, pending = 0;
    std::int64_t evicted = 0, expired = 0, abandoned = 0, rejected = 0;  // of the fallbacks

    bool operator==(const Counts&) const = default;
};

// Distances in classes that grow by 2 %: what is read from it is off by 1 % at most.
class Distances {
  public:
    void add(double km);
    // nullopt: there is none. Under 100 m it is 0.
    [[nodiscard]] std::optional<double> median() const;
    void add(const Distances& other);

  private:
    std::map<int, std::int64_t> classes_;
    std::int64_t count_ = 0;
};

// Of alerts that carry hidden coordinates.
struct Accuracy {
    std::int64_t alerts = 0;
    std::int64_t located = 0;        // by a batch
    std::int64_t within_100_km = 0;  // of those located
    std::int64_t right_country = 0;  // of those located
    std::int64_t fallback = 0;
    Distances distances;  // of those located
};

struct SourceTally {
    Counts counts;
    Accuracy accuracy;
};

// An alert that was placed more than 100 km from where its feed says it is.
struct Miss {
    std::string title, source_tag;
    std::string name, country, method, confidence;  // as found
    std::string feed_country;                       // that of the feed's coordinates
    double distance_km = 0;
};

// Counts alerts by their source and by what became of them. One thread. Memory is bounded: by
// `sources_max` sources, by the alerts that are pending, by `fallbacks_max` fallbacks that a
// redrive may still place, and by the last `alerts_kept` alerts that it met.
class Tally {
  public:
    static constexpr std::size_t sources_max = 1'000;
    static constexpr std::size_t fallbacks_max = 10'000;
    static constexpr std::size_t alerts_kept = 65'536;
    static constexpr std::size_t misses_max = 10;

    explicit Tally(bool hidden_coordinates) : hidden_coordinates_(hidden_coordinates) {}

    // True: the alert was counted, as far as is remembered.
    bool seen(std::string_view uuid);
    // Counts an alert, or what became of one that was counted as pending or as a fallback.
    void count(const AlertRow& row);
    // The alert's row is gone.
    void remove(const std::string& uuid);
    // True: the alert was counted, and what became of it may still change.
    [[nodiscard]] bool is_open(const std::string& uuid) const { return open_.contains(uuid); }
    // Their uuids.
    [[nodiscard]] std::vector<std::string> open() const;

    [[nodiscard]] const Counts& total() const noexcept { return total_; }
    // By source tag.
    [[nodiscard]] const std::map<std::string, SourceTally>& sources() const { return sources_; }
    // Of the sources beyond sources_max, together.
    [[nodiscard]] const SourceTally& others() const { return others_; }
    [[nodiscard]] bool hidden_coordinates() const noexcept { return hidden_coordinates_; }
    // The worst first.
    [[nodiscard]] const std::vector<Miss>& misses() const noexcept { return misses_; }

  private:
    // What an open alert is counted as.
    struct Open {
        SourceTally* source = nullptr;
        bool fallback = false;  // else pending
        std::int64_t Counts::*reason = nullptr;
        bool measured = false;  // carries hidden coordinates
    };
    static bool is_as_before(const Open& open, const AlertRow& row);
    SourceTally& source_of(const std::string& tag);
    void add(SourceTally& source, std::int64_t Counts::*count, std::int64_t by);
    void put(const AlertRow& row, SourceTally& source);
    void take_back(const Open& open);
    void keep_open(const std::string& uuid, const Open& open);
    void measure(const AlertRow& row, SourceTally& source);

    const bool hidden_coordinates_;
    Counts total_;
    std::map<std::string, SourceTally> sources_;
    SourceTally others_;
    std::unordered_map<std::string, Open> open_;
    std::deque<std::string> fallbacks_;  // in the order that they came
    RecentSet recent_{alerts_kept};
    std::vector<Miss> misses_;
};

}  // namespace headpond::ingest
