// The process and the machine: names for people, and a mark that fork changes.
#pragma once

#include <cstdint>
#include <string>

namespace headpond::platform {

// program[pid]@host
[[nodiscard]] std::string process_label();
// Grows in a forked child: who remembers another value belongs to the parent.
[[nodiscard]] std::uint64_t fork_generation() noexcept;

}  // namespace headpond::platform
