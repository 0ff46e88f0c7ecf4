#include "feed/item.h"

#include "feed/dates.h"
#include "feed/feed.h"
#include "feed/fold.h"
#include "feed/position.h"
#include "feed/uuid.h"
#include "feed/xml_text.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace headpond::ingest {
namespace {

// The head of a summary that stands for a missing title.
constexpr std::size_t borrowed_title_bytes_max = 120;
// No date is longer.
constexpr std::size_t date_text_bytes_max = 1'000;

// Where a field may be found. Lists are in order of preference.
enum class Field { title, summary, link, published };

struct Source {
    Field field;
    Space space;  // `none`: the namespace of the item itself
    std::string_view local;
};

constexpr auto sources = std::to_array<Source>({
    {Field::title, Space::none, "title"},
    {Field::title, Space::dublin_core, "title"},
    {Field::summary, Space::none, "description"},
    {Field::summary, Space::none, "summary"},
    {Field::summary, Space::none, "content"},
    {Field::summary, Space::content, "encoded"},
    {Field::summary, Space::dublin_core, "description"},
    {Field::summary, Space::atom, "summary"},
    {Field::summary, Space::atom, "content"},
    {Field::link, Space::none, "link"},
    {Field::link, Space::none, "guid"},
    {Field::link, Space::none, "id"},
    {Field::link, Space::atom, "link"},
    {Field::published, Space::none, "pubDate"},
    {Field::published, Space::none, "published"},
    {Field::published, Space::none, "issued"},
    {Field::published, Space::none, "created"},
    {Field::published, Space::none, "updated"},
    {Field::published, Space::none, "modified"},
    {Field::published, Space::dublin_core, "date"},
    {Field::published, Space::dc_terms, "issued"},
    {Field::published, Space::dc_terms, "created"},
    {Field::published, Space::dc_terms, "modified"},
    {Field::published, Space::atom, "published"},
    {Field::published, Space::atom, "updated"},
});

bool equal_in_any_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return lower(x) == lower(y); });
}

// The first element of each source. An Atom link that is not the page itself (rel="enclosure") is
// passed over.
class Elements {
  public:
    Elements(pugi::xml_node item, const Scope& scope, std::string_view own_uri) {
        for (const pugi::xml_node node : item.children()) {
            if (node.type() != pugi::node_element) continue;
            const Name name = name_in(scope, node);
            for (std::size_t i = 0; i < sources.size(); ++i) {
                if (!nodes_[i] && fits(sources[i], name, own_uri) && is_page(node))
                    nodes_[i] = node;
            }
        }
    }

    // Calls `use(node)` for each element of the field, best first, until it returns true.
    template <typename Use>
    void each(Field field, Use use) const {
        for (std::size_t i = 0; i < sources.size(); ++i) {
            if (sources[i].field == field && nodes_[i] && use(nodes_[i])) return;
        }
    }

  private:
    static bool fits(const Source& source, const Name& name, std::string_view own_uri) {
        if (source.space != Space::none) return name.is(source.space, source.local);
        return name.uri == own_uri && equal_in_any_case(name.local, source.local);
    }

    static bool is_page(pugi::xml_node node) {
        const std::string_view rel = node.attribute("rel").value();
        return rel.empty() || rel == "alternate";
    }

    std::array<pugi::xml_node, sources.size()> nodes_;
};

// Atom says what its text is; RSS never does, and HTML is what most feeds put there.
TextForm form_of(pugi::xml_node node, FeedKind kind) {
    if (kind != FeedKind::atom) return TextForm::html;
    const std::string_view type = node.attribute("type").value();
    return type == "html" || type == "text/html" ? TextForm::html : TextForm::plain;
}

// Atom's content may be a picture in base64.
bool has_text(pugi::xml_node node, FeedKind kind) {
    if (kind != FeedKind::atom) return true;
    const std::string_view type = node.attribute("type").value();
    if (std::string_view(node.attribute("mode").value()) == "base64") return false;
    return type.find('/') == type.npos || type.starts_with("text/") ||
           type.find("xml") != type.npos;
}

std::string first_text(const Elements& elements, Field field, FeedKind kind,
                       std::size_t bytes_max) {
    std::string text;
    elements.each(field, [&](pugi::xml_node node) {
        if (has_text(node, kind)) text = text_of(node, form_of(node, kind), bytes_max);
        return !text.empty();
    });
    return text;
}

bool is_web_address(std::string_view text) {
    return text.starts_with("http://") || text.starts_with("https://");
}

// A guid or id stands for the link only when it is one.
std::string first_link(const Elements& elements, std::vector<std::string>& problems) {
    std::string link;
    elements.each(Field::link, [&](pugi::xml_node node) {
        const pugi::xml_attribute target = node.attribute("href");
        link = fold(target ? target.value() : character_data(node, 2 * link_bytes_max),
                    link_bytes_max + 1);
        const std::string_view name = node.name();
        const std::string_view local = name.substr(name.find(':') + 1);
        if (!equal_in_any_case(local, "link") && !is_web_address(link)) link.clear();
        if (link.size() > link_bytes_max) {
            problems.push_back("its link is longer than " + std::to_string(link_bytes_max) +
                               " bytes: ignored");
            link.clear();
        }
        return !link.empty();
    });
    return link;
}

std::optional<WallTime> first_date(const Elements& elements, std::vector<std::string>& problems) {
    std::optional<WallTime> time;
    elements.each(Field::published, [&](pugi::xml_node node) {
        const std::string text = character_data(node, date_text_bytes_max);
        time = parse_date(text);
        if (!time && text.find_first_not_of(" \t\r\n") != text.npos) {
            problems.push_back(for_message(node.name()) + " '" + for_message(text) +
                               "' is no date: allowed are " + std::string(dates_allowed));
        }
        return time.has_value();
    });
    return time;
}

}  // namespace

std::optional<Alert> read_item(pugi::xml_node item, const Scope& scope, FeedKind kind,
                               const std::string& source, std::vector<std::string>& problems) {
    const Scope inside(&scope, item);
    const Elements elements(item, inside, inside.name_of(item).uri);

    Alert alert;
    alert.source_tag = source;
    alert.title = first_text(elements, Field::title, kind, title_bytes_max);
    alert.summary = first_text(elements, Field::summary, kind, summary_bytes_max);
    if (alert.title.empty() && alert.summary.empty()) return std::nullopt;
    alert.link = first_link(elements, problems);
    // The whole summary, because the heads of two may be equal.
    alert.uuid = alert_uuid(source, alert.title.empty() ? alert.summary : alert.title, alert.link);
    if (alert.title.empty()) alert.title = fold(alert.summary, borrowed_title_bytes_max);
    alert.published_at = first_date(elements, problems);
    if (const auto position = position_of(item, inside, problems)) {
        alert.latitude = position->latitude;
        alert.longitude = position->longitude;
    }
    return alert;
}

std::string feed_title(const FeedDocument& document) {
    const Scope& scope = document.channel_scope ? *document.channel_scope : *document.root_scope;
    for (const pugi::xml_node node : document.channel.children()) {
        const Name name = name_in(scope, node);
        if (name.local == "title" && name.uri == scope.name_of(document.channel).uri) {
            return text_of(node, form_of(node, document.kind), title_bytes_max);
        }
    }
    return {};
}

}  // namespace headpond::ingest
