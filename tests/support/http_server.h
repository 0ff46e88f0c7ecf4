// Real HTTP servers on loopback, each on a port of its own.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <httplib.h>

namespace headpond::test {

// Answers by a function of the request, several at once. The function must return once stopping()
// is true, which the destructor makes it.
class HttpServer {
  public:
    using Answer = std::function<void(const httplib::Request&, httplib::Response&)>;

    explicit HttpServer(Answer answer) : answer_(std::move(answer)) {
        const auto handle = [this](const httplib::Request& request, httplib::Response& response) {
            {
                const std::lock_guard lock(mutex_);
                requests_.push_back(request);
            }
            answer_(request, response);
        };
        server_.Get(".*", handle);
        server_.Post(".*", handle);
        port_ = server_.bind_to_any_port("127.0.0.1");
        thread_ = std::thread([this] { server_.listen_after_bind(); });
        while (!server_.is_running()) std::this_thread::yield();
    }
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer() {
        stopping_ = true;
        server_.stop();
        thread_.join();
    }

    [[nodiscard]] std::string address(const std::string& path = "") const {
        return "http://127.0.0.1:" + std::to_string(port_) + path;
    }
    [[nodiscard]] int port() const { return port_; }
    // Those that came so far, in their order.
    [[nodiscard]] std::vector<httplib::Request> requests() const {
        const std::lock_guard lock(mutex_);
        return requests_;
    }
    [[nodiscard]] bool stopping() const { return stopping_; }

  private:
    Answer answer_;
    httplib::Server server_;
    int port_ = 0;
    std::atomic<bool> stopping_{false};
    mutable std::mutex mutex_;  // guards requests_
    std::vector<httplib::Request> requests_;
    std::thread thread_;
};

}  // namespace headpond::test
