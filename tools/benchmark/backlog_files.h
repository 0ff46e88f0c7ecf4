// The files that are worked on: made once a run, and kept at their backlog by every work.
#pragma once

#include "library_side.h"

#include <headpond/item.h>

#include <cstdint>
#include <filesystem>

namespace headpond::bench {

// A folder of its own below `parent`, removed with everything in it at the end.
class Folder {
  public:
    explicit Folder(const std::filesystem::path& parent);
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder();

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  private:
    std::filesystem::path path_;
};

class BacklogFiles {
  public:
    BacklogFiles(std::filesystem::path folder, std::uint64_t seed)
        : folder_(std::move(folder)), seed_(seed) {}

    // Each answers the path of a closed file with `backlog` ready items; made where it is missing.
    [[nodiscard]] std::filesystem::path library(const KeyOption& keys, Tracking tracking,
                                                std::int64_t backlog) const;
    [[nodiscard]] std::filesystem::path floor(std::int64_t backlog) const;
    // The path of a file that a work makes for itself.
    [[nodiscard]] std::filesystem::path own(std::string_view name) const;

    // Writes what is dirty to the disk now, so that no timed section pays for what was before it.
    void settle() const;
    // Adds ready items, many a call.
    void fill(Side& side, Tracking tracking, std::int64_t count) const;

  private:
    std::filesystem::path folder_;
    std::uint64_t seed_;
};

}  // namespace headpond::bench
