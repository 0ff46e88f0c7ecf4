#include "feeds.h"

#include "../headpond/utf8.h"

#include <filesystem>
#include <system_error>

#include <spdlog/spdlog.h>
#include <unistd.h>

namespace headpond::ingest {

void require_feeds(const IngestSettings& settings) {
    for (const std::string& feed : settings.feeds) {
        if (feed == "-") continue;
        if (feed.starts_with("http://") || feed.starts_with("https://")) {
            throw UsageError("the feed " + feed + " is an address; allowed: a file, or -");
        }
        std::error_code error;
        if (!std::filesystem::exists(feed, error)) {
            throw UsageError("the feed '" + feed +
                             "' does not exist; allowed: a readable file, or -");
        }
    }
}

std::optional<Feed> read_feed(const std::string& name, const std::stop_token& stop) {
    const bool input = name == "-";
    const std::string shown = input ? "standard input" : name;
    const auto bytes = input ? read_bounded(STDIN_FILENO, shown, stop) : read_file(name, stop);
    if (!bytes) return std::nullopt;
    Feed feed = parse_feed(*bytes, {.file_name = shown});
    for (const std::string& warning : feed.warnings) spdlog::warn("{}", cli::one_line(warning));
    return feed;
}

}  // namespace headpond::ingest
