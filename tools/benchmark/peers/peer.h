// The queues that a user could take instead of the library, each driven as its documentation says.
#pragma once

#include "../side.h"

#include <headpond/options.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

namespace headpond::bench {

// One that is measured, with its server or its files, until the object ends. One thread at a time.
// Throws std::runtime_error, and Interrupted.
class Contestant {
  public:
    Contestant() = default;
    Contestant(const Contestant&) = delete;
    Contestant& operator=(const Contestant&) = delete;
    virtual ~Contestant() = default;

    // Adds `count` items.
    virtual void fill(std::size_t count) = 0;
    // Enqueues `per_call` items, leases and acks as many, `calls` times: microseconds. What it
    // enqueues is made beforehand, and what a peer keeps of acked items is removed, both untimed.
    virtual double cycles(std::size_t calls, std::size_t per_call) = 0;
};

// What a contestant is started with.
struct PeerTask {
    std::filesystem::path folder;  // its own, there and empty
    Durability durability = Durability::power_loss;
    std::uint64_t seed = 1;
};

struct Peer {
    std::string_view name;   // as --json has it
    std::string_view how;    // it is driven
    std::string_view lacks;  // of what the library guarantees
    // Why it cannot be measured here and how to get it; empty: it can.
    std::string (*missing)();
    std::unique_ptr<Contestant> (*start)(const PeerTask& task);
    // A connection to the server that runs in the folder, on behalf of client `number`; nullptr: it
    // takes part in no team.
    std::unique_ptr<Side> (*connect)(const std::filesystem::path& folder, int number);
};
// In the order of their rows.
[[nodiscard]] std::span<const Peer> peers();
// Throws std::invalid_argument.
[[nodiscard]] const Peer& peer(std::string_view name);

// "skipped: NAME (WHY)".
[[nodiscard]] std::string skip_line(std::string_view name, std::string_view why);
// What each lacks, for below the rows.
void explain_peers(std::ostream& out);

// --- what peers are made of ----------------------------------------------------------------------

// Drives a side. `server` is what the side's far end lives in, ended after it.
[[nodiscard]] std::unique_ptr<Contestant> contestant_of(std::unique_ptr<Side> side,
                                                        std::uint64_t seed,
                                                        std::shared_ptr<void> server = nullptr);

[[nodiscard]] std::string redis_missing();
[[nodiscard]] std::unique_ptr<Contestant> start_redis_streams(const PeerTask& task);
[[nodiscard]] std::unique_ptr<Contestant> start_redis_lists(const PeerTask& task);
[[nodiscard]] std::unique_ptr<Side> connect_redis_streams(const std::filesystem::path& folder,
                                                          int number);
[[nodiscard]] std::unique_ptr<Side> connect_redis_lists(const std::filesystem::path& folder,
                                                        int number);
[[nodiscard]] std::string postgres_missing();
[[nodiscard]] std::unique_ptr<Contestant> start_postgres_lease(const PeerTask& task);
[[nodiscard]] std::unique_ptr<Contestant> start_postgres_delete(const PeerTask& task);
[[nodiscard]] std::unique_ptr<Side> connect_postgres_lease(const std::filesystem::path& folder,
                                                           int number);
[[nodiscard]] std::unique_ptr<Side> connect_postgres_delete(const std::filesystem::path& folder,
                                                            int number);
[[nodiscard]] std::string beanstalkd_missing();
[[nodiscard]] std::unique_ptr<Contestant> start_beanstalkd(const PeerTask& task);
[[nodiscard]] std::string persist_queue_missing();
[[nodiscard]] std::unique_ptr<Contestant> start_persist_queue_fifo(const PeerTask& task);
[[nodiscard]] std::unique_ptr<Contestant> start_persist_queue_ack(const PeerTask& task);
[[nodiscard]] std::string plainjob_missing();
[[nodiscard]] std::unique_ptr<Contestant> start_plainjob(const PeerTask& task);
[[nodiscard]] std::string liteque_missing();
[[nodiscard]] std::unique_ptr<Contestant> start_liteque(const PeerTask& task);

}  // namespace headpond::bench
