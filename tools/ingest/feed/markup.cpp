#include "feed/markup.h"

#include "feed/charset.h"
#include "feed/fold.h"

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <new>

#include <libxml/HTMLparser.h>

namespace headpond::ingest {
namespace {

// HTML beyond this is not parsed: what it shows would be cut anyway.
constexpr std::size_t fragment_bytes_max = std::size_t{256} << 10;
constexpr int unescapes_max = 2;
constexpr std::size_t entity_bytes_max = 12;
constexpr std::size_t name_bytes_max = 20;
// Parsed around each fragment, so that libxml2 has no reason to imply paragraphs. No HTML element,
// because these are closed when others open.
constexpr std::string_view wrapper = "headpond-fragment";

constexpr auto inline_names = std::to_array<std::string_view>(
    {"a",    "abbr", "acronym", "b",  "bdi",  "bdo",   "big",  "cite",   "code",
     "data", "del",  "dfn",     "em", "font", "i",     "img",  "ins",    "kbd",
     "mark", "nobr", "q",       "s",  "samp", "small", "span", "strike", "strong",
     "sub",  "sup",  "time",    "tt", "u",    "var",   "wbr"});
constexpr auto hidden_names =
    std::to_array<std::string_view>({"iframe", "object", "script", "style", "template"});

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_name_part(char c) {
    return is_letter(c) || is_digit(c);
}

template <typename Names>
bool is_among(const Names& names, std::string_view name) {
    return std::any_of(names.begin(), names.end(), [&](std::string_view one) {
        return one.size() == name.size() &&
               std::equal(one.begin(), one.end(), name.begin(),
                          [](char a, char b) { return a == to_lower(b); });
    });
}

// The name at the start of `text`, which follows a '<' or '</'.
std::string name_at(std::string_view text) {
    text = text.substr(0, name_bytes_max);
    const auto end = std::find_if_not(text.begin(), text.end(), is_name_part);
    return {text.begin(), end};
}

bool is_html_element(const std::string& name) {
    return !name.empty() &&
           htmlTagLookup(reinterpret_cast<const xmlChar*>(name.c_str())) != nullptr;
}

std::string element_at(std::string_view text, std::size_t angle) {
    text.remove_prefix(angle + 1);
    if (text.starts_with('/')) text.remove_prefix(1);
    return name_at(text);
}

// A complete tag of an HTML element, as <p>, </p>, <br/> or <a href=...>.
bool has_html_tag(std::string_view text) {
    const std::size_t last_end = text.rfind('>');
    if (last_end == text.npos) return false;
    for (auto at = text.find('<'); at < last_end; at = text.find('<', at + 1)) {
        const std::string name = element_at(text, at);
        const std::size_t after = at + name.size() + (text[at + 1] == '/' ? 2 : 1);
        const bool ended = std::string_view("> /\t\n").find(text[after]) != text.npos;
        if (ended && is_html_element(name)) return true;
    }
    return false;
}

// A reference such as &amp; or &#8217; (libxml2 also decodes it without the semicolon, but then it
// is not a sign of one escape too many).
bool has_entity(std::string_view text) {
    for (auto at = text.find('&'); at != text.npos; at = text.find('&', at + 1)) {
        std::string_view name = text.substr(at + 1, entity_bytes_max);
        const auto end = name.find(';');
        if (end == name.npos || end == 0) continue;
        name = name.substr(0, end);
        if (name.front() == '#') name.remove_prefix(1);
        if (!name.empty() && std::all_of(name.begin(), name.end(), is_name_part)) return true;
    }
    return false;
}

// Escapes every '<', or only those that begin no tag: no '>' follows, and no HTML element's name.
// libxml2 would drop the text after them.
std::string with_escaped_angles(std::string_view text, bool all) {
    const auto last = text.rfind('>');
    const std::size_t last_end = last == text.npos ? 0 : last;
    std::string result;
    result.reserve(text.size());
    const auto begins_tag = [&](std::size_t at) {
        return !all && (at < last_end || is_html_element(element_at(text, at)) ||
                        text.substr(at, 4) == "<!--");
    };
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '<' && !begins_tag(at)) {
            result += "&lt;";
        } else {
            result += text[at];
        }
    }
    return result;
}

std::string_view view(const xmlChar* text) {
    return reinterpret_cast<const char*>(text);
}

// libxml2's events. An exception (std::bad_alloc) must not cross its C frames, so it ends the
// parse and is thrown again by parse_html.
struct Events {
    TextCollector& collector;
    htmlParserCtxtPtr parser;
    std::exception_ptr failure;

    template <typename Action>
    void run(Action action) {
        if (failure) return;
        try {
            action();
        } catch (...) {
            failure = std::current_exception();
            xmlStopParser(parser);
        }
        if (collector.full()) xmlStopParser(parser);
    }

    static Events& of(void* data) { return *static_cast<Events*>(data); }
    static void start(void* data, const xmlChar* name, const xmlChar**) {
        if (view(name) == wrapper) return;
        of(data).run([&] { of(data).collector.open(view(name)); });
    }
    static void end(void* data, const xmlChar* name) {
        if (view(name) == wrapper) return;
        of(data).run([&] { of(data).collector.close(view(name)); });
    }
    static void characters(void* data, const xmlChar* text, int length) {
        of(data).run([&] {
            of(data).collector.text(
                {reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)});
        });
    }
};

// Parses by events only, without a tree, so that neither depth nor size costs anything.
void parse_html(const std::string& fragment, TextCollector& collector) {
    const std::string wrapped = "<" + std::string(wrapper) + ">" + fragment;
    const std::unique_ptr<htmlParserCtxt, decltype(&htmlFreeParserCtxt)> parser(htmlNewParserCtxt(),
                                                                                htmlFreeParserCtxt);
    if (!parser) throw std::bad_alloc();
    Events events{collector, parser.get(), nullptr};
    *parser->sax = {};
    parser->sax->startElement = Events::start;
    parser->sax->endElement = Events::end;
    parser->sax->characters = Events::characters;
    parser->sax->ignorableWhitespace = Events::characters;
    parser->userData = &events;
    htmlCtxtReadMemory(
        parser.get(), wrapped.data(), static_cast<int>(wrapped.size()), nullptr, "UTF-8",
        HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
            HTML_PARSE_NOIMPLIED | HTML_PARSE_NODEFDTD | HTML_PARSE_IGNORE_ENC);
    if (events.failure) std::rethrow_exception(events.failure);
}

}  // namespace

void TextCollector::text(std::string_view literal) {
    if (hidden_depth_ > 0 || full()) return;
    gathered_.append(literal.substr(0, gathered_bytes_max - gathered_.size()));
}

void TextCollector::separate() {
    if (!gathered_.ends_with(piece_mark)) text(piece_mark);
}

void TextCollector::open(std::string_view name) {
    if (is_among(hidden_names, name)) {
        ++hidden_depth_;
    } else if (!is_among(inline_names, name)) {
        separate();
    }
}

void TextCollector::close(std::string_view name) {
    if (is_among(hidden_names, name)) {
        if (hidden_depth_ > 0) --hidden_depth_;
    } else if (!is_among(inline_names, name)) {
        separate();
    }
}

void TextCollector::html(std::string_view fragment) {
    fragment = fragment.substr(0, fragment_bytes_max);
    const auto first = fragment.find_first_not_of(" \t\r\n");
    if (first != 0) text(" ");  // libxml2 drops the leading blanks, which may separate words
    if (first == fragment.npos) return;
    if (fragment.find_first_of("<&") == fragment.npos) return text(fragment);
    // The parser takes a text with a malformed byte for ISO-8859-1, and stops at a zero byte.
    std::string valid = repair_utf8(fragment.substr(first));
    std::replace(valid.begin(), valid.end(), '\0', ' ');
    parse_html(with_escaped_angles(valid, false), *this);
}

std::string TextCollector::finish(std::size_t bytes_max) {
    for (int round = 0; round < unescapes_max; ++round) {
        const bool tags = has_html_tag(gathered_);
        if (!tags && !has_entity(gathered_)) break;
        const std::string escaped = std::move(gathered_);
        *this = {};
        html(tags ? escaped : with_escaped_angles(escaped, true));
    }
    return fold(gathered_, bytes_max);
}

std::string text_of_html(std::string_view fragment, std::size_t bytes_max) {
    TextCollector collector;
    collector.html(fragment);
    return collector.finish(bytes_max);
}

}  // namespace headpond::ingest
