// Redis with its append-only file: streams with a consumer group, and the reliable queue on lists.
#include "peer.h"
#include "program.h"

#include <stdexcept>
#include <vector>

#ifdef HEADPOND_HIREDIS
#include <hiredis/hiredis.h>
#endif

namespace headpond::bench {

namespace fs = std::filesystem;

#ifdef HEADPOND_HIREDIS

namespace {

using Words = std::vector<std::string_view>;

// A connection. Commands are sent together, and their replies read afterwards.
class RedisLink {
  public:
    using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

    explicit RedisLink(const std::string& socket) : context_(redisConnectUnix(socket.c_str())) {
        if (context_ == nullptr || context_->err != 0) fail_peer("redis does not answer");
    }
    RedisLink(const RedisLink&) = delete;
    RedisLink& operator=(const RedisLink&) = delete;
    ~RedisLink() { redisFree(context_); }

    void send(const Words& words) {
        pointers_.clear();
        lengths_.clear();
        for (const std::string_view word : words) {
            pointers_.push_back(word.data());
            lengths_.push_back(word.size());
        }
        redisAppendCommandArgv(context_, static_cast<int>(words.size()), pointers_.data(),
                               lengths_.data());
    }
    Reply receive() {
        void* reply = nullptr;
        if (redisGetReply(context_, &reply) != REDIS_OK) {
            fail_peer("redis: " + std::string(context_->errstr));
        }
        Reply owned(static_cast<redisReply*>(reply), freeReplyObject);
        if (owned->type == REDIS_REPLY_ERROR) fail_peer("redis: " + std::string(owned->str));
        return owned;
    }
    Reply call(const Words& words) {
        send(words);
        return receive();
    }
    // What was sent since a MULTI, of `count` commands.
    Reply execute(std::size_t count) {
        send({"EXEC"});
        for (std::size_t i = 0; i <= count; ++i) (void)receive();
        Reply reply = receive();
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != count) {
            fail_peer("redis did not execute a transaction");
        }
        return reply;
    }

  private:
    redisContext* context_;
    std::vector<const char*> pointers_;
    std::vector<std::size_t> lengths_;
};

std::string_view text_of(const redisReply* reply) {
    return {reply->str, reply->len};
}

// One entry an item; acked entries are deleted in the same transaction.
class RedisStreamSide : public Side {
  public:
    RedisStreamSide(const fs::path& folder, int number)
        : link_(socket_in(folder)), consumer_("consumer-" + std::to_string(number)) {}

    void enqueue(std::span<const NewItem> items) override {
        const bool one = items.size() == 1;
        if (!one) link_.send({"MULTI"});
        for (const NewItem& item : items) {
            link_.send({"XADD", "items", "*", "key", item.key, "payload", item.payload});
        }
        if (one) (void)link_.receive();
        if (!one) (void)link_.execute(items.size());
    }
    std::size_t lease(std::size_t count) override {
        leased_ = link_.call({"XREADGROUP", "GROUP", "workers", consumer_, "COUNT",
                              std::to_string(count), "STREAMS", "items", ">"});
        // Of one stream: its name and its entries, each an id and its fields.
        if (leased_->type != REDIS_REPLY_ARRAY) return 0;
        return leased_->element[0]->element[1]->elements;
    }
    void ack() override {
        const redisReply* entries = leased_->element[0]->element[1];
        Words acks{"XACK", "items", "workers"}, removals{"XDEL", "items"};
        for (std::size_t i = 0; i < entries->elements; ++i) {
            const std::string_view id = text_of(entries->element[i]->element[0]);
            acks.push_back(id);
            removals.push_back(id);
        }
        link_.send({"MULTI"});
        link_.send(acks);
        link_.send(removals);
        const RedisLink::Reply reply = link_.execute(2);
        if (reply->element[0]->integer != static_cast<long long>(entries->elements)) {
            throw std::runtime_error("redis acked fewer entries than it had leased");
        }
    }

  private:
    RedisLink link_;
    std::string consumer_;
    RedisLink::Reply leased_{nullptr, freeReplyObject};
};

// A list of what waits, and for each worker one of what it works on.
class RedisListSide : public Side {
  public:
    RedisListSide(const fs::path& folder, int number)
        : link_(socket_in(folder)), working_("working-" + std::to_string(number)) {}

    void enqueue(std::span<const NewItem> items) override {
        texts_.clear();
        for (const NewItem& item : items) {
            texts_.push_back(std::string(item.key) + std::string(item.payload));
        }
        Words words{"RPUSH", "items"};
        words.insert(words.end(), texts_.begin(), texts_.end());
        (void)link_.call(words);
    }
    std::size_t lease(std::size_t count) override {
        const Words move{"LMOVE", "items", working_, "LEFT", "RIGHT"};
        leased_ = 0;
        if (count == 1) {
            if (link_.call(move)->type == REDIS_REPLY_STRING) leased_ = 1;
            return leased_;
        }
        link_.send({"MULTI"});
        for (std::size_t i = 0; i < count; ++i) link_.send(move);
        const RedisLink::Reply reply = link_.execute(count);
        for (std::size_t i = 0; i < count; ++i) {
            if (reply->element[i]->type == REDIS_REPLY_STRING) ++leased_;
        }
        return leased_;
    }
    void ack() override { (void)link_.call({"LTRIM", working_, std::to_string(leased_), "-1"}); }

  private:
    RedisLink link_;
    std::string working_;
    std::vector<std::string> texts_;
    std::size_t leased_ = 0;
};

// With everysec it may answer before it has written, while an earlier sync goes on: a kill then
// loses what was acknowledged.
std::shared_ptr<Child> start_server(const PeerTask& task) {
    const bool synced = task.durability == Durability::power_loss;
    const fs::path log = task.folder / "log";
    const std::string socket = socket_in(task.folder);
    auto server = std::make_shared<Child>(
        run_program({.command = {find_program("redis-server"), "--port", "0", "--unixsocket",
                                 socket, "--dir", task.folder.string(), "--save", "",
                                 "--appendonly", "yes", "--appendfsync", synced ? "always" : "no"},
                     .log = log}));
    wait_for_server(
        [&] {
            redisContext* context = redisConnectUnix(socket.c_str());
            const bool answers = context != nullptr && context->err == 0;
            if (context != nullptr) redisFree(context);
            return answers;
        },
        log);
    return server;
}

}  // namespace

std::string redis_missing() {
    if (!find_program("redis-server").empty()) return {};
    return "redis-server is not installed; apt-get install redis-server";
}

std::unique_ptr<Contestant> start_redis_streams(const PeerTask& task) {
    auto server = start_server(task);
    RedisLink link(socket_in(task.folder));
    (void)link.call({"XGROUP", "CREATE", "items", "workers", "0", "MKSTREAM"});
    return contestant_of(connect_redis_streams(task.folder, 0), task.seed, std::move(server));
}

std::unique_ptr<Contestant> start_redis_lists(const PeerTask& task) {
    auto server = start_server(task);
    return contestant_of(connect_redis_lists(task.folder, 0), task.seed, std::move(server));
}

std::unique_ptr<Side> connect_redis_streams(const fs::path& folder, int number) {
    return std::make_unique<RedisStreamSide>(folder, number);
}

std::unique_ptr<Side> connect_redis_lists(const fs::path& folder, int number) {
    return std::make_unique<RedisListSide>(folder, number);
}

#else

namespace {
constexpr const char* absent = "built without hiredis; apt-get install libhiredis-dev redis-server";
}

std::string redis_missing() {
    return absent;
}
std::unique_ptr<Contestant> start_redis_streams(const PeerTask& /*task*/) {
    throw std::runtime_error(absent);
}
std::unique_ptr<Contestant> start_redis_lists(const PeerTask& /*task*/) {
    throw std::runtime_error(absent);
}
std::unique_ptr<Side> connect_redis_streams(const fs::path& /*folder*/, int /*number*/) {
    throw std::runtime_error(absent);
}
std::unique_ptr<Side> connect_redis_lists(const fs::path& /*folder*/, int /*number*/) {
    throw std::runtime_error(absent);
}

#endif

}  // namespace headpond::bench
