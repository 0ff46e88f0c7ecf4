// What SQLite asks the file system for, counted in this process, and slowed where asked.
#pragma once

#include <chrono>
#include <cstdint>

namespace headpond::bench {

struct DiskCounts {
    std::int64_t bytes = 0;  // written
    std::int64_t syncs = 0;
};

// Becomes SQLite's default, once; before anything is opened. Each sync takes `sync_delay` longer
// than the disk needs, the library's and the floor's alike. Throws std::runtime_error.
void register_bench_vfs(std::chrono::microseconds sync_delay);
[[nodiscard]] std::chrono::microseconds sync_delay() noexcept;
[[nodiscard]] DiskCounts disk_counts() noexcept;

}  // namespace headpond::bench
