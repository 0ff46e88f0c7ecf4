// The work `peers`: the floor, the library and every peer that is there, in turn in each round.
#include "../../headpond/utf8.h"
#include "../floor_side.h"
#include "../interrupts.h"
#include "../library_side.h"
#include "../worker.h"
#include "../works.h"
#include "peer.h"

#include <algorithm>
#include <iostream>
#include <set>

namespace headpond::bench {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t backlog = 1000;
// More than a team's consumers alone would take in a round.
constexpr std::int64_t team_backlog = 100'000;
constexpr int half_team = 4;  // producers, and as many consumers

constexpr std::string_view floor_name = "floor", library_name = "library";

// One that runs. Its server and files live as long.
struct Runner {
    std::string name;
    fs::path folder;  // of the library and the floor: the file
    std::unique_ptr<Contestant> contestant;
    const Peer* peer = nullptr;  // of the library and the floor: none
};

// The floor first, the library second, then the peers that can be had.
class Field {
  public:
    // `skipped` takes a line for each peer that cannot be had, once.
    Field(const Scope& scope, const BacklogFiles& files, Durability durability,
          std::set<std::string>& skipped)
        : scope_(scope), files_(files), durability_(durability), skipped_(skipped) {
        const KeyOption& keys = key_options().front();
        const fs::path floor = files.floor(backlog);
        const fs::path library = files.library(keys, Tracking::untracked, backlog);
        add(floor_name, floor,
            contestant_of(std::make_unique<FloorSide>(floor, durability), seed()));
        add(library_name, library,
            contestant_of(std::make_unique<LibrarySide>(library, durability, keys), seed()));
        for (const Peer& one : peers()) start(one);
    }

    [[nodiscard]] std::vector<Runner>& runners() noexcept { return runners_; }

  private:
    [[nodiscard]] std::uint64_t seed() const {
        return scope_.seed_of("peers" + std::to_string(runners_.size()) +
                              std::string(name_of(durability_)));
    }
    void add(std::string_view name, const fs::path& folder, std::unique_ptr<Contestant> contestant,
             const Peer* peer = nullptr) {
        runners_.push_back({std::string(name), folder, std::move(contestant), peer});
    }
    void start(const Peer& one) {
        stop_if_interrupted();
        std::string why = one.missing();
        if (why.empty()) {
            try {
                const fs::path folder =
                    files_.own(std::string(one.name) + "-" + std::string(name_of(durability_)));
                fs::create_directory(folder);
                auto contestant =
                    one.start({.folder = folder, .durability = durability_, .seed = seed()});
                contestant->fill(backlog);
                add(one.name, folder, std::move(contestant), &one);
                return;
            } catch (const Interrupted&) {
                throw;
            } catch (const std::exception& error) {
                why = error.what();
            }
        }
        const std::string line = skip_line(one.name, cli::one_line(why));
        if (skipped_.insert(line).second) std::cerr << line << '\n';
    }

    const Scope& scope_;
    const BacklogFiles& files_;
    Durability durability_;
    std::set<std::string>& skipped_;
    std::vector<Runner> runners_;
};

// Quotients of the same rounds.
Spread quotients(std::span<const double> values, std::span<const double> others) {
    std::vector<double> all;
    for (std::size_t i = 0; i < values.size(); ++i) all.push_back(values[i] / others[i]);
    return spread_of(all);
}

// A row for the library and for each peer; `us`: an item, by runner and round.
void tell(const std::vector<Runner>& runners, const std::vector<std::vector<double>>& us,
          const Row& like, const Sink& sink) {
    for (std::size_t i = 1; i < runners.size(); ++i) {
        Row row = like;
        row.peer = runners[i].name;
        row.ratio = quotients(us[i], us[0]);
        row.us = spread_of(us[i]).median;
        row.floor_us = spread_of(us[0]).median;
        row.times_library = quotients(us[i], us[1]).median;
        sink(std::move(row));
    }
}

void run_cycles(const Scope& scope, const BacklogFiles& files, Durability durability,
                std::vector<Runner>& runners, std::size_t per_call, const Sink& sink) {
    constexpr std::size_t items_a_round_max = 50'000;
    std::vector<Timed> timed;
    for (Runner& one : runners) {
        timed.push_back([&one, &files, per_call](std::size_t calls) {
            files.settle();
            return one.contestant->cycles(calls, per_call);
        });
    }
    Rounds of_peers = scope.rounds;
    of_peers.calls_min = 3;  // the slowest takes a third of a second a call
    auto us = take_turns(of_peers, timed, items_a_round_max / per_call);
    for (auto& rounds : us) {
        for (double& one : rounds) one /= static_cast<double>(per_call);
    }
    tell(runners, us,
         {.work = "peers",
          .keys = std::string(key_options().front().name),
          .backlog = backlog,
          .per_call = static_cast<std::int64_t>(per_call),
          .durability = std::string(name_of(durability))},
         sink);
}

// --- teams ---------------------------------------------------------------------------------------

// A server's clients and the library's callers are threads of one process, the floor's are
// processes.
std::vector<TeamMember> team_of(const Runner& runner, const fs::path& path, Durability durability,
                                std::uint64_t seed) {
    TeamMember member{.library = runner.name == library_name,
                      .peer = runner.peer != nullptr ? std::string(runner.peer->name) : "",
                      .path = path,
                      .durability = durability,
                      .producers = half_team,
                      .consumers = half_team,
                      .seed = seed};
    if (runner.name != floor_name) return {member};
    std::vector<TeamMember> members;
    for (int i = 0; i < 2 * half_team; ++i) {
        member.producers = i % 2 == 0 ? 1 : 0;
        member.consumers = 1 - member.producers;
        member.seed = seed + static_cast<std::uint64_t>(i);
        members.push_back(member);
    }
    return members;
}

std::unique_ptr<Side> open_side(const Runner& runner, const fs::path& path) {
    const Durability durability = Durability::process_crash;
    if (runner.peer != nullptr) return runner.peer->connect(path, 0);
    if (runner.name == floor_name) return std::make_unique<FloorSide>(path, durability);
    return std::make_unique<LibrarySide>(path, durability, key_options().front());
}

// The team's microseconds an item, enqueued or acked. Puts the backlog back, untimed.
double run_team_of(const Runner& runner, const fs::path& path, const Scope& scope,
                   const BacklogFiles& files, std::size_t round) {
    constexpr std::uint64_t seeds_a_round = 1000;
    files.settle();
    const Tallies tallies = run_team(team_of(runner, path, Durability::power_loss,
                                             scope.seed_of(runner.name) + seeds_a_round * round),
                                     scope.team_seconds);
    const auto side = open_side(runner, path);
    const std::int64_t surplus = tallies.sum_in() - tallies.sum_out();
    if (surplus > 0) drain(*side, static_cast<std::size_t>(surplus));
    if (surplus < 0) files.fill(*side, Tracking::untracked, -surplus);
    stop_if_interrupted();
    return 1e6 / tallies.rate();
}

void run_teams(const Scope& scope, const BacklogFiles& files, std::vector<Runner>& all,
               const Sink& sink) {
    std::vector<Runner> runners;
    for (Runner& one : all) {
        if (one.peer == nullptr || one.peer->connect != nullptr) runners.push_back(std::move(one));
    }
    all.clear();  // the others end: they would only be in the way
    std::vector<fs::path> paths;
    for (Runner& one : runners) {
        if (one.name == floor_name) {
            paths.push_back(files.floor(team_backlog));
        } else if (one.name == library_name) {
            paths.push_back(
                files.library(key_options().front(), Tracking::untracked, team_backlog));
        } else {
            paths.push_back(one.folder);
            one.contestant->fill(team_backlog - backlog);
        }
    }
    std::vector<std::vector<double>> us(runners.size());
    for (std::size_t round = 0; round < scope.rounds.count; ++round) {
        for (std::size_t turn = 0; turn < runners.size(); ++turn) {
            const std::size_t i = (turn + round) % runners.size();
            us[i].push_back(run_team_of(runners[i], paths[i], scope, files, round));
        }
    }
    tell(runners, us,
         {.work = "peers",
          .keys = std::string(key_options().front().name),
          .backlog = team_backlog,
          .per_call = 1,
          .durability = std::string(name_of(Durability::power_loss)),
          .note = "4+4 workers",
          .more = {{"producers", half_team}, {"consumers", half_team}}},
         sink);
}

}  // namespace

void run_peers(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    std::set<std::string> skipped;
    for (const Durability durability : scope.durabilities) {
        Field field(scope, files, durability, skipped);
        for (const std::size_t per_call : {100U, 1U}) {
            run_cycles(scope, files, durability, field.runners(), per_call, sink);
        }
        if (durability == Durability::power_loss) {
            run_teams(scope, files, field.runners(), sink);
        }
    }
}

}  // namespace headpond::bench
