#include "fetch/feed_request.h"

#include "../headpond/utf8.h"
#include "feed/bounded_read.h"
#include "feed/feed_error.h"
#include "feed/fold.h"
#include "http/http_client.h"
#include "http/retry_after.h"

#include <algorithm>
#include <string_view>

namespace headpond::ingest {

namespace {

constexpr std::size_t address_bytes_max = 2'048;
constexpr std::size_t validator_bytes_max = 1'000;
constexpr std::size_t error_bytes_max = 300;
constexpr int redirects_max = 5;

constexpr int ok = 200;
constexpr int not_modified = 304;
constexpr int too_many_requests = 429;
constexpr int service_unavailable = 503;

// What stands between "//" and the path: credentials, host, port.
std::string_view authority_of(std::string_view address) {
    address.remove_prefix(address.find("//") + 2);
    return address.substr(0, address.find_first_of("/?#"));
}

// What a server sent, or somebody wrote into the table, may not become a header of its own.
bool can_be_sent(std::string_view value) {
    return !value.empty() && value.size() <= validator_bytes_max &&
           std::none_of(value.begin(), value.end(),
                        [](unsigned char c) { return c < ' ' || c == 0x7F; });
}

HttpRequest request_of(const FeedSource& source, const Validators& validators,
                       const FetchSettings& settings) {
    HttpRequest request;
    request.url = source.name;
    request.headers = {
        "Accept: application/rss+xml, application/atom+xml, application/rdf+xml, "
        "application/xml;q=0.9, text/xml;q=0.9, */*;q=0.8"};
    if (can_be_sent(validators.etag)) {
        request.headers.push_back("If-None-Match: " + validators.etag);
    }
    if (can_be_sent(validators.last_modified)) {
        request.headers.push_back("If-Modified-Since: " + validators.last_modified);
    }
    request.connect_timeout = settings.connect_timeout;
    request.total_timeout = settings.timeout;
    request.body_bytes_max = settings.bytes_max;
    request.redirects_max = redirects_max;
    return request;
}

// The feed's name is said by whoever reports.
std::string without_name(std::string_view text, const std::string& name) {
    if (text.starts_with(name + ": ")) text.remove_prefix(name.size() + 2);
    return fold(text, error_bytes_max);
}

std::string error_of(const HttpError& error, const FeedSource& source) {
    std::string text = without_name(error.what(), source.host);
    if (error.kind() == HttpFailure::too_large) text += "; allowed: a higher --feed-bytes-max";
    if (error.kind() == HttpFailure::timeout) text += "; allowed: a higher --feed-timeout";
    return text;
}

std::optional<FeedAnswer> ask_address(const FeedSource& source, const Validators& validators,
                                      const FetchSettings& settings, const Clock& clock,
                                      const std::stop_token& stop) {
    FeedAnswer answer;
    const HttpRequest request = request_of(source, validators, settings);
    const bool conditional = request.headers.size() > 1;
    try {
        HttpResponse response = http_exchange(request, stop);
        answer.at = clock.wall();
        answer.status = response.status;
        answer.not_modified = response.status == not_modified && conditional;
        if (response.status == ok) {
            answer.body = std::move(response.body);
            answer.content_type = response.header("content-type");
            for (auto [header, kept] : {std::pair{"etag", &answer.validators.etag},
                                        {"last-modified", &answer.validators.last_modified}}) {
                const auto value = response.header(header);
                if (can_be_sent(value)) *kept = value;
            }
        } else if (!answer.not_modified) {
            answer.error = "answered " + std::to_string(response.status) +
                           "; allowed: 200, or 304 to a conditional request";
        }
        if (response.status == too_many_requests || response.status == service_unavailable) {
            answer.retry_after = parse_retry_after(response.header("retry-after"), answer.at);
        }
    } catch (const HttpError& error) {
        if (error.kind() == HttpFailure::stopped) return std::nullopt;
        answer.at = clock.wall();
        answer.error = error_of(error, source);
    }
    return answer;
}

std::optional<FeedAnswer> read_again(const FeedSource& source, const Clock& clock,
                                     const std::stop_token& stop) {
    FeedAnswer answer;
    answer.at = clock.wall();
    try {
        auto body = read_file(source.name, stop);
        if (!body) return std::nullopt;
        answer.body = std::move(*body);
    } catch (const FeedError& error) {
        answer.error = without_name(error.what(), for_message(source.shown));
    }
    return answer;
}

}  // namespace

FeedSource feed_source(const std::string& name) {
    if (!is_http_address(name)) return {.name = name, .shown = name, .host = {}};
    const auto refuse = [](const std::string& what) {
        throw UsageError(what + "; allowed: http://HOST/... or https://HOST/..., without a user");
    };
    const std::string_view authority = authority_of(name);
    if (authority.find('@') != std::string_view::npos) {
        refuse("an address of a feed carries a user or a password, which would be kept and logged");
    }
    if (name.size() > address_bytes_max || cli::one_line(name) != name) {
        refuse("the address of a feed at " + cli::shown(authority) + " has " +
               (name.size() > address_bytes_max
                    ? "more than " + std::to_string(address_bytes_max) + " bytes"
                    : "control characters, or is not UTF-8"));
    }
    FeedSource source{.name = name, .shown = name.substr(0, name.find_first_of("?#")), .host = {}};
    // Where the host is, is then a guess, and what stands there may be a password. libcurl reads
    // http:///a as http://a.
    const std::string none = "a feed begins like an address and is none";
    if (authority.empty()) refuse(none);
    try {
        source.host = host_of(name);
    } catch (const HttpError&) {
        refuse(none);
    }
    return source;
}

std::optional<FeedAnswer> ask_feed(const FeedSource& source, const Validators& validators,
                                   const FetchSettings& settings, const Clock& clock,
                                   const std::stop_token& stop) {
    if (source.host.empty()) return read_again(source, clock, stop);
    return ask_address(source, validators, settings, clock, stop);
}

}  // namespace headpond::ingest
