// What is measured: each work answers its rows, one by one as they are done.
#pragma once

#include "backlog_files.h"
#include "report.h"
#include "rounds.h"

#include <headpond/options.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <span>
#include <string_view>
#include <vector>

namespace headpond::bench {

struct Scope {
    std::vector<std::int64_t> backlogs;
    std::vector<Durability> durabilities;
    Rounds rounds;
    double team_seconds = 3;  // that threads and processes work in a round
    std::int64_t growth_backlog = 5'000'000;
    std::int64_t growth_calls = 400;  // a round
    std::uint64_t seed = 1;

    // Of a row's items, which differ from all others: some files keep keys unique.
    [[nodiscard]] std::uint64_t seed_of(std::string_view row) const {
        return seed ^ std::hash<std::string_view>{}(row);
    }
};

using Sink = std::function<void(Row)>;

struct Work {
    std::string_view name;
    std::string_view about;
    bool by_default;
    bool plotted;  // a curve over the backlogs
    void (*run)(const Scope&, const BacklogFiles&, const Sink&);
    void (*explain)(std::ostream&) = nullptr;  // below the rows, what they do not say
};
// In the order in which they run.
[[nodiscard]] std::span<const Work> works();

[[nodiscard]] std::string_view name_of(Durability durability);

// --- the works -----------------------------------------------------------------------------------

void run_enqueue(const Scope& scope, const BacklogFiles& files, const Sink& sink);
void run_cycle(const Scope& scope, const BacklogFiles& files, const Sink& sink);
void run_tracked(const Scope& scope, const BacklogFiles& files, const Sink& sink);
void run_checked(const Scope& scope, const BacklogFiles& files, const Sink& sink);
void run_single(const Scope& scope, const BacklogFiles& files, const Sink& sink);
void run_health(const Scope& scope, const BacklogFiles& files, const Sink& sink);
void run_lease(const Scope& scope, const BacklogFiles& files, const Sink& sink);
void run_threads(const Scope& scope, const BacklogFiles& files, const Sink& sink);
void run_processes(const Scope& scope, const BacklogFiles& files, const Sink& sink);
void run_growth(const Scope& scope, const BacklogFiles& files, const Sink& sink);
void run_peers(const Scope& scope, const BacklogFiles& files, const Sink& sink);

}  // namespace headpond::bench
