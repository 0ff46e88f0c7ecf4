// Queue files in memory for the fuzz targets.
#pragma once

#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <headpond/admin.h>
#include <headpond/queue.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace headpond::fuzz {

// On tmpfs where there is one; removed at the end of the process. One for all inputs: clear() makes
// it new.
class Folder : public test::TempDir {
  public:
    Folder() : TempDir(test::memory_folder()) {}
    void clear() const;
};

// The bytes of a queue that is closed.
struct QueueFile {
    std::string database;
    std::string log;  // its -wal; empty: none

    void store(const std::filesystem::path& path) const;
};

// A queue that saw some life: ready, waiting and leased items, dead letters, outcomes, a guest
// table `canary` with one row. `in_log`: what happened is still in the -wal.
[[nodiscard]] QueueFile lived_queue(const Folder& folder, bool in_log);

// A queue that was made and closed, with its -wal.
[[nodiscard]] QueueFile new_queue(const Folder& folder);

// Small limits, no sync, no log, a clock and chance that are the same in each run.
[[nodiscard]] Options small_options(const std::filesystem::path& path);

[[nodiscard]] std::string bytes_of(const std::filesystem::path& path);
void write_bytes(const std::filesystem::path& path, std::string_view bytes);

// An Error is one line of text without control characters; anything else is a finding.
void require_one_line(std::string_view line);

}  // namespace headpond::fuzz
