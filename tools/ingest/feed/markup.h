// From the HTML, or what passes for it, in titles and descriptions to text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace headpond::ingest {

/// Gathers the text of one title or summary from literal text, HTML fragments and the elements of
/// an XML tree. What block elements, table cells and unknown elements (pseudo-XML) keep apart stays
/// apart in the text; inline elements join; scripts and styles have no text. Bounded: it gathers at
/// most gathered_bytes_max. A plain value, one thread at a time.
class TextCollector {
  public:
    /// What is gathered before blanks are folded; more would never be shown.
    static constexpr std::size_t gathered_bytes_max = std::size_t{64} << 10;

    /// Text without markup, in UTF-8.
    void text(std::string_view literal);
    /// The start or end of an element; `name` without prefix.
    void open(std::string_view name);
    void close(std::string_view name);
    /// An HTML fragment: tags, comments and entities are understood, also wrong ones. A '<' that no
    /// '>' follows is text unless it begins an HTML element.
    void html(std::string_view fragment);

    /// True when more text would be ignored.
    bool full() const { return gathered_.size() >= gathered_bytes_max; }

    /// The text, folded and cut (see fold.h). Feeds escape once too often: if what was gathered
    /// still holds HTML tags they are removed, or if it holds entities these are decoded, twice at
    /// most.
    std::string finish(std::size_t bytes_max);

  private:
    void separate();

    std::string gathered_;
    std::size_t hidden_depth_ = 0;  // inside how many elements without text
};

/// The text of an HTML fragment.
std::string text_of_html(std::string_view fragment, std::size_t bytes_max);

}  // namespace headpond::ingest
