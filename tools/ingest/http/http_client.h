// One HTTP exchange with deadlines, bounds and cancellation.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::ingest {

struct HttpRequest {
    std::string url;                   // http or https
    std::string body{};                // not empty: sent by POST
    std::vector<std::string> headers;  // "Name: value"
    std::string bearer_token{};        // sent to this host only; in no error
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds total_timeout{120'000};
    std::size_t body_bytes_max = std::size_t{16} << 20;  // of the answer, unpacked
    int redirects_max = 0;  // 0: a redirect is an answer as any other. GET only
};

struct HttpResponse {
    int status = 0;
    std::string body;                            // unpacked
    std::string url;                             // after redirects
    std::map<std::string, std::string> headers;  // of the last answer; names in lower case

    // Empty where there is none.
    [[nodiscard]] std::string_view header(const std::string& lower_case_name) const;
};

enum class HttpFailure {
    address,    // not an http or https address
    connect,    // no such host, refused, unreachable
    tls,        // the server's certificate or the handshake
    timeout,    // one of the two
    cut_off,    // closed before the end, headers without end, or not HTTP
    too_large,  // over body_bytes_max
    redirects,  // over redirects_max, or to another protocol
    stopped     // `stop` was asked for
};

// No whole answer came. what() is one line that names the host, never a header or a query.
class HttpError : public std::runtime_error {
  public:
    HttpError(HttpFailure kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
    [[nodiscard]] HttpFailure kind() const noexcept { return kind_; }

  private:
    HttpFailure kind_;
};

// Any status is an answer. gzip and the like are unpacked, certificates verified, proxies taken
// from the usual variables except for this machine. Safe from several threads. Throws HttpError.
[[nodiscard]] HttpResponse http_exchange(const HttpRequest& request, const std::stop_token& stop);

// "host:port" of an address for messages and for rules by host, in lower case; without credentials.
// Throws HttpError where it is no http or https address.
[[nodiscard]] std::string host_of(const std::string& url);
[[nodiscard]] bool is_http_address(std::string_view text);
// Whether the address is on this machine by its name: localhost, 127.0.0.0/8, ::1.
[[nodiscard]] bool is_loopback(const std::string& url);

}  // namespace headpond::ingest
