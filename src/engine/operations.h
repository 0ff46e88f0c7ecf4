// The operations: transaction scripts that know the rules and store.h only. Each runs inside one
// write transaction, is finished by Context::finish, and may be run again after a rollback.
#pragma once

#include "engine/context.h"

#include <headpond/batch.h>
#include <headpond/item.h>
#include <headpond/queue.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::engine {

// --- enqueue -------------------------------------------------------------------------------------

struct Admitted {
    std::vector<Enqueued> answers;  // one an item
    // refused only because the queue is full: waiting may help (overflow = block)
    std::vector<std::size_t> blocked;
};
// Throws misuse for a key or tag that is not allowed, before anything is stored.
void check_newcomers(std::span<const NewItem> items);
// with may_block, the first item without room and all after it are left in `blocked` uncounted.
[[nodiscard]] Admitted enqueue(Context& context, std::span<const NewItem> items, bool may_block);

// --- lease ---------------------------------------------------------------------------------------

struct LeaseOrder {
    bool when_due = false;
    bool flush = false;  // ready items count as due
    std::optional<std::int64_t> items_max;
    store::Millis lease_time = 0;
    bool detached = false;
};
struct LeaseAnswer {
    std::optional<store::BatchRow> batch;  // empty: nothing to lease
    std::vector<Item> items;
    std::int64_t attempts_max = 0;
    bool gate_closed = false;  // the gate, or a trial on its way, stopped it before it looked
};
[[nodiscard]] LeaseAnswer lease(Context& context, const LeaseOrder& order);

// What a read transaction sees of the work to come: when to look again.
struct Outlook {
    bool now = false;                 // a lease would find something to do
    std::optional<store::Millis> at;  // or from then on, by the queue clock
    bool gate_closed = false;
    // Other processes that hold leases, alive when looked at: one that dies gives no sign.
    std::vector<store::OwnerRow> holders;
};
[[nodiscard]] Outlook outlook(store::Transaction& tx, Host& host, const Settings& settings,
                              const LeaseOrder& order);

// --- settle --------------------------------------------------------------------------------------

// Throws misuse where the settlement names an item twice, or a result is too large.
[[nodiscard]] Settled settle(Context& context, std::string_view token,
                             const Settlement& settlement);
[[nodiscard]] Settled extend(Context& context, std::string_view token, store::Millis duration);
// The batch id of a token; nullopt for what cannot be one.
[[nodiscard]] std::optional<std::int64_t> batch_of_token(std::string_view token) noexcept;

// --- recover -------------------------------------------------------------------------------------

struct Recovered {
    std::int64_t batches = 0;    // taken back
    std::int64_t abandoned = 0;  // batches
};
// Takes back lapsed leases and those of dead owners, at most `limit` batches.
Recovered recover(Context& context, std::int64_t limit);
// Abandons a batch that has used its attempts, or splits it (isolate_poison). With fewer rows
// allowed than it has items, it is left for the next recovery. Stale items leave as such first.
enum class GivenUp { abandoned, stale, not_yet };
GivenUp give_up(Context& context, store::BatchRow batch);

// --- cleanup, one bounded step a call ------------------------------------------------------------

enum class Step {
    claim,
    recover,
    give_up,
    expire,
    stale_queued,
    stale_published,
    trim,
    dead,
    outcomes,
    attempts,
    owners,
    recount,
    done
};
struct Progress {
    Step step = Step::claim;
    std::int64_t cursor = 0;
};
// Runs one transaction's worth and moves `progress` on. With force the interval is not looked at.
void cleanup_step(Context& context, Progress& progress, CleanupReport& report, bool force);
[[nodiscard]] bool cleanup_is_due(const store::Totals& totals, const Settings& settings,
                                  store::Millis now) noexcept;
// Sets every counter from the rows; returns the booked difference.
std::int64_t recount(Context& context);

// --- the rest ------------------------------------------------------------------------------------

[[nodiscard]] std::vector<Outcome> outcomes(store::Transaction& tx, std::size_t limit);
[[nodiscard]] std::size_t forget(Context& context, std::span<const std::int64_t> item_ids);
[[nodiscard]] bool cancel(Context& context, std::string_view key);

struct RedriveAnswer {
    std::int64_t redriven = 0, duplicates = 0, too_large = 0;
    bool full = false;         // the bounds stopped it
    store::DeadPosition last;  // the last letter that was redriven or skipped
};
[[nodiscard]] RedriveAnswer redrive(Context& context, const store::DeadQuery& query);
[[nodiscard]] std::int64_t purge(Context& context, const store::DeadQuery& query);

void close_gate(Context& context, std::optional<store::Millis> duration, std::string_view reason,
                std::string_view by);
void open_gate(Context& context, std::string_view by);

// The line that operators of the original know by heart.
[[nodiscard]] std::string health_line(const store::Totals& totals, const Settings& settings,
                                      store::Millis oldest_age);

// Conversions for what crosses the public surface.
[[nodiscard]] inline WallTime to_wall(store::Millis at) {
    return WallTime{Ms{at}};
}
[[nodiscard]] inline store::Millis to_millis(WallTime at) {
    return at.time_since_epoch().count();
}
[[nodiscard]] Item to_item(store::ItemRow&& row);
[[nodiscard]] Outcome to_outcome(store::OutcomeRow&& row);

}  // namespace headpond::engine
