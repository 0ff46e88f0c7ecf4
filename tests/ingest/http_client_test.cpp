#include "http/http_client.h"

#include "support/http_server.h"
#include "support/raw_server.h"

#include <chrono>
#include <future>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

namespace headpond::ingest {
namespace {

using namespace std::chrono_literals;
using test::HttpServer;
using test::RawServer;

HttpFailure failure_of(const HttpRequest& request, const std::stop_token& stop = {}) {
    try {
        const auto answer = http_exchange(request, stop);
        ADD_FAILURE() << "an answer: " << answer.status << " " << answer.body;
    } catch (const HttpError& error) {
        const std::string what = error.what();
        EXPECT_EQ(what.find('\n'), std::string::npos) << what;
        return error.kind();
    }
    return HttpFailure::address;
}

TEST(HttpClient, PostsABodyWithHeadersAndAToken) {
    HttpServer server([](const httplib::Request& request, httplib::Response& response) {
        response.status = 201;
        response.set_header("X-Kind", "  answer ");
        response.set_content(request.method + " " + request.path + " " + request.body + " " +
                                 request.get_header_value("Authorization") + " " +
                                 request.get_header_value("X-Mine"),
                             "text/plain");
    });
    const auto answer = http_exchange({.url = server.address("/a?b=c"),
                                       .body = "payload",
                                       .headers = {"X-Mine: yes"},
                                       .bearer_token = "sk-secret"},
                                      {});
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.body, "POST /a payload Bearer sk-secret yes");
    EXPECT_EQ(answer.header("x-kind"), "answer");
    EXPECT_EQ(answer.header("x-other"), "");
    EXPECT_EQ(answer.url, server.address("/a?b=c"));
}

TEST(HttpClient, UnpacksGzipAndCountsWhatComesOut) {
    const std::string text(200'000, 'x');
    HttpServer server([&](const httplib::Request& request, httplib::Response& response) {
        EXPECT_NE(request.get_header_value("Accept-Encoding").find("gzip"), std::string::npos);
        response.set_content(text, "text/plain");
    });
    const auto answer = http_exchange({.url = server.address()}, {});
    EXPECT_EQ(answer.header("content-encoding"), "br");
    EXPECT_EQ(answer.body, text);
    EXPECT_EQ(failure_of({.url = server.address(), .body_bytes_max = 199'999}),
              HttpFailure::too_large);
}

TEST(HttpClient, RedirectsAreFollowedAsFarAsAllowed) {
    HttpServer server([](const httplib::Request& request, httplib::Response& response) {
        const int left = std::stoi(request.path.substr(1));
        if (left > 0) {
            response.set_redirect("/" + std::to_string(left - 1), 301);
            response.body = "moved";
        } else {
            response.set_content("here", "text/plain");
        }
    });
    const auto answer = http_exchange({.url = server.address("/3"), .redirects_max = 3}, {});
    EXPECT_EQ(answer.body, "here");
    EXPECT_EQ(answer.url, server.address("/0"));
    EXPECT_EQ(failure_of({.url = server.address("/3"), .redirects_max = 2}),
              HttpFailure::redirects);
    EXPECT_EQ(http_exchange({.url = server.address("/3")}, {}).status, 301);
}

TEST(HttpClient, NoRedirectLeavesHttp) {
    HttpServer server([](const httplib::Request&, httplib::Response& response) {
        response.set_redirect("file:///etc/passwd");
    });
    EXPECT_EQ(failure_of({.url = server.address(), .redirects_max = 5}), HttpFailure::redirects);
}

TEST(HttpClient, ASlowAnswerEndsAtTheDeadline) {
    const RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
                           RawServer::Then::hold);
    EXPECT_EQ(failure_of({.url = server.address(), .total_timeout = 100ms}), HttpFailure::timeout);
}

TEST(HttpClient, ACloseBeforeTheEndIsNoAnswer) {
    const RawServer silent("", RawServer::Then::close);
    EXPECT_EQ(failure_of({.url = silent.address()}), HttpFailure::cut_off);
    const RawServer partial("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
                            RawServer::Then::close);
    EXPECT_EQ(failure_of({.url = partial.address()}), HttpFailure::cut_off);
    const RawServer garbage("SSH-2.0-OpenSSH_9.2\r\n", RawServer::Then::close);
    EXPECT_EQ(failure_of({.url = garbage.address()}), HttpFailure::cut_off);
}

TEST(HttpClient, AnEndlessBodyIsCutAtTheLimit) {
    const RawServer server("HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x'),
                           RawServer::Then::endless);
    EXPECT_EQ(failure_of({.url = server.address(), .body_bytes_max = 1'000'000}),
              HttpFailure::too_large);
}

TEST(HttpClient, EndlessHeadersEndToo) {
    const RawServer server("HTTP/1.1 200 OK\r\nX-A: " + std::string(50'000, 'x') + "\r\nX-",
                           RawServer::Then::endless);
    EXPECT_EQ(failure_of({.url = server.address(), .total_timeout = 5s}), HttpFailure::cut_off);
}

TEST(HttpClient, TrailersAreBoundedToo) {
    std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    for (int i = 0; i < 300; ++i) {
        answer += "X-" + std::to_string(i) + ": " + std::string(1'000, 'x') + "\r\n";
    }
    const RawServer server(answer, RawServer::Then::hold);
    EXPECT_EQ(failure_of({.url = server.address(), .total_timeout = 5s}), HttpFailure::cut_off);
}

TEST(HttpClient, NobodyListens) {
    std::string address;
    {
        const RawServer gone("", RawServer::Then::close);
        address = gone.address();
    }
    EXPECT_EQ(failure_of({.url = address}), HttpFailure::connect);
}

// A certificate that nobody vouches for, made out to 127.0.0.1.
TEST(HttpClient, ACertificateThatNobodyVouchesForIsRefused) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    const auto* common = reinterpret_cast<const unsigned char*>("127.0.0.1");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    ASSERT_GT(X509_sign(certificate, key, EVP_sha256()), 0);

    httplib::SSLServer server(certificate, key);
    ASSERT_TRUE(server.is_valid());
    bool asked = false;
    server.Get(".*", [&](const httplib::Request&, httplib::Response&) { asked = true; });
    const int port = server.bind_to_any_port("127.0.0.1");
    std::thread thread([&] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::yield();
    const std::string address = "https://127.0.0.1:" + std::to_string(port) + "/";
    EXPECT_EQ(failure_of({.url = address}), HttpFailure::tls);
    server.stop();
    thread.join();
    EXPECT_FALSE(asked);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

TEST(HttpClient, AStopEndsAWaitAtOnce) {
    const RawServer server("", RawServer::Then::hold);
    std::stop_source stop;
    auto failure = std::async(std::launch::async, [&] {
        return failure_of({.url = server.address()}, stop.get_token());
    });
    while (server.connections() == 0) std::this_thread::yield();
    stop.request_stop();
    EXPECT_EQ(failure.get(), HttpFailure::stopped);
}

TEST(HttpClient, AddressesAndHosts) {
    EXPECT_TRUE(is_http_address("http://a"));
    EXPECT_TRUE(is_http_address("HTTPS://a"));
    for (const char* text : {"ftp://a", "a.xml", "http:/a", "-", ""}) {
        EXPECT_FALSE(is_http_address(text)) << text;
    }
    EXPECT_EQ(host_of("https://User:Secret@News.Example:8443/feed?key=1"), "news.example:8443");
    EXPECT_EQ(host_of("http://news.example/feed"), "news.example");
    for (const char* text : {"ftp://a/", "file:///etc/passwd", "http://", "http://a b/", "x"}) {
        EXPECT_EQ(failure_of({.url = text}), HttpFailure::address) << text;
    }
    EXPECT_TRUE(is_loopback("http://127.0.0.1:80/v1"));
    EXPECT_TRUE(is_loopback("http://localhost/"));
    EXPECT_TRUE(is_loopback("http://[::1]:8080/"));
    EXPECT_FALSE(is_loopback("http://127.example.com.evil/"));
}

}  // namespace
}  // namespace headpond::ingest
