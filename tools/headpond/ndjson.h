// Lines of JSON objects: items to enqueue, results to settle with.
#pragma once

#include <headpond/batch.h>
#include <headpond/item.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace headpond::cli {

// What is wrong with a line; the caller adds its number.
class LineError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// An item that owns its strings.
struct LineItem {
    std::string key;
    std::string tag;
    std::string payload;
    Tracking tracking = Tracking::untracked;
    std::optional<WallTime> published_at;

    // Borrows from this.
    [[nodiscard]] NewItem view() const;
};

// {key, tag, payload | payload_base64, track, published_at}: key is required, a missing payload is
// empty, null counts as missing save for the payload, of a field given twice the last counts. Other
// fields, nested values and wrong types are errors. Throws LineError.
[[nodiscard]] LineItem parse_item(std::string_view line);

// {id | key, result | result_base64 | reject}; adds it to what was acked or rejected. Throws
// LineError.
void parse_verdict(std::string_view line, Settlement& settlement);

// Nothing but blanks.
[[nodiscard]] bool blank(std::string_view line);

}  // namespace headpond::cli
