// The one exception of the feed parser.
#pragma once

#include <stdexcept>

namespace headpond::ingest {

/// A feed of which nothing can be used: unreadable, too large, or not a feed. what() is one line
/// without control characters that names the feed, what was found and what is allowed.
class FeedError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace headpond::ingest
