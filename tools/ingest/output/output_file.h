// A file that is replaced in one step.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>

namespace headpond::ingest {

// Where a path leads: a link keeps its place, also one to what is yet to come.
[[nodiscard]] std::filesystem::path target_of(const std::string& path);
// Written first, and renamed when it is whole.
[[nodiscard]] std::filesystem::path beside(const std::filesystem::path& target);
// A pipe or a device is written to, and never replaced by a file.
[[nodiscard]] bool written_in_place(const std::filesystem::file_status& status);

// Whoever reads the file meets the old one or the whole new one, whatever ends this process: what
// fn writes goes into a file beside it, is synced and renamed. Throws what fn throws, and
// std::runtime_error that says why, without the path; the old file then stays.
void replace_file(const std::string& path, const std::function<void(std::ostream&)>& fn);

}  // namespace headpond::ingest
