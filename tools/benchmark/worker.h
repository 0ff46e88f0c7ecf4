// What a child process does: calls for a time, or calls by number with what they cost.
#pragma once

#include "library_side.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace headpond::bench {

// One process of threads that make single calls on one file.
struct TeamMember {
    bool library = true;         // else the floor
    std::string peer;            // instead of either, the name of one whose server runs
    std::filesystem::path path;  // of a peer: its folder
    Durability durability = Durability::power_loss;
    int producers = 0;  // threads that enqueue one item after the other
    int consumers = 0;  // threads that lease one and ack it. Of the floor: one thread in all
    std::uint64_t seed = 0;
};

struct Tally {
    std::int64_t items = 0;  // done in time
    double longest_ms = 0;   // of one call
};
struct Tallies {
    std::vector<Tally> producers, consumers;
    double seconds = 0;

    [[nodiscard]] std::int64_t sum_in() const;
    [[nodiscard]] std::int64_t sum_out() const;
    // Items in and out, a second.
    [[nodiscard]] double rate() const;
    [[nodiscard]] double longest_ms() const;
};
// Slowest / fastest.
[[nodiscard]] double fairness(std::span<const Tally> tallies);

// Starts all, lets them go at the same instant, and gathers what they did in `seconds`.
[[nodiscard]] Tallies run_team(std::span<const TeamMember> team, double seconds);

// A process that works alone: cycles of 100 items.
struct CostTask {
    bool library = true;
    std::filesystem::path path;
    Durability durability = Durability::power_loss;
    std::string keys = "free";
    bool tracked = false;
    std::int64_t calls = 0;
    std::uint64_t seed = 0;
};
struct Cost {
    double us = 0;                        // an item, as the following
    double written_bytes = 0, syncs = 0;  // what SQLite asked the file system for
    double disk_bytes = 0;                // what the kernel counted; 0 where it does not tell
    double resident_mib = 0, resident_max_mib = 0;  // of the process
};
[[nodiscard]] Cost run_cost(const CostTask& task);

// In the child: does the task that one of the above wrote, and answers its exit code.
int run_worker(const std::string& task);

}  // namespace headpond::bench
