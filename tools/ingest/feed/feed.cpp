#include "feed/feed.h"

#include "feed/charset.h"
#include "feed/fold.h"
#include "feed/item.h"

#include <unordered_set>
#include <utility>

namespace headpond::ingest {
namespace {

// The last part of a path or address, without its ending.
std::string stem_of(std::string_view path) {
    path = path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0
    const auto dot = path.find_last_of('.');
    return fold(dot == path.npos || dot == 0 ? path : path.substr(0, dot), source_bytes_max);
}

std::string source_of(const FeedHints& hints, std::string_view title) {
    for (std::string tag : {fold(hints.source_tag, source_bytes_max), fold(title, source_bytes_max),
                            stem_of(hints.file_name)}) {
        if (!tag.empty()) return tag;
    }
    return "feed";
}

std::string name_for_errors(const FeedHints& hints) {
    if (!hints.file_name.empty()) return hints.file_name;
    return hints.source_tag.empty() ? "feed" : hints.source_tag;
}

// Adds warnings up to the limit, then only counts.
class Warnings {
  public:
    explicit Warnings(std::string source) : source_(std::move(source)) {}

    void add(std::string_view what) {
        if (lines_.size() < warnings_max) {
            lines_.push_back(source_ + ": " + fold(what, line_bytes_max));
        } else {
            ++more_;
        }
    }

    void add(std::size_t item, std::string_view what) {
        add("item " + std::to_string(item) + ": " + std::string(what));
    }

    std::vector<std::string> finish() {
        if (more_ > 0) {
            lines_.push_back(source_ + ": and " + std::to_string(more_) + " more warning(s)");
        }
        return std::move(lines_);
    }

  private:
    static constexpr std::size_t line_bytes_max = 500;

    std::string source_;
    std::vector<std::string> lines_;
    std::size_t more_ = 0;
};

void read_items(const FeedDocument& document, const std::string& source, Feed& feed,
                Warnings& warnings) {
    std::unordered_set<std::string> seen;
    std::size_t index = 0;
    for (const pugi::xml_node item : document.items) {
        ++index;
        std::vector<std::string> problems;
        auto alert = read_item(item, document.scope_of(item), document.kind, source, problems);
        for (const std::string& problem : problems) warnings.add(index, problem);
        if (!alert) {
            warnings.add(index, "has no text: skipped");
        } else if (!seen.insert(alert->uuid).second) {
            warnings.add(index, "repeats the title and link of an earlier item: skipped");
        } else {
            feed.alerts.push_back(std::move(*alert));
        }
    }
}

}  // namespace

Feed parse_feed(std::string_view bytes, const FeedHints& hints) {
    const std::string name = name_for_errors(hints);
    if (bytes.size() > hints.body_bytes_max) {
        throw FeedError(for_message(name) + ": holds " + std::to_string(bytes.size()) +
                        " bytes; allowed are " + std::to_string(hints.body_bytes_max));
    }
    const Decoded decoded = decode_feed(bytes, hints.content_type);
    FeedDocument document;
    parse_document(decoded.text, name, document);

    Feed feed;
    feed.kind = document.kind;
    feed.whole = document.whole;
    feed.title = feed_title(document);
    const std::string source = source_of(hints, feed.title);
    Warnings warnings(source);
    for (const std::string& warning : decoded.warnings) warnings.add(warning);
    for (const std::string& warning : document.warnings) warnings.add(warning);
    read_items(document, source, feed, warnings);
    feed.warnings = warnings.finish();
    return feed;
}

}  // namespace headpond::ingest
