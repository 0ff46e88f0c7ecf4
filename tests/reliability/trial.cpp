#include "reliability/trial.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <unordered_set>

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

namespace headpond::reliability {

namespace {

void empty(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::filesystem::remove_all(entry);
    }
}

void make_ready(const Trial& trial) {
    if (trial.image.empty()) {
        empty(trial.folder);
    } else {
        copy_image(trial.image, trial.folder);
    }
}

void run_workload(const Trial& trial, History& history) {
    // The salts of a log are random: the same run again gives the same bytes.
    static const int saved = sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SAVE);
    (void)saved;
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_RESTORE);
    Workload::Order order{.path = trial.database(),
                          .durability = trial.durability,
                          .seed = trial.seed,
                          .rounds = trial.rounds};
    order.inside = trial.inside;
    Workload(order, history).run();
}

}  // namespace

void copy_image(const std::filesystem::path& from, const std::filesystem::path& to) {
    empty(to);
    for (const char* name : {"queue.db", "queue.db-wal"}) {
        if (std::filesystem::exists(from / name)) {
            std::filesystem::copy_file(from / name, to / name);
        }
    }
}

std::string run_here(const Trial& trial) {
    make_ready(trial);
    History history;
    run_workload(trial, history);
    return history.text();
}

int run_in_child(const Trial& trial, const std::function<void()>& arm) {
    make_ready(trial);
    return run_child([&] {
        History history(trial.history());
        arm();
        run_workload(trial, history);
    });
}

int run_child(const std::function<void()>& fn) {
    const pid_t child = fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) {
        try {
            fn();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
            std::abort();
        }
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

namespace {

// Without the times, which differ from run to run.
std::string untimed(const std::string& history) {
    std::string words;
    std::istringstream lines(history);
    for (std::string line; std::getline(lines, line);)
        words += line.substr(line.find(' ') + 1) + '\n';
    return words;
}

std::size_t identity(const Trial& trial, const std::string& history) {
    std::size_t sum = 1;
    for (const std::string& bytes : {untimed(history), read_text(trial.database()),
                                     read_text(trial.database().string() + "-wal")}) {
        sum = std::hash<std::string>{}(bytes) + sum * 0x9e3779b97f4a7c15ULL;
    }
    return sum;
}

}  // namespace

Aftermath judge_trial(const Trial& trial, const std::string& history) {
    static std::unordered_set<std::size_t> found_well;
    const std::size_t known = identity(trial, history);
    if (found_well.contains(known)) return {};
    Aftermath aftermath;
    // The invariants first: a file whose creation was cut short is finished by opening it.
    aftermath.violations = broken_invariants(trial.database(), Workload::items_highest);
    Oracle oracle;
    oracle.add(history);
    try {
        const auto verdict = oracle.judge(trial.database());
        aftermath.recovered = verdict.recovered;
        aftermath.violations.insert(aftermath.violations.end(), verdict.violations.begin(),
                                    verdict.violations.end());
    } catch (const std::exception& error) {
        aftermath.violations.push_back(std::string("judging: ") + error.what());
    }
    if (aftermath.violations.empty()) found_well.insert(known);
    return aftermath;
}

std::string read_text(const std::filesystem::path& file) {
    std::error_code missing;
    const auto bytes = std::filesystem::file_size(file, missing);
    if (missing) return {};
    std::string text(bytes, '\0');
    std::ifstream in(file, std::ios::binary);
    in.rdbuf()->pubsetbuf(nullptr, 0);  // the files are large: one read, no copy
    in.read(text.data(), static_cast<std::streamsize>(bytes));
    return text;
}

}  // namespace headpond::reliability
