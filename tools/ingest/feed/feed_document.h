// The XML of a feed, as far as it can be read.
#pragma once

#include "feed/xml_names.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <pugixml.hpp>

namespace headpond::ingest {

enum class FeedKind { rss, atom, rdf };

/// "RSS", "Atom" or "RDF".
std::string_view to_string(FeedKind kind);

/// A parsed feed, owning its tree; items and channel point into it. Not for several threads at
/// once.
struct FeedDocument {
    pugi::xml_document tree;
    FeedKind kind = FeedKind::rss;
    pugi::xml_node channel;                ///< what holds the feed's title
    std::unique_ptr<Scope> root_scope;     ///< namespaces of the root element
    std::unique_ptr<Scope> channel_scope;  ///< the same inside the channel, if it is another
    std::vector<pugi::xml_node> items;     ///< in the feed's order
    std::vector<std::string> warnings;     ///< at most one: where the XML breaks
    bool whole = true;                     ///< false: it breaks

    /// The namespaces around an item.
    const Scope& scope_of(pugi::xml_node item) const;
};

/// Parses UTF-8 text. XML that breaks somewhere (malformed, or cut off) gives the items that are
/// whole: those before the break, and behind it those that can be read one by one. Throws
/// FeedError, naming `name`, when the text is not a feed, is broken with no whole item, or has more
/// than six million tags and attributes, or declares entities that are made of others. Entities
/// that a DOCTYPE declares are never expanded. Fills `document`, which must be new.
void parse_document(const std::string& text, std::string_view name, FeedDocument& document);

}  // namespace headpond::ingest
