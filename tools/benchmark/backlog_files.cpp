#include "backlog_files.h"

#include "floor_side.h"
#include "interrupts.h"
#include "material.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

namespace headpond::bench {

namespace fs = std::filesystem;

Folder::Folder(const fs::path& parent) {
    std::string name = (fs::absolute(parent) / "headpond-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("no folder can be made in " + parent.string() +
                                 "; allowed: a folder that this user may write");
    }
    path_ = name;
}

Folder::~Folder() {
    std::error_code ignored;  // what cannot be removed is left
    fs::remove_all(path_, ignored);
}

void BacklogFiles::fill(Side& side, Tracking tracking, std::int64_t count) const {
    Material material(seed_);
    while (count > 0) {
        stop_if_interrupted();
        const auto part = std::min<std::int64_t>(count, lease_items_max);
        side.enqueue(material.make(static_cast<std::size_t>(part), tracking));
        count -= part;
    }
}

fs::path BacklogFiles::library(const KeyOption& keys, Tracking tracking,
                               std::int64_t backlog) const {
    const bool tracked = tracking == Tracking::tracked;
    const fs::path path = folder_ / ("library-" + std::string(keys.name) +
                                     (tracked ? "-tracked-" : "-") + std::to_string(backlog));
    if (fs::exists(path)) return path;
    {
        LibrarySide side(path, Durability::process_crash, keys);
        fill(side, tracking, backlog);
    }
    settle();
    return path;
}

fs::path BacklogFiles::floor(std::int64_t backlog) const {
    const fs::path path = folder_ / ("floor-" + std::to_string(backlog));
    if (fs::exists(path)) return path;
    {
        FloorSide side(path, Durability::process_crash);
        fill(side, Tracking::untracked, backlog);
    }
    settle();
    return path;
}

fs::path BacklogFiles::own(std::string_view name) const {
    return folder_ / name;
}

void BacklogFiles::settle() const {
    const int descriptor = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    ::syncfs(descriptor);
    ::close(descriptor);
}

}  // namespace headpond::bench
