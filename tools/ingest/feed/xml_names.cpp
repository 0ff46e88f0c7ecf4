#include "feed/xml_names.h"

#include <algorithm>
#include <array>

namespace headpond::ingest {
namespace {

struct Known {
    std::string_view prefix;  // customary
    std::string_view uri;     // without scheme and without trailing '/' or '#'
    Space space;
};

constexpr auto known_spaces = std::to_array<Known>({
    {"atom", "www.w3.org/2005/Atom", Space::atom},
    {"", "purl.org/atom/ns", Space::atom},  // Atom 0.3
    {"rss", "purl.org/rss/1.0", Space::rss1},
    {"", "my.netscape.com/rdf/simple/0.9", Space::rss1},  // RSS 0.90
    {"rdf", "www.w3.org/1999/02/22-rdf-syntax-ns", Space::rdf},
    {"content", "purl.org/rss/1.0/modules/content", Space::content},
    {"dc", "purl.org/dc/elements/1.1", Space::dublin_core},
    {"dcterms", "purl.org/dc/terms", Space::dc_terms},
    {"georss", "www.georss.org/georss", Space::georss},
    {"", "www.georss.org/georss/10", Space::georss},
    {"gml", "www.opengis.net/gml", Space::gml},
    {"", "www.opengis.net/gml/3.2", Space::gml},
    {"geo", "www.w3.org/2003/01/geo/wgs84_pos", Space::geo},
});

// Feeds write http or https, and forget or add the last character.
std::string_view comparable(std::string_view uri) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (uri.starts_with(scheme)) uri.remove_prefix(scheme.size());
    }
    while (uri.ends_with('/') || uri.ends_with('#')) uri.remove_suffix(1);
    return uri;
}

Space space_of(std::string_view uri) {
    if (uri.empty()) return Space::none;
    const auto bare = comparable(uri);
    const auto known = std::find_if(known_spaces.begin(), known_spaces.end(),
                                    [&](const Known& row) { return row.uri == bare; });
    return known == known_spaces.end() ? Space::other : known->space;
}

std::string_view customary_uri(std::string_view prefix) {
    if (prefix.empty()) return {};
    const auto known = std::find_if(known_spaces.begin(), known_spaces.end(),
                                    [&](const Known& row) { return row.prefix == prefix; });
    return known == known_spaces.end() ? prefix : known->uri;
}

}  // namespace

Scope::Scope(const Scope* outer, pugi::xml_node element) : outer_(outer) {
    for (const pugi::xml_attribute attribute : element.attributes()) {
        const std::string_view name = attribute.name();
        if (!name.starts_with("xmlns") || bindings_.size() == bindings_max) continue;
        if (name.size() == 5) {
            bindings_.emplace_back("", attribute.value());
        } else if (name[5] == ':') {
            bindings_.emplace_back(name.substr(6), attribute.value());
        }
    }
}

std::string_view Scope::uri_of(std::string_view prefix) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->outer_) {
        for (const auto& [bound, uri] : scope->bindings_) {
            if (bound == prefix) return uri;
        }
    }
    return customary_uri(prefix);
}

Name Scope::name_of(pugi::xml_node element) const {
    const std::string_view name = element.name();
    const auto colon = name.find(':');
    const bool prefixed = colon != name.npos;
    const auto uri = uri_of(prefixed ? name.substr(0, colon) : std::string_view());
    return {uri, prefixed ? name.substr(colon + 1) : name, space_of(uri)};
}

Name name_in(const Scope& outer, pugi::xml_node child) {
    return Scope(&outer, child).name_of(child);
}

}  // namespace headpond::ingest
