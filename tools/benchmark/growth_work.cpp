// What a very large backlog costs: time, memory and writes of a process that only works.
#include "worker.h"
#include "works.h"

#include <array>
#include <map>

namespace headpond::bench {

namespace {

constexpr std::int64_t base_backlog = 100'000;

struct Place {
    std::int64_t backlog;
    std::filesystem::path library, floor;
};

// The rounds of one side at one backlog.
struct Costs {
    std::vector<Cost> rounds;

    [[nodiscard]] double median(double Cost::*figure) const {
        std::vector<double> values;
        for (const Cost& one : rounds) values.push_back(one.*figure);
        return spread_of(values).median;
    }
};

class Growth {
  public:
    Growth(const Scope& scope, const BacklogFiles& files, const KeyOption& keys)
        : scope_(scope), files_(files), keys_(keys) {
        tracked_ = &keys != &key_options().front();
        const auto tracking = tracked_ ? Tracking::tracked : Tracking::untracked;
        for (const std::int64_t backlog : {base_backlog, scope.growth_backlog}) {
            places_.push_back({.backlog = backlog,
                               .library = files.library(keys, tracking, backlog),
                               .floor = files.floor(backlog)});
        }
    }

    void run(Durability durability, const Sink& sink) {
        std::map<std::pair<std::int64_t, bool>, Costs> costs;  // by backlog, and is it the library
        files_.settle();
        for (std::size_t round = 0; round < scope_.rounds.count; ++round) {
            for (std::size_t i = 0; i < 2 * places_.size(); ++i) {
                const std::size_t turn = round % 2 == 0 ? i : 2 * places_.size() - 1 - i;
                const Place& place = places_[turn / 2];
                const bool library = turn % 2 == 0;
                costs[{place.backlog, library}].rounds.push_back(cost(place, library, durability));
            }
        }
        for (const Place& place : places_) {
            sink(row(durability, place, costs[{place.backlog, true}], costs[{place.backlog, false}],
                     costs[{base_backlog, true}], costs[{base_backlog, false}]));
        }
    }

  private:
    Cost cost(const Place& place, bool library, Durability durability) {
        return run_cost({.library = library,
                         .path = library ? place.library : place.floor,
                         .durability = durability,
                         .keys = std::string(keys_.name),
                         .tracked = library && tracked_,
                         .calls = scope_.growth_calls,
                         .seed = scope_.seed_of("growth") + ++runs_});
    }

    [[nodiscard]] Row row(Durability durability, const Place& place, const Costs& library,
                          const Costs& floor, const Costs& base, const Costs& floor_base) const {
        std::vector<double> ratios;
        for (std::size_t i = 0; i < library.rounds.size(); ++i) {
            ratios.push_back(library.rounds[i].us / floor.rounds[i].us);
        }
        Row row{.work = "growth",
                .keys = std::string(keys_.name),
                .backlog = place.backlog,
                .per_call = 100,
                .durability = std::string(name_of(durability)),
                .ratio = spread_of(ratios),
                .us = library.median(&Cost::us),
                .floor_us = floor.median(&Cost::us),
                .note = tracked_ ? "the tracked cycle" : "the cycle"};
        const auto tell = [&](const std::string& whose, const Costs& costs, const Costs& at_base) {
            row.more.emplace_back(whose + "us_to_100k",
                                  costs.median(&Cost::us) / at_base.median(&Cost::us));
            constexpr std::array figures{std::pair{"resident_mib", &Cost::resident_mib},
                                         std::pair{"resident_max_mib", &Cost::resident_max_mib},
                                         std::pair{"written_bytes", &Cost::written_bytes},
                                         std::pair{"disk_bytes", &Cost::disk_bytes},
                                         std::pair{"syncs", &Cost::syncs}};
            for (const auto& [name, figure] : figures) {
                row.more.emplace_back(whose + name, costs.median(figure));
            }
        };
        tell("", library, base);
        tell("floor_", floor, floor_base);
        return row;
    }

    const Scope& scope_;
    const BacklogFiles& files_;
    const KeyOption& keys_;
    bool tracked_ = false;
    std::vector<Place> places_;
    std::uint64_t runs_ = 0;
};

}  // namespace

void run_growth(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    for (const KeyOption& keys : key_options()) {
        Growth growth(scope, files, keys);
        for (const Durability durability : scope.durabilities) growth.run(durability, sink);
    }
}

}  // namespace headpond::bench
