// The feed parser: UTF-8, one line, within the bounds, whatever the bytes.
#include "feed/charset.h"
#include "feed/feed.h"
#include "fuzz_input.h"

#include <array>
#include <set>
#include <string>
#include <string_view>

namespace headpond::fuzz {
namespace {

using namespace headpond::ingest;

void require_text(const std::string& text) {
    require(repair_utf8(text) == text, "text is UTF-8");
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        require(byte >= 0x20 && byte != 0x7f, "text has no control characters");
    }
}

void require_alert(const Alert& alert) {
    for (const auto* text : {&alert.title, &alert.summary, &alert.link, &alert.source_tag}) {
        require_text(*text);
    }
    require(!alert.title.empty() && alert.title.size() <= title_bytes_max, "the title's bounds");
    require(alert.summary.size() <= summary_bytes_max, "the summary's bounds");
    require(alert.link.size() <= link_bytes_max, "the link's bounds");
    require(alert.source_tag.size() <= source_bytes_max, "the source's bounds");
    require(alert.latitude.has_value() == alert.longitude.has_value(), "half a position");
    if (!alert.latitude) return;
    require(*alert.latitude >= -90 && *alert.latitude <= 90, "the latitude's bounds");
    require(*alert.longitude >= -180 && *alert.longitude <= 180, "the longitude's bounds");
}

void run(Input input) {
    constexpr std::array<const char*, 8> types{
        "",      "utf-8", "gbk", "big5", "shift_jis", "text/xml; charset=utf-16", "iso-2022-jp",
        "latin1"};
    FeedHints hints;
    hints.content_type = input.one_of(types);
    const std::string body = input.rest();
    try {
        const Feed feed = parse_feed(body, hints);
        std::set<std::string> uuids;
        for (const Alert& alert : feed.alerts) {
            require_alert(alert);
            require(uuids.insert(alert.uuid).second, "a uuid comes twice");
        }
        require(feed.warnings.size() <= warnings_max + 1, "the bound of the warnings");
        for (const std::string& warning : feed.warnings) require_text(warning);
    } catch (const FeedError& error) {
        require_text(error.what());
    }
}

}  // namespace
}  // namespace headpond::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    headpond::fuzz::run({bytes, count});
    return 0;
}
