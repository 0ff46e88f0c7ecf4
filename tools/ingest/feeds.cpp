#include "feeds.h"

#include "../headpond/utf8.h"
#include "fetch/feed_request.h"

#include <filesystem>
#include <set>
#include <system_error>

#include <spdlog/spdlog.h>
#include <unistd.h>

namespace headpond::ingest {

void require_feeds(const IngestSettings& settings) {
    std::set<std::string> addresses;
    for (const std::string& feed : settings.feeds) {
        if (feed == "-") continue;
        const FeedSource source = feed_source(feed);
        if (!source.host.empty()) {
            if (addresses.insert(feed).second) continue;
            throw UsageError("the feed " + source.shown +
                             " is given more than once; allowed: once");
        }
        std::error_code error;
        if (!std::filesystem::exists(feed, error)) {
            throw UsageError("the feed '" + feed +
                             "' does not exist; allowed: an address, a readable file, or -");
        }
        if (settings.fetch.follow && !std::filesystem::is_regular_file(feed, error)) {
            throw UsageError("the feed '" + feed +
                             "' cannot be read again; allowed with --follow: an address, or a "
                             "regular file");
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
