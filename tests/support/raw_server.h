// A server on loopback that says what no HTTP server would.
#pragma once

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace headpond::test {

// To each connection, one after the other: reads the head of the request, sends `bytes` (again and
// again where `endless`), and closes, or holds the connection until the other side is gone.
class RawServer {
  public:
    enum class Then { close, hold, endless };

    RawServer(std::string bytes, Then then) : bytes_(std::move(bytes)), then_(then) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof name;
        auto* address = reinterpret_cast<sockaddr*>(&name);
        if (::bind(listener_, address, size) != 0 || ::listen(listener_, 16) != 0 ||
            ::getsockname(listener_, address, &size) != 0) {
            throw std::runtime_error("no port on loopback");
        }
        port_ = ntohs(name.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;
    ~RawServer() {
        stopping_ = true;
        thread_.join();
        ::close(listener_);
    }

    [[nodiscard]] std::string address(const std::string& path = "") const {
        return "http://127.0.0.1:" + std::to_string(port_) + path;
    }
    [[nodiscard]] int connections() const { return connections_; }

  private:
    void serve() {
        while (!stopping_) {
            if (!readable(listener_)) continue;
            const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (peer < 0) continue;
            ++connections_;
            answer(peer);
            ::close(peer);
        }
    }
    void answer(int peer) {
        std::string head;
        while (head.find("\r\n\r\n") == std::string::npos) {
            if (!receive(peer, head)) return;
        }
        do {
            if (::send(peer, bytes_.data(), bytes_.size(), MSG_NOSIGNAL) < 0) return;
        } while (then_ == Then::endless && !stopping_);
        // What was not read makes the close a reset, which may overtake the answer.
        std::string rest;
        while (then_ == Then::close && has_more(peer) && receive(peer, rest)) {
        }
        while (then_ == Then::hold && receive(peer, rest)) {
        }
    }
    bool receive(int peer, std::string& text) {
        while (!stopping_) {
            if (!readable(peer)) continue;
            char bytes[4096];
            const auto count = ::recv(peer, bytes, sizeof bytes, 0);
            if (count <= 0) return false;
            text.append(bytes, static_cast<std::size_t>(count));
            return true;
        }
        return false;
    }
    static bool readable(int descriptor) {
        pollfd one{descriptor, POLLIN, 0};
        return ::poll(&one, 1, 20) > 0;
    }
    static bool has_more(int descriptor) { return readable(descriptor); }

    std::string bytes_;
    Then then_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<bool> stopping_{false};
    std::atomic<int> connections_{0};
    std::thread thread_;
};

}  // namespace headpond::test
