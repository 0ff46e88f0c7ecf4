// XML namespaces on top of pugixml, which knows only prefixes.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include <pugixml.hpp>

namespace headpond::ingest {

/// The vocabularies that the feed parser knows. `other` is any other namespace, `none` no
/// namespace.
enum class Space { none, other, atom, rss1, rdf, content, dublin_core, dc_terms, georss, gml, geo };

/// An element's name: local part and namespace. The views point into the document.
struct Name {
    std::string_view uri;
    std::string_view local;
    Space space = Space::none;

    bool is(Space of, std::string_view name) const { return space == of && local == name; }
};

/// The namespace declarations in force inside one element. It refers to the scope around it and to
/// the document, which must outlive it. Immutable after construction.
class Scope {
  public:
    /// The scope of `element`, inside `outer` (nullptr: the document). Reads each attribute once,
    /// and at most bindings_max declarations, so that no element makes lookups slow.
    Scope(const Scope* outer, pugi::xml_node element);

    /// The name of the element whose scope this is, or of another without declarations of its own.
    /// A prefix that the feed forgot to declare has its customary meaning.
    Name name_of(pugi::xml_node element) const;

    static constexpr std::size_t bindings_max = 64;

  private:
    std::string_view uri_of(std::string_view prefix) const;

    const Scope* outer_;
    std::vector<std::pair<std::string_view, std::string_view>> bindings_;
};

/// The name of a child, whose own declarations are taken into account.
Name name_in(const Scope& outer, pugi::xml_node child);

}  // namespace headpond::ingest
