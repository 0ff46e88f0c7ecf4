// What SQLite asks the file system for, counted in this process.
#pragma once

#include <cstdint>

namespace headpond::bench {

struct DiskCounts {
    std::int64_t bytes = 0;  // written
    std::int64_t syncs = 0;
};

// Becomes SQLite's default; before anything is opened. Throws std::runtime_error.
void register_counting_vfs();
[[nodiscard]] DiskCounts disk_counts() noexcept;

}  // namespace headpond::bench
