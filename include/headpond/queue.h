// The queue.
#pragma once

#include <headpond/batch.h>
#include <headpond/clock.h>
#include <headpond/error.h>
#include <headpond/export.h>
#include <headpond/health.h>
#include <headpond/item.h>
#include <headpond/options.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

namespace headpond {

enum class When {
    immediate,  // whatever is ready
    due,        // batch_items_due are ready, or the oldest has lingered for batch_linger
};
struct LeaseRequest {
    When when = When::immediate;
    Ms wait{0};                               // how long to wait for work; 0: do not
    std::optional<std::int64_t> items_max{};  // fewer than batch_items_max, for a newly cut batch
    std::optional<Ms> lease_time{};           // else Options::lease_time
    // true: only time ends the lease, neither the end of this process nor that of the Batch object;
    // whoever has the token settles it.
    bool detached = false;
};

struct CleanupReport {
    std::int64_t expired = 0;           // for age
    std::int64_t stale = 0;             // tracked items pending too long
    std::int64_t evicted = 0;           // trimmed after a limit was lowered
    std::int64_t reclaimed = 0;         // batches taken back from lapsed leases and dead owners
    std::int64_t abandoned = 0;         // batches that had used their attempts
    std::int64_t dead_dropped = 0;      // dead letters over their bounds
    std::int64_t outcomes_dropped = 0;  // outcomes over their bounds, unread
    std::int64_t attempts_dropped = 0;  // rows of `attempts` over their bound
    std::int64_t edited = 0;            // hand edits that the recount booked (signed)
    bool recounted = false;             // false: more than 100 000 resident, see Admin::repair
    std::int64_t pages_freed = 0;       // given back to the file system
};

namespace detail {
struct Core;
struct TransactionState;
}  // namespace detail

// The queue's own writer, lent to the function that Queue::transact runs. Everything done through
// it, and through the SQLite handle of headpond/sqlite.h, commits or rolls back together. Use it
// only inside that call and on its thread.
class HEADPOND_API Transaction {
  public:
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    // As the Queue's calls of the same name; overflow = block acts as refuse.
    Enqueued enqueue(const NewItem& item);
    std::vector<Enqueued> enqueue(std::span<const NewItem> items);
    Settled settle(std::string_view token, const Settlement& settlement);
    [[nodiscard]] std::vector<Outcome> outcomes(std::size_t limit) const;
    std::size_t forget(std::span<const std::int64_t> item_ids);

  private:
    friend struct detail::TransactionState;
    explicit Transaction(detail::TransactionState& state) noexcept : state_(&state) {}
    ~Transaction() = default;
    detail::TransactionState* state_;
};

// A bounded, persistent, batch-leasing queue in one SQLite file.
//
// Thread-safe; starts no thread. Many threads may share one Queue and many processes one file.
// Every call may throw Error: busy after turn_timeout, disk_full, io, corrupt, closed, and
// outcome_unknown after a failed sync, from when on every call is refused until the file is opened
// anew. A forked child must not use its parent's Queue (Error closed).
class HEADPOND_API Queue {
  public:
    // Opens, and by Options::migrate creates or migrates. Throws not_a_queue, schema_newer,
    // schema_older, corrupt, unsupported (a network file system), misuse (path or option).
    explicit Queue(Options options);
    Queue(Queue&&) noexcept;
    Queue& operator=(Queue&&) noexcept;
    ~Queue();

    // Stores one item, in one transaction. misuse: a key or tag that is not allowed.
    [[nodiscard]] Enqueued enqueue(const NewItem& item, std::stop_token stop = {});
    // Stores many in one transaction; one answer an item, in their order. With overflow = block,
    // those that find no room follow in later transactions; where one of these fails with busy, io
    // or closed, and some items are stored, the rest are answered refused.
    [[nodiscard]] std::vector<Enqueued> enqueue(std::span<const NewItem> items,
                                                std::stop_token stop = {});

    // Takes a due waiting batch, else cuts a new one. nullopt: nothing in time, stopped, or the
    // gate is closed.
    [[nodiscard]] std::optional<Batch> lease(const LeaseRequest& request = {},
                                             std::stop_token stop = {});
    // Settles by token, from any process.
    Settled settle(std::string_view token, const Settlement& settlement);
    Settled extend(std::string_view token, Ms duration);

    // Up to `limit` outcomes, the item that entered first first.
    [[nodiscard]] std::vector<Outcome> outcomes(std::size_t limit) const;
    // Deletes outcomes that were read; answers how many there were.
    std::size_t forget(std::span<const std::int64_t> item_ids);

    // Removes a ready or waiting item. false: not resident, or leased.
    bool cancel(std::string_view key);
    // Runs the whole cleanup now, in bounded transactions.
    CleanupReport cleanup();
    [[nodiscard]] Health health() const;
    // Writes the line "Buffer health: ..." to the log.
    void log_health() const;

    // Runs fn in one immediate transaction on the queue's own connection, on this thread. Calling
    // this Queue, or a Batch of it, inside fn is misuse. What fn throws rolls back and is rethrown.
    void transact(const std::function<void(Transaction&)>& fn);

    // What is in force: the file's settings and this process's options.
    [[nodiscard]] Options options() const;
    // Makes every waiting lease() of this process look again; with flush, ready items count as due
    // until they are leased.
    void flush();
    void close() noexcept;

  private:
    friend struct detail::Core;
    std::shared_ptr<detail::Core> core_;
};

}  // namespace headpond
