// Other programs as children: they end with this one, however it ends.
#pragma once

#include "../child.h"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <signal.h>

namespace headpond::bench {

struct Program {
    std::vector<std::string> command;  // the first is a path
    std::string user;                  // that it runs as; empty: ours
    std::filesystem::path log;         // takes its output; empty: the output is read
    int stop_signal = SIGKILL;         // ends it; sent to it too when this program dies
};

// Throws std::runtime_error.
[[nodiscard]] Child run_program(const Program& program);
// In the child: does what run_program() asked for. Throws std::runtime_error where it cannot.
[[noreturn]] void become_program(const std::string& task);

// The folders that a variable of the environment names, between colons.
[[nodiscard]] std::vector<std::filesystem::path> folders_in(const char* variable);
// A path from PATH, or from the further folders; empty where there is none.
[[nodiscard]] std::string find_program(std::string_view name,
                                       const std::vector<std::filesystem::path>& more = {});

// In the folder of a server. Throws std::runtime_error where the path is too long for a socket.
[[nodiscard]] std::string socket_in(const std::filesystem::path& folder,
                                    std::string_view name = "socket");

// Waits until `answers` is true, for ten seconds at most. Throws std::runtime_error with the last
// line of the log, and Interrupted.
void wait_for_server(const std::function<bool()>& answers, const std::filesystem::path& log);

// For an error of a connection: an interrupt ends the servers too, and is what then has happened.
[[noreturn]] void fail_peer(const std::string& what);

}  // namespace headpond::bench
