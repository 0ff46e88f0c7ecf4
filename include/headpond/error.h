// Failures. Everyday outcomes (full, duplicate, fenced, nothing to lease) are values, not errors.
#pragma once

#include <headpond/export.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace headpond {

enum class ErrorCode {
    busy,             // the write lock was not free before the deadline; nothing happened
    disk_full,        // no space left; nothing happened
    io,               // the operating system refused a read, a write or an open; nothing happened
    outcome_unknown,  // a sync failed: the change may or may not be on the disk. Reopen the queue
    corrupt,          // the file is damaged
    not_a_queue,      // the file is something else
    schema_newer,     // the file belongs to a newer release that this one may not write
    schema_older,     // the file needs `migrate` first (by option: libraries migrate at open)
    misuse,           // an argument, a setting or a call that can't be right; what() names it
    closed,           // the queue was closed, or belongs to the parent of this forked process
    unsupported,      // not possible with this file's options or on this file system
};

// The word for a code, as in "disk_full".
[[nodiscard]] HEADPOND_API std::string_view to_string(ErrorCode code) noexcept;

// what() is one line: the operation, the file, what was wrong and what is allowed.
class HEADPOND_API Error : public std::runtime_error {
  public:
    // `operation` is the word for the call ("enqueue"), `path` the database file (may be empty).
    Error(ErrorCode code, std::string_view operation, std::string_view path,
          std::string_view message, int sqlite_code = 0);

    [[nodiscard]] ErrorCode code() const noexcept { return code_; }
    [[nodiscard]] const std::string& operation() const noexcept { return operation_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    // The message alone, without operation and path.
    [[nodiscard]] const std::string& message() const noexcept { return message_; }
    // SQLite's extended result code, 0 where SQLite was not asked.
    [[nodiscard]] int sqlite_code() const noexcept { return sqlite_code_; }

  private:
    ErrorCode code_;
    std::string operation_;
    std::string path_;
    std::string message_;
    int sqlite_code_;
};

}  // namespace headpond
