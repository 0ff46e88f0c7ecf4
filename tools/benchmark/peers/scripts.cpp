// Peers of Python and Node: a driver script each, which measures itself.
#include "peer.h"
#include "program.h"

#include <cstdlib>
#include <stdexcept>
#include <utility>
#include <vector>

namespace headpond::bench {

namespace fs = std::filesystem;

namespace {

const fs::path scripts = HEADPOND_PEER_SCRIPTS;
constexpr const char* python = "/usr/bin/python3";  // the one that Debian's packages are for

class ScriptContestant : public Contestant {
  public:
    explicit ScriptContestant(std::vector<std::string> command)
        : child_(run_program({.command = std::move(command)})) {
        (void)child_.read_line();  // it is ready
    }

    void fill(std::size_t count) override { (void)ask("fill " + std::to_string(count)); }
    double cycles(std::size_t calls, std::size_t per_call) override {
        return ask("cycles " + std::to_string(calls) + " " + std::to_string(per_call));
    }

  private:
    double ask(const std::string& what) {
        child_.write_line(what);
        return std::stod(child_.read_line());
    }

    Child child_;
};

std::string synchronous(Durability durability) {
    return durability == Durability::power_loss ? "FULL" : "NORMAL";
}

// What tools/setup installs, and what NODE_PATH names.
fs::path modules_with(const std::string& package) {
    std::vector<fs::path> folders = folders_in("NODE_PATH");
    folders.insert(folders.begin(), HEADPOND_PEER_MODULES);
    for (const fs::path& folder : folders) {
        if (fs::exists(folder / package / "package.json") &&
            fs::exists(folder / "better-sqlite3")) {
            return folder;
        }
    }
    return {};
}

std::string node_missing(const std::string& package) {
    if (find_program("node").empty()) {
        return "node is not installed; apt-get install nodejs npm, then tools/setup peers";
    }
    if (!modules_with(package).empty()) return {};
    return package + " is not installed; tools/setup peers, with npm";
}

std::unique_ptr<Contestant> start_node(const std::string& package, const PeerTask& task) {
    return std::make_unique<ScriptContestant>(std::vector<std::string>{
        find_program("node"), (scripts / "node_queues.mjs").string(),
        modules_with(package).string(), package, (task.folder / "queue.db").string(),
        synchronous(task.durability)});
}

std::unique_ptr<Contestant> start_python(const std::string& kind, const PeerTask& task) {
    return std::make_unique<ScriptContestant>(
        std::vector<std::string>{python, (scripts / "persist_queue.py").string(), kind,
                                 task.folder.string(), synchronous(task.durability)});
}

}  // namespace

std::string persist_queue_missing() {
    constexpr const char* look =
        "import importlib.util, sys; sys.exit(importlib.util.find_spec('persistqueue') is None)";
    if (fs::exists(python) && run_program({.command = {python, "-c", look}}).succeeded()) return {};
    return "persist-queue is not installed; apt-get install python3-persist-queue";
}
std::unique_ptr<Contestant> start_persist_queue_fifo(const PeerTask& task) {
    return start_python("fifo", task);
}
std::unique_ptr<Contestant> start_persist_queue_ack(const PeerTask& task) {
    return start_python("ack", task);
}
std::string plainjob_missing() {
    return node_missing("plainjob");
}
std::unique_ptr<Contestant> start_plainjob(const PeerTask& task) {
    return start_node("plainjob", task);
}
std::string liteque_missing() {
    return node_missing("liteque");
}
std::unique_ptr<Contestant> start_liteque(const PeerTask& task) {
    return start_node("liteque", task);
}

}  // namespace headpond::bench
