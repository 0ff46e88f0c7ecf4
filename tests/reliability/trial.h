// One run of the workload with something going wrong on its way, and the verdict on what is left.
#pragma once

#include "reliability/oracle.h"
#include "reliability/workload.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace headpond::reliability {

struct Trial {
    std::filesystem::path folder;  // emptied first
    // Files to begin with; empty: none, so that the workload creates the queue.
    std::filesystem::path image = {};
    Durability durability = Durability::power_loss;
    std::uint64_t seed = 1;
    int rounds = 6;
    std::function<void(bool)> inside = {};  // as Workload's
    [[nodiscard]] std::filesystem::path database() const { return folder / "queue.db"; }
    [[nodiscard]] std::filesystem::path history() const { return folder / "history"; }
};

// Empties `to`, and copies a queue's database and log there.
void copy_image(const std::filesystem::path& from, const std::filesystem::path& to);
// Runs the workload in this process; answers the history.
std::string run_here(const Trial& trial);
// Runs it in a forked child, after `arm` there, with the history in a file; answers the signal that
// ended the child, 0 for an end of its own. No queue may be open in this process.
int run_in_child(const Trial& trial, const std::function<void()>& arm);
// As in the child, for a trial whose folder is ready: fn alone.
int run_child(const std::function<void()>& fn);

// What is wrong with the file after the trial: the oracle's violations and the broken invariants.
// Counts what was recovered. A file and a history that were judged and found well before are not
// judged again (most faults of a sweep leave one of a few). No queue may be open in this process.
struct Aftermath {
    std::vector<std::string> violations;
    std::int64_t recovered = 0;
};
[[nodiscard]] Aftermath judge_trial(const Trial& trial, const std::string& history);
[[nodiscard]] std::string read_text(const std::filesystem::path& file);

}  // namespace headpond::reliability
