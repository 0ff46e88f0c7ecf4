// The queue's rules restated in vectors, as slow and plain as can be: what the gate "model"
// compares the engine with. Of the library it uses the public value types alone.
#pragma once

#include <headpond/admin.h>
#include <headpond/batch.h>
#include <headpond/item.h>
#include <headpond/queue.h>

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::reliability::model {

using Millis = std::int64_t;

// The settings that the model knows. Times in milliseconds, words as 0 and 1.
struct ModelLimits {
    std::int64_t items_max = 3, bytes_max = 100, payload_bytes_max = 60;
    std::int64_t overflow = 0;  // as enum class Overflow
    Millis age_max = 60'000, cleanup_interval = 30'000;
    std::int64_t cleanup_rows = 2, attempts_max = 3;
    std::int64_t batch_items_max = 25, batch_bytes_max = 80, batch_items_due = 2;
    Millis batch_linger = 8'000, backoff_base = 1'000, backoff_max = 3'000;
    Millis release_delay_min = 500;
    std::int64_t isolate_poison = 0;
    Millis pending_max = 40'000;
    std::int64_t stale_from_published = 0;
    std::int64_t outcomes_max = 8, dead_max = 5, keep_dropped = 0;
    Millis outcome_age_max = 50'000, dead_age_max = 70'000;
    std::int64_t breaker_failures = 2;
    Millis breaker_closed = 2'000, breaker_closed_max = 6'000;
};

struct ModelItem {
    std::int64_t id = 0;
    std::string key, source_tag, payload;
    bool tracked = false;
    Millis enqueued_at = 0;
    std::optional<Millis> published_at, stale_at;
    std::int64_t batch = 0;  // 0: ready
    bool operator==(const ModelItem&) const = default;
    [[nodiscard]] std::int64_t bytes() const { return std::ssize(payload); }
};

struct ModelBatch {
    std::int64_t id = 0;
    bool leased = false;
    bool owned = false;  // leased, and not detached
    std::int64_t attempts = 0, releases = 0;
    std::optional<std::int64_t> attempts_max, parent;
    std::string token;  // empty: none is honoured
    std::optional<Millis> lease_expires_at, not_before;
    std::string last_error;
    bool operator==(const ModelBatch&) const = default;
};

struct ModelOutcome {
    std::int64_t item_id = 0;
    std::string key, state, reason, result;
    std::optional<Millis> published_at;
    Millis queued_at = 0, settled_at = 0;
    bool operator==(const ModelOutcome&) const = default;
};

struct ModelDead {
    std::int64_t item_id = 0;
    std::string key, source_tag, payload;
    bool tracked = false;
    Millis enqueued_at = 0;
    std::optional<Millis> published_at;
    std::string reason;
    std::optional<std::int64_t> batch;
    std::int64_t attempts = 0;
    std::string last_error;
    Millis died_at = 0;
    bool operator==(const ModelDead&) const = default;
};

struct ModelGate {
    std::string state = "open";
    std::optional<Millis> until;
    std::string reason;
    std::optional<std::int64_t> trial;
    std::int64_t failures = 0, closures = 0;
    bool operator==(const ModelGate&) const = default;
    // A closed gate whose time has come is half open, without a trial yet.
    [[nodiscard]] ModelGate at(Millis now) const;
};

// In the order of the view `counters`.
enum Counter : std::size_t {
    c_enqueued,
    c_redriven,
    c_edited,
    c_acked,
    c_rejected,
    c_evicted,
    c_expired,
    c_abandoned,
    c_cancelled,
    c_refused,
    c_duplicates,
    c_outcomes_unclaimed,
    c_attempts,
    c_failed_batches,
    c_items,
    c_bytes,
    c_waiting_items,
    c_leased_items,
    c_leased_bytes,
    c_outcomes,
    c_dead_letters,
    counters_known
};
using Counters = std::array<std::int64_t, counters_known>;

// What can be seen of a queue. Items, batches and outcomes by id, dead letters oldest death first.
struct QueueState {
    std::vector<ModelItem> items;
    std::vector<ModelBatch> batches;
    std::vector<ModelOutcome> outcomes;
    std::vector<ModelDead> dead;
    ModelGate gate;
    Counters counters{};
    bool operator==(const QueueState&) const = default;
};
// The first difference in words; empty: none.
[[nodiscard]] std::string difference(const QueueState& expected, const QueueState& seen);

struct ModelAttempt {
    std::int64_t batch = 0, attempt = 0;
    std::string outcome, error;  // outcome is empty while it runs
    std::int64_t items = 0;
    bool operator==(const ModelAttempt&) const = default;
};

// When an operation runs, and the random number that the library is given meanwhile.
struct Moment {
    Millis now = 0;
    std::uint64_t random = 0;
};

struct ModelLease {
    std::int64_t batch = 0, attempt = 0, attempts_max = 0;
    std::vector<ModelItem> items;
    Millis deadline = 0;
};

// A value: copied before a transaction, and put back when it is undone. One thread.
class Model {
  public:
    // `mapped`: keys are told without an INSERT. `last_item_id`: that was issued.
    Model(const ModelLimits& given, Millis now, bool mapped, std::int64_t last_item_id)
        : limits(given), items_issued_(last_item_id), mapped_(mapped), last_cleanup_(now) {}

    ModelLimits limits;
    [[nodiscard]] QueueState state() const;
    [[nodiscard]] const std::vector<ModelAttempt>& attempts() const { return attempts_; }
    [[nodiscard]] const std::vector<ModelOutcome>& outcomes() const { return outcomes_; }

    std::vector<Enqueued> enqueue(const Moment& at, std::span<const NewItem> newcomers);
    // `flush`: ready items count as due; set to false when nothing is left that it would serve.
    std::optional<ModelLease> lease(const Moment& at, const LeaseRequest& request, bool& flush);
    // The library has drawn the token of a lease.
    void issue(std::int64_t batch, const std::string& token) { find(batch)->token = token; }
    // Empty: a misuse, and nothing changed.
    std::optional<Settled> settle(const Moment& at, std::string_view token,
                                  const Settlement& settlement);
    bool extend(const Moment& at, std::string_view token, Millis duration);
    // The process that holds this token ended without a word.
    void owner_died(std::string_view token);
    bool cancel(const Moment& at, std::string_view key);
    std::size_t forget(std::span<const std::int64_t> ids);
    Redriven redrive(const Moment& at, const DeadFilter& filter);
    std::int64_t purge(const DeadFilter& filter);
    void pause(const Moment& at, std::optional<Ms> duration, std::string_view reason);
    void resume() { gate_ = {}; }
    CleanupReport cleanup(const Moment& at);
    // Each enqueue and each lease looks whether it is time.
    void cleanup_if_due(const Moment& at);
    // The next instants at which time alone changes something, for tests that step onto them.
    [[nodiscard]] std::vector<Millis> events() const;

  private:
    // Outcomes and dead letters before an operation: what it adds beyond the bounds goes at its
    // end.
    struct Before {
        std::size_t outcomes = 0, dead = 0;
    };
    [[nodiscard]] Before before() const { return {outcomes_.size(), dead_.size()}; }
    void finish(const Before& before);
    void drop_outcomes(std::size_t count);

    [[nodiscard]] ModelBatch* find(std::int64_t batch);
    [[nodiscard]] ModelBatch* find_token(std::string_view token);
    [[nodiscard]] std::vector<ModelItem> items_of(std::int64_t batch) const;
    [[nodiscard]] std::vector<ModelItem> droppable() const;
    [[nodiscard]] bool resident(std::string_view key) const;
    [[nodiscard]] std::int64_t bytes(bool leased_only) const;
    [[nodiscard]] std::int64_t items(bool leased_only) const;
    [[nodiscard]] bool leased(const ModelItem& item) const;
    [[nodiscard]] bool evicts() const { return limits.overflow == 0; }
    [[nodiscard]] bool stale(const ModelItem& item, Millis now) const;
    [[nodiscard]] std::int64_t allowed(const ModelBatch& batch) const;
    [[nodiscard]] Millis backoff(std::int64_t attempts, std::uint64_t random) const;

    // The item leaves. Its batch, if it has one, stays until end_if_empty.
    void leave(const ModelItem& item, std::string_view reason, std::string_view word, Millis now);
    void end_if_empty(std::int64_t batch);
    void end(std::int64_t batch);
    void drop(const ModelItem& item, std::string_view reason, Millis now);
    void evict(std::int64_t items_over, std::int64_t bytes_over, std::int64_t most, Millis now);
    Enqueued admit(const Moment& at, const NewItem& newcomer);
    Enqueued store(const Moment& at, const NewItem& newcomer);

    void finish_attempt(const ModelBatch& batch, std::string_view outcome, std::string_view error,
                        std::int64_t acked = -1);
    void park(ModelBatch& batch, Millis not_before);
    void recover(const Moment& at, CleanupReport& report);
    // False: all of its items were stale.
    bool give_up(std::int64_t batch, Millis now);
    void split(std::int64_t batch, Millis now);
    std::optional<std::int64_t> take_due(Millis now);
    std::optional<std::int64_t> cut(const Moment& at, const LeaseRequest& request, bool flush);
    ModelLease hold(std::int64_t batch, const Moment& at, const LeaseRequest& request);

    struct Named {
        std::vector<std::pair<ModelItem, std::string>> acked, rejected;
        std::vector<ModelItem> rest;
        std::int64_t gone = 0;
    };
    [[nodiscard]] std::optional<Named> name(std::int64_t batch, const Settlement& settlement) const;
    void settle_gate(const Moment& at, std::int64_t batch, bool settled, const Settlement& how);
    void settle_rest(const Moment& at, std::int64_t batch, const Settlement& how, Settled& answer);
    void trip(const Moment& at, std::string_view reason);

    std::vector<ModelItem> items_;        // by id
    std::vector<ModelBatch> batches_;     // by id
    std::vector<ModelOutcome> outcomes_;  // by item id
    std::vector<ModelDead> dead_;         // by death, then item id
    std::vector<ModelAttempt> attempts_;
    std::vector<std::pair<std::int64_t, std::size_t>> running_;  // batch, row of attempts_
    std::set<std::int64_t> gone_;  // leased batches whose owner is dead
    ModelGate gate_;
    Millis gate_closed_at_ = 0;
    Counters counters_{};
    std::int64_t items_issued_ = 0, batches_issued_ = 0;
    bool mapped_;
    Millis last_cleanup_;
};

}  // namespace headpond::reliability::model
