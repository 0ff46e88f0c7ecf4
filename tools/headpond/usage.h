// What all programs answer to a command line that was not understood.
#pragma once

#include <optional>
#include <string>

namespace headpond::cli {

// A flag was given a value: the parser's complaint, which shows neither dashes nor what is allowed,
// as a line of ours.
[[nodiscard]] std::optional<std::string> flag_with_value(const std::string& complaint);

// Any complaint of a program without subcommands, as one line: what was wrong, what is allowed.
[[nodiscard]] std::string usage_line(std::string complaint);

}  // namespace headpond::cli
