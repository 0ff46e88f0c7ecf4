// Reading a feed's bytes from a file, a pipe or a stream, never more than a limit.
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <string_view>

namespace headpond::ingest {

/// The default limit of a feed's body.
inline constexpr std::size_t body_bytes_max_default = std::size_t{64} << 20;

/// Reads the stream to its end. Throws FeedError, naming `name`, when it holds more than
/// `bytes_max` bytes (having read one byte more than that) or cannot be read.
std::string read_bounded(std::istream& stream, std::string_view name,
                         std::size_t bytes_max = body_bytes_max_default);

/// The same of an open descriptor (standard input, a pipe), which stays open. The error names what
/// the operating system said.
std::string read_bounded(int descriptor, std::string_view name,
                         std::size_t bytes_max = body_bytes_max_default);

/// The same of a file by its path; a missing file, one without permission and a directory are a
/// FeedError with the operating system's words.
std::string read_file(const std::string& path, std::size_t bytes_max = body_bytes_max_default);

}  // namespace headpond::ingest
