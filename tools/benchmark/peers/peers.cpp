// Which peers there are, and what each lacks.
#include "../by_name.h"
#include "../material.h"
#include "../rounds.h"
#include "peer.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace headpond::bench {

namespace {

constexpr std::size_t fill_items = 100;  // a call

class SideContestant : public Contestant {
  public:
    SideContestant(std::shared_ptr<void> server, std::unique_ptr<Side> side, std::uint64_t seed)
        : server_(std::move(server)), side_(std::move(side)), material_(seed) {}

    void fill(std::size_t count) override {
        while (count > 0) {
            const std::size_t part = std::min(count, fill_items);
            side_->enqueue(material_.make(part, Tracking::untracked));
            count -= part;
        }
    }
    double cycles(std::size_t calls, std::size_t per_call) override {
        const auto items = material_.make(calls * per_call, Tracking::untracked);
        Stopwatch watch;
        watch.start();
        for (std::size_t at = 0; at < items.size(); at += per_call) {
            side_->enqueue(items.subspan(at, per_call));
            lease_exactly(*side_, per_call);
            side_->ack();
        }
        watch.stop();
        return watch.microseconds();
    }

  private:
    std::shared_ptr<void> server_;  // ends after the side
    std::unique_ptr<Side> side_;
    Material material_;
};

constexpr std::array all{
    Peer{"redis-streams",
         "XADD, XREADGROUP, XACK and XDEL, in a MULTI each; AOF, appendfsync always / no",
         "no fencing: any client acks an id; no bound of items that refuses (MAXLEN drops "
         "silently); no limit of attempts, though deliveries are counted; lapsed leases are "
         "the worker's to claim; no unique keys",
         redis_missing, start_redis_streams, connect_redis_streams},
    Peer{"redis-lists",
         "RPUSH, LMOVE in a MULTI, LTRIM of a list a worker; AOF, appendfsync always / no",
         "no leases that lapse: what a dead worker held stays in its list; no attempts, no "
         "fencing, no bound of items, no unique keys",
         redis_missing, start_redis_lists, connect_redis_lists},
    Peer{"postgres-lease",
         "INSERT of arrays, UPDATE of a lease column with SKIP LOCKED, DELETE by token; "
         "synchronous_commit on / off",
         "bounds, unique keys, a limit of attempts and dead letters are SQL of your own, as "
         "its table and its statements are",
         postgres_missing, start_postgres_lease, connect_postgres_lease},
    Peer{"postgres-delete",
         "INSERT of arrays, DELETE with SKIP LOCKED in a transaction that the ack commits; "
         "synchronous_commit on / off",
         "no attempts; a lease is an open transaction, which ends with its connection and "
         "holds back vacuum; bounds, unique keys and dead letters are SQL of your own",
         postgres_missing, start_postgres_delete, connect_postgres_delete},
    Peer{"beanstalkd", "put, reserve and delete, 100 pipelined; binlog, -f0 / -F",
         "no batches, no bounds, no unique keys; no limit of attempts, though reserves are "
         "counted; fenced by connection alone; all jobs are held in memory",
         beanstalkd_missing, start_beanstalkd, nullptr},
    Peer{"persist-queue-fifo",
         "FIFOSQLiteQueue(auto_commit=False): puts, gets, one task_done(); synchronous FULL / "
         "NORMAL",
         "one consumer: task_done() acks all that were got; no batch put, no leases, no "
         "attempts, no fencing, no bounds",
         persist_queue_missing, start_persist_queue_fifo, nullptr},
    Peer{"persist-queue-ack",
         "SQLiteAckQueue: put, get, ack, clear_acked_data() each 1000; synchronous FULL / "
         "NORMAL",
         "no batches, no attempts, no fencing, no bounds; leases do not lapse: whoever opens "
         "the file takes all back, also from one that works",
         persist_queue_missing, start_persist_queue_ack, nullptr},
    Peer{"plainjob",
         "addMany, getAndMarkJobAsProcessing, markJobAsDone; synchronous FULL / NORMAL, its "
         "default",
         "no batch lease or ack, no fencing, no attempts: a failed job stays failed; no "
         "bounds, no unique keys; a lease's time counts from when the job was due",
         plainjob_missing, start_plainjob, nullptr},
    Peer{"liteque", "enqueue, attemptDequeue, finalize; synchronous FULL / NORMAL, its default",
         "no batches, no bounds; a dequeue is no transaction with better-sqlite3 up to 11.8, "
         "and fails with later ones",
         liteque_missing, start_liteque, nullptr},
};

// Words in lines of a terminal's width, under a margin.
void write_wrapped(std::ostream& out, std::string_view text, std::size_t margin) {
    constexpr std::size_t columns = 110;
    while (text.size() > columns - margin) {
        const std::size_t space = text.rfind(' ', columns - margin);
        out << text.substr(0, space) << '\n' << std::string(margin, ' ');
        text.remove_prefix(space + 1);
    }
    out << text << '\n';
}

}  // namespace

std::span<const Peer> peers() {
    return all;
}

const Peer& peer(std::string_view name) {
    return by_name(peers(), "peer", name);
}

std::string skip_line(std::string_view name, std::string_view why) {
    return "skipped: " + std::string(name) + " (" + std::string(why) + ")";
}

void explain_peers(std::ostream& out) {
    constexpr std::size_t margin = 20;
    out << "peers: how each was driven (power_loss / process_crash), and what it lacks\n";
    for (const Peer& one : all) {
        out << one.name << std::string(margin - one.name.size(), ' ');
        write_wrapped(out, one.how, margin);
        out << std::string(margin, ' ');
        write_wrapped(out, "lacks: " + std::string(one.lacks), margin);
    }
}

std::unique_ptr<Contestant> contestant_of(std::unique_ptr<Side> side, std::uint64_t seed,
                                          std::shared_ptr<void> server) {
    return std::make_unique<SideContestant>(std::move(server), std::move(side), seed);
}

}  // namespace headpond::bench
