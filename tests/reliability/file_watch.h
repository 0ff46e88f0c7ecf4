// Looks at a queue's file from outside, every few milliseconds, for as long as others load it.
#pragma once

#include "support/child_process.h"
#include "support/raw_database.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <sstream>
#include <string>
#include <utility>

#include <poll.h>

namespace headpond::reliability {

using Deadline = std::chrono::steady_clock::time_point;
[[nodiscard]] inline bool passed(Deadline end) {
    return std::chrono::steady_clock::now() >= end;
}
// The time that slow work takes, or between two looks; nothing is waited for.
inline void spend(int milliseconds) {
    ::poll(nullptr, 0, milliseconds);
}

// Numbers as a line of a pipe, and back.
inline std::string to_line(std::initializer_list<std::int64_t> numbers) {
    std::ostringstream out;
    for (const std::int64_t number : numbers) out << number << ' ';
    return out.str();
}
// Throws where the line is something else: the words of a process that failed.
template <class... Numbers>
void from_line(const std::string& line, Numbers&... numbers) {
    std::istringstream in(line);
    if (!(in >> ... >> numbers)) {
        throw std::runtime_error(line.empty() ? "a process is gone" : line);
    }
}

// The largest of what was seen.
struct Seen {
    std::int64_t looks = 0, items = 0, bytes = 0, log_bytes = 0, db_bytes = 0;
};

// A process of its own. Fork it before this process opens anything with SQLite.
class FileWatch {
  public:
    // Looks at rows are reads, which keep a checkpoint from finishing; looks at sizes are not.
    enum class Look { rows, sizes };
    FileWatch(std::string path, Deadline end, Look look)
        : process_([path = std::move(path), end, look](const auto& parent) {
              parent.send(watch(path, end, look));
          }) {}
    // Blocks until the end.
    Seen seen() {
        Seen seen;
        from_line(process_.receive(), seen.looks, seen.items, seen.bytes, seen.log_bytes,
                  seen.db_bytes);
        return seen;
    }

  private:
    static std::string watch(const std::string& path, Deadline end, Look look) {
        test::RawDatabase file(path);
        Seen seen;
        for (; !passed(end); spend(3)) {
            std::int64_t items = 0;
            std::int64_t bytes = 0;
            if (look == Look::rows) {  // one statement is one read transaction
                from_line(file.text("SELECT count(*) || ' ' || coalesce(sum(length(payload)), 0) "
                                    "FROM items"),
                          items, bytes);
            }
            seen.looks += 1;
            seen.items = std::max(seen.items, items);
            seen.bytes = std::max(seen.bytes, bytes);
            seen.log_bytes = std::max(seen.log_bytes, size(path + "-wal"));
            seen.db_bytes = std::max(seen.db_bytes, size(path));
        }
        return to_line({seen.looks, seen.items, seen.bytes, seen.log_bytes, seen.db_bytes});
    }
    static std::int64_t size(const std::string& file) {
        return static_cast<std::int64_t>(std::filesystem::file_size(file));
    }

    test::ChildProcess process_;
};

}  // namespace headpond::reliability
