// A feed asked once: an address by a conditional GET, or a file.
#pragma once

#include "fetch/feeds_table.h"
#include "settings.h"

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>

namespace headpond::ingest {

// A feed as it was named.
struct FeedSource {
    std::string name;   // the address as it is asked, or the path
    std::string shown;  // for messages: an address without its query
    std::string host;   // of an address, as host_of(); empty: a file
};

// Throws UsageError where it is an address that cannot be asked, or that carries a password, which
// the message does not repeat.
[[nodiscard]] FeedSource feed_source(const std::string& name);

// What came of it. Without an error there is a body, or not_modified.
struct FeedAnswer {
    std::size_t feed = 0;  // which it was, filled by whoever asks many
    int status = 0;        // of HTTP; 0: no whole answer came, or it is a file
    bool not_modified = false;
    std::string body;
    std::string content_type;
    Validators validators;  // of the body
    std::string error;      // one line without the feed's name
    std::optional<Ms> retry_after;
    WallTime at;
};

// nullopt: `stop` was asked for. Safe from several threads.
[[nodiscard]] std::optional<FeedAnswer> ask_feed(const FeedSource& source,
                                                 const Validators& validators,
                                                 const FetchSettings& settings, const Clock& clock,
                                                 const std::stop_token& stop);

}  // namespace headpond::ingest
