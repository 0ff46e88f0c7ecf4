// 200 feeds that change, and a service that is down a tenth of the time, on loopback.
#pragma once

#include "support/chat_server.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace headpond::test {

// Feeds on a few servers. An alert stays in its feed at least until it was served once, so that a
// reader that loses none has them all. Thread-safe.
class News {
  public:
    News(std::size_t feeds, std::size_t servers, std::uint64_t seed);

    // Adds one alert to a feed chosen at random.
    void add();
    [[nodiscard]] std::vector<std::string> addresses() const;
    [[nodiscard]] std::int64_t added() const { return added_; }
    [[nodiscard]] std::int64_t requests() const { return requests_; }
    [[nodiscard]] std::int64_t unchanged() const { return unchanged_; }
    [[nodiscard]] std::int64_t failed() const { return failed_; }

  private:
    struct Feed {
        std::mutex mutex;  // guards the others
        std::deque<std::int64_t> alerts;
        std::size_t unserved = 0;  // the newest so many
        std::int64_t version = 0;
    };

    void answer(const httplib::Request& request, httplib::Response& response);
    bool fails();

    static constexpr std::size_t shown = 30;  // alerts that a feed lists
    static constexpr int failing = 30;        // of a thousand requests

    std::vector<std::unique_ptr<Feed>> feeds_;
    std::mutex random_mutex_;  // guards random_
    std::mt19937_64 random_;
    std::atomic<std::int64_t> added_{0}, requests_{0}, unchanged_{0}, failed_{0};
    std::vector<std::unique_ptr<HttpServer>> servers_;
};

// Locates everything, but is down for the first tenth of each period, in a way that changes:
// server errors, rate limits, broken answers.
class TroubledService {
  public:
    explicit TroubledService(std::chrono::milliseconds period);

    // From now on it is up.
    void mend() { mended_ = true; }
    [[nodiscard]] std::string address() const { return server_.address(); }
    [[nodiscard]] std::int64_t answered() const { return answered_; }
    [[nodiscard]] std::int64_t refused() const { return refused_; }

  private:
    void answer(const httplib::Request& request, httplib::Response& response);

    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::chrono::milliseconds period_;
    std::atomic<bool> mended_{false};
    std::atomic<std::int64_t> answered_{0}, refused_{0};
    HttpServer server_;
};

}  // namespace headpond::test
