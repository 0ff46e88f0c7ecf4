// beanstalkd with its write-ahead log, by its text protocol.
#include "peer.h"
#include "program.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace headpond::bench {

namespace fs = std::filesystem;

namespace {

// A connection. Commands are sent together, and their replies read afterwards.
class BeanstalkLink {
  public:
    explicit BeanstalkLink(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        connected_ =
            ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    BeanstalkLink(const BeanstalkLink&) = delete;
    BeanstalkLink& operator=(const BeanstalkLink&) = delete;
    ~BeanstalkLink() { ::close(socket_); }

    [[nodiscard]] bool connected() const noexcept { return connected_; }
    void send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent <= 0) fail_peer("beanstalkd ended the connection");
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    // Without its end. Valid until the next call.
    std::string_view read_line() {
        std::size_t end = 0;
        while ((end = read_.find("\r\n", at_)) == std::string::npos) receive();
        const std::size_t begin = std::exchange(at_, end + 2);
        return std::string_view(read_).substr(begin, end - begin);
    }
    void skip(std::size_t bytes) {
        while (read_.size() - at_ < bytes) receive();
        at_ += bytes;
    }

  private:
    void receive() {
        read_.erase(0, at_);
        at_ = 0;
        std::array<char, 65'536> part;
        const ssize_t size = ::recv(socket_, part.data(), part.size(), 0);
        if (size < 0 && errno == EINTR) return;
        if (size <= 0) fail_peer("beanstalkd ended the connection");
        read_.append(part.data(), static_cast<std::size_t>(size));
    }

    int socket_;
    bool connected_ = false;
    std::string read_;
    std::size_t at_ = 0;
};

std::size_t number(std::string_view text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

void require(std::string_view line, std::string_view word) {
    if (line.starts_with(word)) return;
    fail_peer("beanstalkd answered " + std::string(line) + "; allowed: " + std::string(word));
}

// It has no batches: as many commands, sent together.
class BeanstalkSide : public Side {
  public:
    explicit BeanstalkSide(const fs::path& folder) : link_(socket_in(folder)) {}

    void enqueue(std::span<const NewItem> items) override {
        text_.clear();
        for (const NewItem& item : items) {
            const std::size_t bytes = item.key.size() + item.payload.size();
            text_ += "put 0 0 60 " + std::to_string(bytes) + "\r\n";
            text_.append(item.key).append(item.payload).append("\r\n");
        }
        link_.send(text_);
        for (std::size_t i = 0; i < items.size(); ++i) require(link_.read_line(), "INSERTED ");
    }
    std::size_t lease(std::size_t count) override {
        text_.clear();
        for (std::size_t i = 0; i < count; ++i) text_ += "reserve-with-timeout 0\r\n";
        link_.send(text_);
        ids_.clear();
        for (std::size_t i = 0; i < count; ++i) {
            const std::string_view line = link_.read_line();
            if (line == "TIMED_OUT") continue;
            require(line, "RESERVED ");
            const std::size_t first = line.find(' ') + 1, second = line.find(' ', first) + 1;
            ids_.emplace_back(line.substr(first, second - 1 - first));
            link_.skip(number(line.substr(second)) + 2);
        }
        return ids_.size();
    }
    void ack() override {
        text_.clear();
        for (const std::string& id : ids_) text_ += "delete " + id + "\r\n";
        link_.send(text_);
        for (std::size_t i = 0; i < ids_.size(); ++i) require(link_.read_line(), "DELETED");
    }

  private:
    BeanstalkLink link_;
    std::string text_;
    std::vector<std::string> ids_;
};

}  // namespace

std::string beanstalkd_missing() {
    if (!find_program("beanstalkd", {"/usr/sbin"}).empty()) return {};
    return "beanstalkd is not installed; apt-get install beanstalkd";
}

std::unique_ptr<Contestant> start_beanstalkd(const PeerTask& task) {
    const bool synced = task.durability == Durability::power_loss;
    const fs::path log = task.folder / "log";
    const std::string socket = socket_in(task.folder);
    auto server = std::make_shared<Child>(
        run_program({.command = {find_program("beanstalkd", {"/usr/sbin"}), "-l", "unix:" + socket,
                                 "-b", task.folder.string(), synced ? "-f0" : "-F"},
                     .log = log}));
    wait_for_server([&] { return BeanstalkLink(socket).connected(); }, log);
    return contestant_of(std::make_unique<BeanstalkSide>(task.folder), task.seed,
                         std::move(server));
}

}  // namespace headpond::bench
