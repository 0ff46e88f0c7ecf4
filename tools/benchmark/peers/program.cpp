#include "program.h"

#include "../interrupts.h"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <grp.h>
#include <nlohmann/json.hpp>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <unistd.h>

namespace headpond::bench {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

[[noreturn]] void fail_start(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

void become_user(const std::string& name) {
    const passwd* user = ::getpwnam(name.c_str());
    if (user == nullptr) fail_start("no user " + name);
    if (::initgroups(name.c_str(), user->pw_gid) != 0 || ::setgid(user->pw_gid) != 0 ||
        ::setuid(user->pw_uid) != 0) {
        fail_start("cannot become user " + name);
    }
}

void write_output_to(const std::string& log) {
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0) fail_start(log);
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
}

std::string last_line(const fs::path& path) {
    std::ifstream file(path);
    std::string last;
    for (std::string line; std::getline(file, line);) {
        if (!line.empty()) last = line;
    }
    return last;
}

}  // namespace

Child run_program(const Program& program) {
    const json task{{"kind", "program"},
                    {"command", program.command},
                    {"user", program.user},
                    {"log", program.log.string()},
                    {"stop_signal", program.stop_signal},
                    {"parent", ::getpid()}};
    return Child(task.dump(), program.stop_signal);
}

void become_program(const std::string& task) {
    const json parsed = json::parse(task);
    const std::string user = parsed.at("user"), log = parsed.at("log");
    if (!log.empty()) write_output_to(log);
    if (!user.empty()) become_user(user);
    // A change of user would undo it.
    ::prctl(PR_SET_PDEATHSIG, parsed.at("stop_signal").get<int>());
    if (::getppid() != parsed.at("parent").get<pid_t>()) ::_exit(3);
    auto command = parsed.at("command").get<std::vector<std::string>>();
    std::vector<char*> arguments;
    for (std::string& one : command) arguments.push_back(one.data());
    arguments.push_back(nullptr);
    ::execv(arguments.front(), arguments.data());
    fail_start(command.front());
}

std::vector<fs::path> folders_in(const char* variable) {
    std::vector<fs::path> folders;
    const char* path = std::getenv(variable);
    std::string rest = path != nullptr ? path : "";
    while (!rest.empty()) {
        const std::size_t end = rest.find(':');
        folders.emplace_back(rest.substr(0, end));
        rest = end == std::string::npos ? "" : rest.substr(end + 1);
    }
    return folders;
}

std::string find_program(std::string_view name, const std::vector<fs::path>& more) {
    std::vector<fs::path> folders = folders_in("PATH");
    folders.insert(folders.end(), more.begin(), more.end());
    for (const fs::path& folder : folders) {
        const fs::path program = folder / name;
        if (::access(program.c_str(), X_OK) == 0) return program.string();
    }
    return {};
}

std::string socket_in(const fs::path& folder, std::string_view name) {
    std::string path = (folder / name).string();
    constexpr std::size_t length_max = sizeof(sockaddr_un::sun_path) - 1;
    if (path.size() > length_max) {
        throw std::runtime_error("the path of its socket has " + std::to_string(path.size()) +
                                 " bytes; allowed: at most " + std::to_string(length_max) +
                                 ", with a shorter --folder");
    }
    return path;
}

void wait_for_server(const std::function<bool()>& answers, const fs::path& log) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::seconds(10);
    while (!answers()) {
        stop_if_interrupted();
        if (Clock::now() > end) {
            throw std::runtime_error("its server does not answer; its last words: " +
                                     last_line(log));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

void fail_peer(const std::string& what) {
    stop_if_interrupted();
    throw std::runtime_error(what);
}

}  // namespace headpond::bench
