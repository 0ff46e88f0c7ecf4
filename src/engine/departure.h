// How items leave: the one place where rows are deleted, counted, given outcomes and buried.
#pragma once

#include "engine/context.h"
#include "engine/rules.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::engine {

enum class Reason { acked, rejected, abandoned, evicted, expired, stale, cancelled };
[[nodiscard]] std::string_view to_string(Reason reason) noexcept;

struct Leaving {
    const store::ItemRow* item = nullptr;
    // acked: the result. rejected: why. Else unused.
    std::string_view word;
};

// Removes `leaving` (ascending ids), which belong to `batch` or, where that is null, to none. The
// batch's row in memory is reduced; saving or ending it is the caller's (see settle_batch). Reasons
// that make dead letters need rows with payloads. Requires a synced commit.
void depart(Context& context, std::span<const Leaving> leaving, Reason reason,
            store::BatchRow* batch);

// The same for all items of a leased batch, acked without results; none of them is tracked. `sum`:
// of the batch's range.
void depart_untracked(Context& context, store::BatchRow& batch, const store::RangeSum& sum);

// True where `reason` makes dead letters, so that the rows must be loaded with their payloads.
[[nodiscard]] bool buries(Reason reason, const Settings& settings) noexcept;

// Saves a batch whose items were reduced; one without items ends.
void save_or_end(Context& context, store::BatchRow& batch);
// Removes the batch's row and what it still counts.
void end_batch(Context& context, const store::BatchRow& batch);

// Walks the items that may be dropped, oldest first: those of waiting batches, then the ready ones.
class OldestFirst {
  public:
    // Starts behind the item `after`.
    OldestFirst(Context& context, bool with_payloads, std::int64_t after = 0);
    struct Victims {
        std::optional<store::BatchRow> batch;  // empty: ready
        std::vector<store::ItemRow> items;
    };
    // The next run of at most `limit` items that belong together; empty at the end.
    [[nodiscard]] Victims next(std::int64_t limit);

  private:
    Context& context_;
    bool with_payloads_;
    bool waiting_done_ = false;
    std::int64_t after_batch_;  // first_id of the batch that was walked last
    std::int64_t after_item_;
    std::optional<store::BatchRow> batch_;
    [[nodiscard]] std::vector<store::ItemRow> read(std::int64_t first, std::int64_t last,
                                                   std::int64_t limit);
};

// Makes room, oldest first.
class Evictor {
  public:
    explicit Evictor(Context& context);
    // Evicts until what was over the bounds is gone, or `items_max` items are, or none up to
    // `last_id` is left. Answers how many went; what did not go remains in `over`.
    std::int64_t bring_down(Excess& over, std::int64_t items_max,
                            std::int64_t last_id = store::no_limit);

  private:
    void remove(std::size_t first, std::size_t last);

    Context& context_;
    OldestFirst walk_;
    OldestFirst::Victims victims_;
    std::size_t next_ = 0;
};

// What is in the queue now, for the rules.
[[nodiscard]] Fill fill_of(const store::Totals& totals) noexcept;

}  // namespace headpond::engine
