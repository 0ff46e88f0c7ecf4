#include "feed/feed_document.h"

#include "feed/feed_error.h"
#include "feed/fold.h"

#include <algorithm>
#include <optional>

namespace headpond::ingest {
namespace {

constexpr std::string_view feeds_allowed = "allowed: RSS 0.9x or 2.0, Atom 1.0, RDF (RSS 1.0)";
constexpr std::string_view blanks = " \t\r\n";
// White space between two inline elements separates words, so it is kept.
constexpr unsigned parse_flags = pugi::parse_default | pugi::parse_ws_pcdata;

// A tree costs about 64 bytes an element or attribute, however short they are: a body of nothing
// but these would take 25 times its size. News have ten times fewer.
constexpr std::ptrdiff_t markup_max = 6'000'000;

std::string in_lower_case(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

// What a text that is no feed is, for the error.
std::string description_of(std::string_view text, pugi::xml_node root) {
    const auto start = text.find_first_not_of(blanks);
    if (start == text.npos) return "an empty document";
    text.remove_prefix(start);
    const std::string head = in_lower_case(text.substr(0, 200));
    const std::string root_name = in_lower_case(root.name());
    if (head.starts_with("<!doctype html") || root_name == "html") return "an HTML page";
    if (text.front() == '{' || text.front() == '[') return "JSON";
    if (head.starts_with("\x1f")) return "compressed data";
    const auto controls = std::count_if(head.begin(), head.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && blanks.find(c) == blanks.npos;
    });
    if (controls > 0) return "binary data";
    if (root && text.front() == '<') return "XML with the root <" + for_message(root.name()) + ">";
    if (text.front() == '<') return "broken XML";
    return "plain text ('" + fold(text.substr(0, 200), 40) + "')";
}

[[noreturn]] void fail(std::string_view name, const std::string& found) {
    throw FeedError(for_message(name) + ": not a feed: found " + found + "; " +
                    std::string(feeds_allowed));
}

// The name of the first entity in a DOCTYPE whose text names another, as a "billion laughs" is made
// of; empty: there is none. `prolog` is all before the root.
std::string nested_entity(std::string_view prolog) {
    constexpr std::string_view declaration = "<!ENTITY";
    for (auto at = prolog.find(declaration); at != prolog.npos;
         at = prolog.find(declaration, at + declaration.size())) {
        const auto open = prolog.find_first_of("\"'>", at);
        if (open == prolog.npos || prolog[open] == '>') continue;
        const auto close = prolog.find(prolog[open], open + 1);
        const std::string_view value = prolog.substr(open + 1, close - open - 1);
        for (auto mark = value.find_first_of("&%"); mark != value.npos;
             mark = value.find_first_of("&%", mark + 1)) {
            const bool number = value[mark] == '&' && value.substr(mark + 1).starts_with('#');
            if (number) continue;
            return std::string(
                prolog.substr(at + declaration.size(), open - at - declaration.size()));
        }
    }
    return {};
}

pugi::xml_node first_element(pugi::xml_node parent) {
    return parent.find_child([](pugi::xml_node node) { return node.type() == pugi::node_element; });
}

std::optional<FeedKind> kind_of(std::string_view root) {
    if (root == "rss" || root == "channel") return FeedKind::rss;
    if (root == "feed") return FeedKind::atom;
    if (root == "RDF") return FeedKind::rdf;
    return std::nullopt;
}

// RDF keeps its items beside the channel, RSS inside; some feeds mix this up.
void collect_items(FeedDocument& document, pugi::xml_node root) {
    const std::string_view item = document.kind == FeedKind::atom ? "entry" : "item";
    for (const pugi::xml_node node : root.children()) {
        const Name name = name_in(*document.root_scope, node);
        if (name.local == item) document.items.push_back(node);
        if (name.local != "channel" || document.kind == FeedKind::atom) continue;
        if (document.channel && document.channel != root) continue;
        document.channel = node;
        document.channel_scope = std::make_unique<Scope>(document.root_scope.get(), node);
        for (const pugi::xml_node inner : node.children()) {
            if (name_in(*document.channel_scope, inner).local == item) {
                document.items.push_back(inner);
            }
        }
    }
}

// After a break only the last item can be open. It is whole if its end tag stands before the break.
bool is_whole(pugi::xml_node item, const std::string& text, std::size_t break_at) {
    const auto start = static_cast<std::size_t>(item.offset_debug());
    const std::string end_tag = "</" + std::string(item.name());
    const auto end = text.find(end_tag, start);
    return end != text.npos && end + end_tag.size() <= break_at;
}

std::string default_item_name(pugi::xml_node root, FeedKind kind) {
    const std::string_view name = root.name();
    const auto colon = name.find(':');
    if (kind == FeedKind::atom) {
        return std::string(colon == name.npos ? "" : name.substr(0, colon + 1)) + "entry";
    }
    return "item";
}

// The start tags and end tags of elements called `name`.
class TagFinder {
  public:
    TagFinder(const std::string& text, const std::string& name)
        : text_(text), start_("<" + name), end_("</" + name + ">") {}

    // The next element that begins and ends at or after `from`, as [first, second). Of several
    // starts before an end the last counts: the others are broken.
    std::optional<std::pair<std::size_t, std::size_t>> next(std::size_t from) const {
        for (std::size_t end = from;;) {
            end = text_.find(end_, end);
            if (end == text_.npos) return std::nullopt;
            const std::size_t after = end + end_.size();
            const auto start = last_start(from, end);
            if (start) return std::pair{*start, after};
            end = from = after;
        }
    }

  private:
    std::optional<std::size_t> last_start(std::size_t from, std::size_t end) const {
        std::string_view range(text_.data() + from, end - from);
        for (auto at = range.rfind(start_); at != range.npos;
             at = at == 0 ? range.npos : range.rfind(start_, at - 1)) {
            const auto after = at + start_.size();
            if (after < range.size() &&
                (blanks.find(range[after]) != blanks.npos || range[after] == '>')) {
                return from + at;
            }
        }
        return std::nullopt;
    }

    const std::string& text_;
    std::string start_;
    std::string end_;
};

// Reads the whole items behind the break one by one. They are appended to the same tree (a tree of
// its own would cost each item a page). Returns how many could not be read.
std::size_t salvage(FeedDocument& document, pugi::xml_node parent, const std::string& text,
                    const std::string& item_name, std::size_t from) {
    std::size_t lost = 0;
    const TagFinder tags(text, item_name);
    while (const auto range = tags.next(from)) {
        from = range->second;
        const auto parsed =
            parent.append_buffer(text.data() + range->first, range->second - range->first,
                                 parse_flags, pugi::encoding_utf8);
        if (parsed) {
            document.items.push_back(parent.last_child());
        } else {
            ++lost;
        }
    }
    return lost;
}

void recover(FeedDocument& document, pugi::xml_node root, const std::string& text,
             std::string_view name, const pugi::xml_parse_result& broken) {
    const auto break_at = static_cast<std::size_t>(std::max<std::ptrdiff_t>(broken.offset, 0));
    std::size_t lost = 0;
    std::string item_name = default_item_name(root, document.kind);
    if (!document.items.empty()) {
        item_name = document.items.back().name();
        if (!is_whole(document.items.back(), text, break_at)) {
            document.items.pop_back();
            ++lost;
        }
    }
    const std::size_t before = document.items.size();
    const pugi::xml_node parent = document.channel;
    lost += salvage(document, parent, text, item_name, break_at);
    const std::string where =
        std::string(broken.description()) + " at byte " + std::to_string(break_at);
    if (document.items.empty()) {
        throw FeedError(for_message(name) + ": malformed or cut off before its first whole item (" +
                        where + "): allowed is well-formed XML");
    }
    document.warnings.push_back("malformed or cut off (" + where + "): " + std::to_string(before) +
                                " item(s) read before it, " +
                                std::to_string(document.items.size() - before) + " behind it, " +
                                std::to_string(lost) + " incomplete one(s) skipped");
}

}  // namespace

std::string_view to_string(FeedKind kind) {
    switch (kind) {
        case FeedKind::rss:
            return "RSS";
        case FeedKind::atom:
            return "Atom";
        case FeedKind::rdf:
            return "RDF";
    }
    return "";
}

const Scope& FeedDocument::scope_of(pugi::xml_node item) const {
    return channel_scope && item.parent() == channel ? *channel_scope : *root_scope;
}

void parse_document(const std::string& text, std::string_view name, FeedDocument& document) {
    const auto markup =
        std::count_if(text.begin(), text.end(), [](char c) { return c == '<' || c == '='; });
    if (markup > markup_max) {
        throw FeedError(for_message(name) + ": holds " + std::to_string(markup) +
                        " tags and attributes; allowed are " + std::to_string(markup_max));
    }
    const auto parsed =
        document.tree.load_buffer(text.data(), text.size(), parse_flags, pugi::encoding_utf8);
    if (parsed.status == pugi::status_out_of_memory) throw std::bad_alloc();
    const pugi::xml_node root = first_element(document.tree);
    if (!root) fail(name, description_of(text, root));
    document.root_scope = std::make_unique<Scope>(nullptr, root);
    const auto kind = kind_of(document.root_scope->name_of(root).local);
    if (!kind) fail(name, description_of(text, root));
    const std::string_view prolog =
        std::string_view(text).substr(0, static_cast<std::size_t>(root.offset_debug()));
    if (const std::string entity = nested_entity(prolog); !entity.empty()) {
        throw FeedError(for_message(name) + ": its entity " + for_message(entity) +
                        " is made of other entities; allowed are entities of plain text");
    }
    document.kind = *kind;
    document.channel = root;
    collect_items(document, root);
    if (parsed) return;
    document.whole = false;
    recover(document, root, text, name, parsed);
}

}  // namespace headpond::ingest
