#include "gazetteer/place_hints.h"

#include "gazetteer/place_text.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string>
#include <vector>

namespace headpond::ingest {
namespace {

// Country domains that are sold to everybody say nothing about a country.
constexpr std::string_view sold_domains[] = {"ac", "ag", "ai", "am", "cc", "cd", "cf", "co", "dj",
                                             "eu", "fm", "ga", "gg", "gl", "gq", "im", "io", "la",
                                             "ly", "me", "ml", "ms", "nu", "pw", "sc", "sh", "st",
                                             "su", "tk", "to", "tv", "vc", "ws"};
constexpr std::string_view government_labels[] = {"gov", "gob", "gouv", "govt", "gub", "go", "gc"};

template <typename List>
bool contains(const List& list, std::string_view word) {
    return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

// The host of an absolute link in small letters, without user and port; empty if there is none.
std::string host_of(std::string_view link) {
    const std::size_t scheme = link.find("://");
    if (scheme == std::string_view::npos) return {};
    std::string_view host = link.substr(scheme + 3);
    host = host.substr(0, host.find_first_of("/?#"));
    const std::size_t user = host.rfind('@');
    if (user != std::string_view::npos) host.remove_prefix(user + 1);
    host = host.substr(0, host.find(':'));
    return lower(host);
}

// The region of a country that a label of a host abbreviates ("nsw").
std::uint32_t region_of_label(std::string_view label, std::uint32_t country,
                              const GazetteerData& data) {
    for (const NameEntry& entry : data.find(key_hash(label))) {
        const bool region =
            entry.meaning == Meaning::abbreviation || entry.meaning == Meaning::region;
        if (region && data.regions()[entry.index].country == country) return entry.index;
    }
    return none_index;
}

void read_link(std::string_view link, const GazetteerData& data, PlaceHints& hints) {
    const std::string host = host_of(link);
    std::vector<std::string_view> labels;
    for (std::size_t start = 0; start <= host.size();) {
        const std::size_t end = std::min(host.find('.', start), host.size());
        labels.push_back(std::string_view(host).substr(start, end - start));
        start = end + 1;
    }
    if (labels.size() < 2) return;
    const std::string_view top = labels.back();
    if (contains(sold_domains, top)) return;
    const bool american = top == "gov" || top == "mil";
    const std::string_view code = american ? "us" : top == "uk" ? "gb" : top;
    hints.link_country = data.country_of_code(code);
    if (hints.link_country == none_index) return;
    // The government's label, and the region's on either side of it. Agencies of the United States
    // report on the whole world: without a region they are no more than another country's domain.
    const std::size_t last = labels.size() - 1;
    for (std::size_t i = american ? last : last - 1; i + 2 >= last && i <= last; --i) {
        if (!american && !contains(government_labels, labels[i])) continue;
        hints.link_government = !american && last > 1;
        if (i > 0) hints.link_region = region_of_label(labels[i - 1], hints.link_country, data);
        if (hints.link_region == none_index && i + 1 < last) {
            hints.link_region = region_of_label(labels[i + 1], hints.link_country, data);
        }
        hints.link_government = hints.link_government || hints.link_region != none_index;
        return;
    }
}

// The value of "name:value" in a tag of several parts; it ends at , ; or |.
std::string_view value_of(std::string_view tag, std::string_view name) {
    std::size_t at = 0;
    while ((at = tag.find(name, at)) != std::string_view::npos) {
        const bool begins =
            at == 0 || std::string_view(",;| /").find(tag[at - 1]) != std::string_view::npos;
        at += name.size();
        if (!begins) continue;
        std::string_view value = tag.substr(at);
        value = value.substr(0, value.find_first_of(",;|"));
        while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
        while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
        return value;
    }
    return {};
}

std::uint32_t country_of_name(std::string_view name, const GazetteerData& data) {
    for (const NameEntry& entry : data.find(key_hash(data.folding().name(name)))) {
        if (entry.meaning == Meaning::country) return entry.index;
    }
    return none_index;
}

std::uint32_t city_of_name(std::string_view name, std::uint32_t country,
                           const GazetteerData& data) {
    std::uint32_t chosen = none_index;
    for (const NameEntry& entry : data.find(key_hash(data.folding().name(name)))) {
        if (entry.meaning != Meaning::city && entry.meaning != Meaning::alternate) continue;
        if (country != none_index && data.country_of_city(entry.index) != country) continue;
        if (chosen == none_index ||
            data.cities()[entry.index].population > data.cities()[chosen].population) {
            chosen = entry.index;
        }
    }
    return chosen;
}

// A country's name of one to three words anywhere in a tag ("chile-news"), in any case.
std::uint32_t country_in(std::string_view tag, const GazetteerData& data) {
    const TokenText text = tokenise(tag, data.folding());
    for (std::size_t first = 0; first < text.tokens.size(); ++first) {
        std::uint64_t hash = key_hash(text.tokens[first].key);
        for (std::size_t last = first; last < std::min(first + 3, text.tokens.size()); ++last) {
            if (last > first) hash = key_hash_next_word(hash, text.tokens[last].key);
            const bool code = last == first && text.tokens[last].key.size() <= 3;
            if (code && !text.tokens[last].all_capitals) continue;
            for (const NameEntry& entry : data.find(hash)) {
                if (entry.meaning == Meaning::country) return entry.index;
            }
        }
    }
    return none_index;
}

}  // namespace

PlaceHints read_hints(std::string_view source_tag, std::string_view link,
                      const GazetteerData& data) {
    PlaceHints hints;
    read_link(link, data, hints);
    const std::string_view country = value_of(source_tag, "country:");
    if (!country.empty()) {
        hints.tag_country = data.country_of_code(country);
        if (hints.tag_country == none_index) hints.tag_country = country_of_name(country, data);
        hints.tag_country_stated = hints.tag_country != none_index;
    } else {
        hints.tag_country = country_in(source_tag, data);
    }
    const std::string_view city = value_of(source_tag, "local:");
    if (!city.empty()) {
        const std::string_view name = city.substr(0, city.find(','));
        hints.tag_city = city_of_name(name, hints.tag_country, data);
        if (hints.tag_city == none_index) hints.tag_city = city_of_name(name, none_index, data);
    }
    if (hints.tag_country == none_index && hints.tag_city != none_index) {
        hints.tag_country = data.country_of_city(hints.tag_city);
    }
    return hints;
}

}  // namespace headpond::ingest
