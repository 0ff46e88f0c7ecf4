// A gate of the reliability suite: one promise, tried on real files and real processes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::reliability {

// What a run is given.
struct GateRun {
    std::uint64_t seed = 0;
    std::int64_t amount = 0;       // how much to do, in the gate's own unit
    std::filesystem::path disk;    // an empty folder of its own on a real disk
    std::filesystem::path memory;  // the same on a tmpfs, where a sync costs nothing

    // Random, and the same again for the same seed; `stream` keeps a gate's uses apart.
    [[nodiscard]] std::mt19937_64 random(std::uint64_t stream = 0) const {
        return std::mt19937_64(seed * 0x9e3779b97f4a7c15ULL + stream);
    }
};

// What it found.
struct GateReport {
    std::string reached;                  // the figure, e.g. "31204 states, 0 violations"
    bool enough = true;                   // the promised figure was reached
    std::vector<std::string> violations;  // one line each; a gate may stop at the first few

    void violation(std::string line) { violations.push_back(std::move(line)); }
};

struct Gate {
    std::string_view name;      // as in the suite's table
    std::string_view promised;  // the figure to reach, as text
    std::int64_t amount;        // what CI runs; enough for the promise
    std::string_view unit;      // of `amount`
    GateReport (*run)(const GateRun&);
};

// A file-scope object of a gate's source file.
struct Registered {
    explicit Registered(const Gate& gate);
};
[[nodiscard]] const std::vector<Gate>& gates();

}  // namespace headpond::reliability
