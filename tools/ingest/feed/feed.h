// The feed parser: RSS 0.9x and 2.0, Atom 1.0 (and 0.3), RDF (RSS 1.0 and 0.90).
#pragma once

#include "feed/alert.h"
#include "feed/bounded_read.h"
#include "feed/feed_document.h"
#include "feed/feed_error.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::ingest {

/// Limits in bytes; longer titles and summaries are cut at a character and end in an ellipsis.
inline constexpr std::size_t title_bytes_max = 1'000;
inline constexpr std::size_t summary_bytes_max = 4'000;
/// A longer link is no link: cut, it would lead elsewhere.
inline constexpr std::size_t link_bytes_max = 2'048;
inline constexpr std::size_t source_bytes_max = 64;
/// Warnings kept of one feed; one more line then counts the rest.
inline constexpr std::size_t warnings_max = 100;

/// What is known of a feed besides its bytes.
struct FeedHints {
    std::string source_tag;    ///< empty: the feed's title, else the file's name, else "feed"
    std::string file_name;     ///< path or address, for messages and as above
    std::string content_type;  ///< the HTTP header's value, for its charset; may be empty
    std::size_t body_bytes_max = body_bytes_max_default;
};

/// A feed that was read. A plain value.
struct Feed {
    std::string title;  ///< of the feed, may be empty
    FeedKind kind = FeedKind::rss;
    std::vector<Alert> alerts;
    bool whole = true;  ///< false: malformed or cut off, and there may have been more
    /// One line each, `<source>: item <n>: <what>` (n counts from 1) or `<source>: <what>`.
    std::vector<std::string> warnings;
};

/// Reads a feed. Pure: the same bytes and hints give the same result. Safe to call from several
/// threads at once.
///
/// Items without title take the head of their summary for it; one without any text is skipped with
/// a warning, and so is one whose uuid (source, title and link) an earlier item has. A date or
/// position that cannot be read is a warning and absent. Bytes or XML that are partly broken give a
/// warning and what can be read. Throws FeedError when nothing can: more than body_bytes_max bytes,
/// HTML, JSON, text, another XML, broken XML without one whole item, or millions of empty tags.
/// Memory: about 6 times the body for real feeds; at worst some 1.1 GiB under the default limit.
Feed parse_feed(std::string_view bytes, const FeedHints& hints);

}  // namespace headpond::ingest
