// A leased batch, and how it is settled.
#pragma once

#include <headpond/clock.h>
#include <headpond/export.h>
#include <headpond/item.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headpond {

// One item succeeded. Named by id, or by key where item_id is 0.
struct Result {
    std::int64_t item_id = 0;
    std::string key{};
    std::string result{};  // 0 to payload_bytes_max bytes, kept in the item's outcome
};
// One item must never be tried again: it becomes a dead letter. Named as Result.
struct Rejection {
    std::int64_t item_id = 0;
    std::string key{};
    std::string reason{};
};
// What happens to the items that a settlement does not name.
enum class Rest {
    ack,      // they succeeded, with empty results
    nack,     // failed: back after a backoff, the attempt stays charged
    release,  // undelivered: back after a delay, the attempt is refunded
    split,    // back as two batches, due at once; the attempt stays charged
    keep,     // still leased under the same token
};
// Stops leasing for everybody until a time, or until reopened. See Admin::pause.
struct GateClosure {
    std::optional<Ms> duration{};  // empty: until reopened
    std::string reason{};
};
struct Settlement {
    std::vector<Result> acked{};
    std::vector<Rejection> rejected{};
    Rest rest = Rest::nack;
    std::string
        error{};  // why the rest failed; kept in attempts and dead letters, cut to 1000 bytes
    // nack: empty means exponential backoff, else the delay that the service asked for.
    // release: at least release_delay_min. Others ignore it.
    std::optional<Ms> delay{};
    // Closes the gate in the same transaction (rate limit, quota).
    std::optional<GateClosure> close_gate{};
};
// The answer to a settlement.
struct Settled {
    bool fenced = false;        // the token is superseded: nothing changed
    std::int64_t acked = 0;     // items removed as successful
    std::int64_t rejected = 0;  // items removed as dead letters
    std::int64_t gone = 0;      // named, but no longer in the batch
    std::int64_t stale = 0;     // of the rest, items that had become stale and ended
    bool abandoned = false;     // the rest used up its attempts and died
};

namespace detail {
struct BatchState;
}

// An exclusive, timed hold on a batch. Move-only; one thread at a time; may outlive its Queue and
// still settle. The destructor nacks what is unsettled ("dropped unsettled"): it never throws and
// never waits; where the write lock is not free the nack is done by this Queue's next write, and
// failing that the lapse of the lease does the same. A detached lease is left as it is. A Batch
// that was moved from has no items, and to settle it is misuse.
class HEADPOND_API Batch {
  public:
    Batch(Batch&&) noexcept;
    Batch& operator=(Batch&&) noexcept;
    ~Batch();

    [[nodiscard]] std::int64_t id() const noexcept;
    [[nodiscard]] std::span<const Item> items() const noexcept;
    // Proves the lease: batch id and 64 random bits, e.g. "41-9f86d081884c7d65".
    [[nodiscard]] std::string_view token() const noexcept;
    // 1 for the first delivery.
    [[nodiscard]] int attempt() const noexcept;
    [[nodiscard]] int attempts_max() const noexcept;
    // When the lease lapses, by the queue clock.
    [[nodiscard]] WallTime deadline() const noexcept;

    // One transaction. Throws as Queue::settle. After any answer but Rest::keep the batch is done.
    Settled settle(const Settlement& settlement);
    Settled ack();
    Settled nack(std::string_view error);
    Settled release(Ms delay, std::string_view why);
    Settled split(std::string_view why);
    // The lease lapses `duration` (1 ms to 1 day) from now.
    Settled extend(Ms duration);

  private:
    friend struct detail::BatchState;
    explicit Batch(std::unique_ptr<detail::BatchState> state) noexcept;
    std::unique_ptr<detail::BatchState> state_;
};

}  // namespace headpond
