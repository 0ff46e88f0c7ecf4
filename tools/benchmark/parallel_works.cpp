// Works of many threads and processes, each making single calls for a time.
#include "floor_side.h"
#include "worker.h"
#include "works.h"

#include <algorithm>
#include <map>

namespace headpond::bench {

namespace {

constexpr int half_team = 4;  // producers, and as many consumers
// More than a team of consumers alone would take in a round.
constexpr std::int64_t backlog = 100'000;

// A file that teams work on, put back to its backlog after each.
class Ground {
  public:
    Ground(const Scope& scope, const BacklogFiles& files)
        : scope_(scope),
          files_(files),
          library_(files.library(key_options().front(), Tracking::untracked, backlog)),
          floor_(files.floor(backlog)) {
        files.settle();
    }

    // One process.
    Tallies threads(Durability durability, int producers, int consumers) {
        return run({member(true, durability, producers, consumers)}, true);
    }
    // 4 producers and 4 consumers, each a process.
    Tallies processes(bool library, Durability durability) {
        std::vector<TeamMember> team;
        for (int i = 0; i < half_team; ++i) {
            team.push_back(member(library, durability, 1, 0));
            team.push_back(member(library, durability, 0, 1));
        }
        return run(team, library);
    }

  private:
    TeamMember member(bool library, Durability durability, int producers, int consumers) {
        constexpr std::uint64_t threads_max = 1000;
        return {.library = library,
                .path = library ? library_ : floor_,
                .durability = durability,
                .producers = producers,
                .consumers = consumers,
                .seed = scope_.seed_of("team") + threads_max * ++members_};
    }

    Tallies run(const std::vector<TeamMember>& team, bool library) {
        const Tallies tallies = run_team(team, scope_.team_seconds);
        if (library) {
            LibrarySide side(library_, Durability::process_crash, key_options().front());
            restore(side, tallies);
        } else {
            FloorSide side(floor_, Durability::process_crash);
            restore(side, tallies);
        }
        return tallies;
    }

    // A call that ended too late is not in the tally: the backlog drifts by one a thread and round.
    void restore(Side& side, const Tallies& tallies) {
        const std::int64_t surplus = tallies.sum_in() - tallies.sum_out();
        if (surplus > 0) drain(side, static_cast<std::size_t>(surplus));
        if (surplus < 0) files_.fill(side, Tracking::untracked, -surplus);
    }

    const Scope& scope_;
    const BacklogFiles& files_;
    std::filesystem::path library_, floor_;
    std::uint64_t members_ = 0;
};

// The same team's rounds beside those of another.
struct Duel {
    std::vector<double> us, other_us, rate_ratios;

    void add(const Tallies& team, const Tallies& other) {
        us.push_back(1e6 / team.rate());
        other_us.push_back(1e6 / other.rate());
        rate_ratios.push_back(team.rate() / other.rate());
    }
    [[nodiscard]] Row row(std::string_view work, Durability durability) const {
        return {.work = std::string(work),
                .keys = std::string(key_options().front().name),
                .backlog = backlog,
                .per_call = 1,
                .durability = std::string(name_of(durability)),
                .ratio = spread_of(rate_ratios),
                .us = spread_of(us).median,
                .floor_us = spread_of(other_us).median};
    }
};

// How a team's members shared, over the rounds.
struct Shares {
    std::vector<double> producers, consumers;
    double longest_ms = 0;

    void add(const Tallies& tallies) {
        producers.push_back(fairness(tallies.producers));
        consumers.push_back(fairness(tallies.consumers));
        longest_ms = std::max(longest_ms, tallies.longest_ms());
    }
    void tell(Row& row, const std::string& whose) const {
        row.more.emplace_back(whose + "producers_slowest_to_fastest", spread_of(producers).median);
        row.more.emplace_back(whose + "consumers_slowest_to_fastest", spread_of(consumers).median);
        row.more.emplace_back(whose + "longest_ms", longest_ms);
    }
};

}  // namespace

void run_threads(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    constexpr Durability durability = Durability::power_loss;
    constexpr std::array thread_counts{1, 16, 64};
    Ground ground(scope, files);
    std::map<int, Duel> duels;
    Duel mixed;
    for (std::size_t round = 0; round < scope.rounds.count; ++round) {
        std::map<int, Tallies> tallies;
        auto order = thread_counts;
        if (round % 2 == 1) std::reverse(order.begin(), order.end());
        for (const int count : order) tallies[count] = ground.threads(durability, count, 0);
        for (const int count : order) duels[count].add(tallies[count], tallies[1]);
        Tallies floor;
        if (round % 2 == 1) floor = ground.processes(false, durability);
        const Tallies team = ground.threads(durability, half_team, half_team);
        if (round % 2 == 0) floor = ground.processes(false, durability);
        mixed.add(team, floor);
    }
    for (const auto& [count, duel] : duels) {
        Row row = duel.row("threads", durability);
        row.note = "rate / one thread's";
        row.more = {{"producers", count}, {"consumers", 0}};
        sink(row);
    }
    Row row = mixed.row("threads", durability);
    row.note = "rate / the floor's in 8 processes";
    row.more = {{"producers", half_team}, {"consumers", half_team}};
    sink(row);
}

void run_processes(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    Ground ground(scope, files);
    for (const Durability durability : scope.durabilities) {
        Duel duel;
        // What taking turns costs: the same work by one process, that nobody disturbs.
        std::vector<double> to_one_process;
        Shares library_shares, floor_shares;
        for (std::size_t round = 0; round < scope.rounds.count; ++round) {
            Tallies floor;
            if (round % 2 == 1) floor = ground.processes(false, durability);
            const Tallies library = ground.processes(true, durability);
            if (round % 2 == 0) floor = ground.processes(false, durability);
            duel.add(library, floor);
            to_one_process.push_back(library.rate() / ground.threads(durability, 1, 1).rate());
            library_shares.add(library);
            floor_shares.add(floor);
        }
        Row row = duel.row("processes", durability);
        row.note = "rate / the floor's under SQLite's busy handler";
        row.more.emplace_back("rate_to_one_process", spread_of(to_one_process).median);
        library_shares.tell(row, "");
        floor_shares.tell(row, "floor_");
        sink(row);
    }
}

}  // namespace headpond::bench
