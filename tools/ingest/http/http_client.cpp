#include "http/http_client.h"

#include "../headpond/arguments.h"

#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>

#include <arpa/inet.h>
#include <curl/curl.h>

namespace headpond::ingest {

namespace {

struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeUrl {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using Multi = std::unique_ptr<CURLM, FreeMulti>;
using List = std::unique_ptr<curl_slist, FreeList>;
using Url = std::unique_ptr<CURLU, FreeUrl>;

// Once a process, and never undone: other threads may still be at it when the process ends.
void prepare() {
    static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (done != CURLE_OK) throw std::runtime_error("libcurl cannot be used");
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

// The part of an address, empty where there is none.
std::string part_of(const Url& url, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return {};
    std::string copy(text);
    curl_free(text);
    return copy;
}

Url parsed(const std::string& address) {
    prepare();
    Url url(curl_url());
    if (!url) throw std::bad_alloc();
    const bool known = curl_url_set(url.get(), CURLUPART_URL, address.c_str(), 0) == CURLUE_OK;
    const std::string scheme = known ? lower(part_of(url, CURLUPART_SCHEME)) : std::string{};
    if (scheme != "http" && scheme != "https") {
        throw HttpError(HttpFailure::address,
                        "not an address; allowed: http://HOST/... or https://HOST/...");
    }
    return url;
}

template <typename Value>
void set(const Easy& easy, CURLoption option, Value value) {
    if (curl_easy_setopt(easy.get(), option, value) != CURLE_OK) {
        throw std::runtime_error("libcurl refuses an option");
    }
}

// Of all headers and trailers of an exchange. libcurl has limits for headers, and none for
// trailers.
constexpr std::size_t header_bytes_max = 262'144;

// What the callbacks of one exchange fill.
struct Exchange {
    HttpResponse response;
    std::size_t body_bytes_max = 0;
    std::size_t header_bytes = 0;
    bool too_large = false;

    static std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* self) {
        auto& exchange = *static_cast<Exchange*>(self);
        const std::size_t length = size * count;
        if (exchange.response.body.size() + length > exchange.body_bytes_max) {
            exchange.too_large = true;
            return 0;
        }
        exchange.response.body.append(bytes, length);
        return length;
    }

    static std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* self) {
        auto& exchange = *static_cast<Exchange*>(self);
        auto& response = exchange.response;
        const std::string_view line(bytes, size * count);
        exchange.header_bytes += line.size();
        if (exchange.header_bytes > header_bytes_max) return 0;
        if (line.starts_with("HTTP/")) {
            // Of a redirect, or of 100 Continue: the last answer counts.
            response.headers.clear();
            response.body.clear();
        }
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) return line.size();
        const auto begin = line.find_first_not_of(" \t", colon + 1);
        const auto end = line.find_last_not_of(" \t\r\n");
        std::string value;
        if (begin != std::string_view::npos && end >= begin) {
            value = line.substr(begin, end - begin + 1);
        }
        response.headers[lower(std::string(line.substr(0, colon)))] = value;
        return line.size();
    }
};

HttpFailure kind_of(CURLcode code) {
    switch (code) {
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            return HttpFailure::address;
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_CONNECT:
            return HttpFailure::connect;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_INVALIDCERTSTATUS:
            return HttpFailure::tls;
        case CURLE_OPERATION_TIMEDOUT:
            return HttpFailure::timeout;
        case CURLE_TOO_MANY_REDIRECTS:
            return HttpFailure::redirects;
        case CURLE_FILESIZE_EXCEEDED:
            return HttpFailure::too_large;
        default:
            return HttpFailure::cut_off;
    }
}

[[noreturn]] void fail(CURLcode code, const Exchange& exchange, const HttpRequest& request,
                       const std::string& host, long status) {
    if (exchange.too_large || code == CURLE_FILESIZE_EXCEEDED) {
        throw HttpError(HttpFailure::too_large, host + ": the answer has more than " +
                                                    std::to_string(request.body_bytes_max) +
                                                    " bytes");
    }
    // libcurl calls a line over 100 KB a want of memory.
    if (exchange.header_bytes > header_bytes_max || code == CURLE_OUT_OF_MEMORY) {
        throw HttpError(HttpFailure::cut_off, host + ": the headers have more than " +
                                                  std::to_string(header_bytes_max) +
                                                  " bytes, or a line of them 102400");
    }
    HttpFailure kind = kind_of(code);
    // libcurl has one code for a redirect to file: or ftp:, and for what is not HTTP at all.
    if (kind == HttpFailure::address) {
        kind = status >= 300 ? HttpFailure::redirects : HttpFailure::cut_off;
    }
    std::string what = curl_easy_strerror(code);
    if (kind == HttpFailure::timeout) {
        what = "no whole answer in time (connect " + cli::seconds_text(request.connect_timeout) +
               " s, whole " + cli::seconds_text(request.total_timeout) + " s)";
    } else if (kind == HttpFailure::redirects) {
        what = "redirected more than " + std::to_string(request.redirects_max) +
               " times, or to what is not http or https";
    }
    throw HttpError(kind, host + ": " + what);
}

List header_list(const HttpRequest& request) {
    List list;
    for (const std::string& header : request.headers) {
        curl_slist* longer = curl_slist_append(list.get(), header.c_str());
        if (longer == nullptr) throw std::bad_alloc();
        (void)list.release();
        list.reset(longer);
    }
    return list;
}

void configure(const Easy& easy, const HttpRequest& request, Exchange& exchange,
               const List& headers) {
    set(easy, CURLOPT_URL, request.url.c_str());
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_QUICK_EXIT, 1L);  // a hanging name server does not hold up a stop
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
    set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout.count()));
    set(easy, CURLOPT_ACCEPT_ENCODING, "");
    set(easy, CURLOPT_USERAGENT, "headpond-ingest");
    set(easy, CURLOPT_FOLLOWLOCATION, request.redirects_max > 0 ? 1L : 0L);
    set(easy, CURLOPT_MAXREDIRS, static_cast<long>(request.redirects_max));
    // Refused early where the server says how much there is; take_body counts what comes.
    set(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request.body_bytes_max));
    if (is_loopback(request.url)) set(easy, CURLOPT_PROXY, "");
    if (!request.bearer_token.empty()) {
        set(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        set(easy, CURLOPT_XOAUTH2_BEARER, request.bearer_token.c_str());
    }
    if (!request.body.empty()) {
        set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        set(easy, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    if (headers) set(easy, CURLOPT_HTTPHEADER, headers.get());
    set(easy, CURLOPT_WRITEFUNCTION, &Exchange::take_body);
    set(easy, CURLOPT_WRITEDATA, &exchange);
    set(easy, CURLOPT_HEADERFUNCTION, &Exchange::take_header);
    set(easy, CURLOPT_HEADERDATA, &exchange);
}

// Until the transfer is done; nullopt: stopped.
std::optional<CURLcode> perform(const Multi& multi, const std::stop_token& stop) {
    const std::stop_callback wake(stop, [&] { curl_multi_wakeup(multi.get()); });
    int running = 1;
    while (running > 0) {
        if (stop.stop_requested()) return std::nullopt;
        if (curl_multi_perform(multi.get(), &running) != CURLM_OK) return CURLE_FAILED_INIT;
        if (running > 0) curl_multi_poll(multi.get(), nullptr, 0, 1000, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
        if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    return CURLE_FAILED_INIT;
}

}  // namespace

std::string_view HttpResponse::header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? std::string_view{} : std::string_view(found->second);
}

bool is_http_address(std::string_view text) {
    const std::string head = lower(std::string(text.substr(0, 8)));
    return head.starts_with("http://") || head == "https://";
}

std::string host_of(const std::string& url) {
    const Url parts = parsed(url);
    const std::string port = part_of(parts, CURLUPART_PORT);
    return lower(part_of(parts, CURLUPART_HOST)) + (port.empty() ? "" : ":" + port);
}

bool is_loopback(const std::string& url) {
    const std::string host = lower(part_of(parsed(url), CURLUPART_HOST));
    in_addr v4{};
    const bool numeric = inet_pton(AF_INET, host.c_str(), &v4) == 1;
    return host == "localhost" || host == "[::1]" || (numeric && host.starts_with("127."));
}

HttpResponse http_exchange(const HttpRequest& request, const std::stop_token& stop) {
    const std::string host = host_of(request.url);
    const List headers = header_list(request);
    Exchange exchange;
    exchange.body_bytes_max = request.body_bytes_max;
    const Easy easy(curl_easy_init());
    const Multi multi(curl_multi_init());
    if (!easy || !multi) throw std::bad_alloc();
    configure(easy, request, exchange, headers);
    if (curl_multi_add_handle(multi.get(), easy.get()) != CURLM_OK) throw std::bad_alloc();
    const auto code = perform(multi, stop);
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    const char* last = nullptr;
    curl_easy_getinfo(easy.get(), CURLINFO_EFFECTIVE_URL, &last);
    exchange.response.url = last != nullptr ? last : request.url;
    curl_multi_remove_handle(multi.get(), easy.get());
    if (!code) throw HttpError(HttpFailure::stopped, host + ": the exchange was stopped");
    if (*code != CURLE_OK) fail(*code, exchange, request, host, status);
    exchange.response.status = static_cast<int>(status);
    return std::move(exchange.response);
}

}  // namespace headpond::ingest
