// The command line.
#pragma once

#include "works.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace headpond::bench {

// What was wrong and what is allowed, in one line.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Arguments {
    std::vector<const Work*> works;
    Scope scope;
    std::chrono::microseconds sync_delay{0};  // added to each sync
    std::filesystem::path folder = ".";
    std::string json;  // a path, - for standard output; empty: none
    std::string svg;   // a path; empty: none
};

// nullopt: --help was asked for and printed. Throws UsageError.
[[nodiscard]] std::optional<Arguments> read_arguments(int argc, const char* const* argv);

}  // namespace headpond::bench
