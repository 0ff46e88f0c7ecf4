// Reading a feed's bytes from a file, a pipe or a stream, never more than a limit.
#pragma once

#include <cstddef>
#include <istream>
#include <optional>
#include <stop_token>
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
/// the operating system said. nullopt: `stop` was asked for before the end; a wait ends at once.
std::optional<std::string> read_bounded(int descriptor, std::string_view name,
                                        const std::stop_token& stop,
                                        std::size_t bytes_max = body_bytes_max_default);
/// The same without an end before the end.
std::string read_bounded(int descriptor, std::string_view name,
                         std::size_t bytes_max = body_bytes_max_default);

/// The same of a file or a named pipe by its path; a missing file, one without permission and a
/// directory are a FeedError with the operating system's words.
std::optional<std::string> read_file(const std::string& path, const std::stop_token& stop,
                                     std::size_t bytes_max = body_bytes_max_default);
std::string read_file(const std::string& path, std::size_t bytes_max = body_bytes_max_default);

}  // namespace headpond::ingest
