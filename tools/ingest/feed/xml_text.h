// The text of an element of a feed.
#pragma once

#include <cstddef>
#include <string>

#include <pugixml.hpp>

namespace headpond::ingest {

/// What the character data of an element is: text, or HTML that was escaped or put into CDATA.
/// Elements inside are markup in either case (XHTML).
enum class TextForm { plain, html };

/// The text of an element without markup, folded and cut (see markup.h). Walks without recursion,
/// so that no depth of nesting overflows the stack.
std::string text_of(pugi::xml_node element, TextForm form, std::size_t bytes_max);

/// The character data directly inside an element, as the XML says it, at most `bytes_max` bytes:
/// for dates, links and coordinates.
std::string character_data(pugi::xml_node element, std::size_t bytes_max);

}  // namespace headpond::ingest
