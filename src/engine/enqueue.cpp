#include "engine/departure.h"
#include "engine/operations.h"
#include "engine/rules.h"
#include "engine/text.h"

#include <headpond/error.h>

#include <algorithm>
#include <optional>
#include <string>

namespace headpond::engine {

using store::Counters;

namespace {

constexpr std::size_t key_bytes_max = 1024;
constexpr std::size_t tag_bytes_max = 256;

void check_text(std::string_view what, std::string_view text, std::size_t least, std::size_t most) {
    const auto fail = [&](std::string_view wrong) {
        throw Error(ErrorCode::misuse, "enqueue", "",
                    std::string(what) + " " + std::string(wrong) +
                        "; allowed: " + std::to_string(least) + " to " + std::to_string(most) +
                        " bytes of UTF-8 without NUL");
    };
    if (text.size() < least) fail("is empty");
    if (text.size() > most) fail("has " + std::to_string(text.size()) + " bytes");
    if (text.find('\0') != std::string_view::npos) fail("contains a NUL byte");
    if (!is_utf8(text)) fail("is not UTF-8");
}

class Admitting {
  public:
    Admitting(Context& context, std::span<const NewItem> items, bool may_block)
        : context_(context),
          items_(items),
          may_block_(may_block),
          may_evict_(context.settings.overflow_policy() == Overflow::evict_oldest),
          evictor_(std::in_place, context),
          older_(context.totals.item_ids.last),
          disk_left_(disk_left()) {
        answer_.answers.resize(items.size(), Enqueued::refused);
    }

    Admitted run() {
        const bool was_empty = context_.totals.ready() <= 0;
        if (items_.size() > 1 && ample_room()) {
            insert_all();
        } else {
            admit_one_by_one();
        }
        if (may_evict_ && stored_ > 0) {
            while (!make_room(excess(fill_of(context_.totals), context_.settings),
                              context_.settings.cleanup_rows)) {
            }
        }
        const std::int64_t due = context_.settings.batch_items_due;
        const std::int64_t ready = context_.totals.ready();
        const bool crossed = ready >= due && ready - stored_ < due;
        context_.effects.wake |= stored_ > 0 && (was_empty || crossed);
        return std::move(answer_);
    }

  private:
    void admit_one_by_one() {
        for (std::size_t i = 0; i < items_.size(); ++i) {
            if (!answer_.blocked.empty()) {
                answer_.blocked.push_back(i);
                continue;
            }
            const Enqueued answer = one(items_[i]);
            if (answer == Enqueued::refused && may_block_) {
                answer_.blocked.push_back(i);
                continue;
            }
            answer_.answers[i] = answer;
            count(answer);
        }
    }

    // Whatever the others are answered, each has its place: nobody need be asked one by one.
    [[nodiscard]] bool ample_room() const {
        Fill fill = fill_of(context_.totals);
        std::int64_t left = disk_left_;
        for (const NewItem& item : items_) {
            const auto bytes = static_cast<std::int64_t>(item.payload.size());
            if (admit(fill, bytes, context_.settings, false) != Admission::store) return false;
            fill.items += 1;
            fill.bytes += bytes;
            left -= disk_cost(item);
        }
        return left >= 0;
    }

    void insert_all() {
        std::vector<store::NewRow> rows;
        rows.reserve(items_.size());
        for (const NewItem& item : items_) rows.push_back(row_of(item));
        const auto ids = context_.tx.insert_all(rows);
        for (std::size_t i = 0; i < items_.size(); ++i) {
            answer_.answers[i] = Enqueued::duplicate;
            if (ids[i]) {
                answer_.answers[i] = Enqueued::stored;
                count_stored(static_cast<std::int64_t>(items_[i].payload.size()));
            }
            count(answer_.answers[i]);
        }
    }

    // Bytes that newcomers may still take of the file's limit and of the disk.
    [[nodiscard]] std::int64_t disk_left() const {
        const std::int64_t most = context_.settings.file_bytes_max;
        return std::min(most - context_.tx.file_bytes(most / 2),
                        context_.host.disk_free() - context_.settings.disk_free_min);
    }

    Enqueued one(const NewItem& item) {
        auto answer = try_one(item);
        while (!answer) answer = try_one(item);  // the counters were wrong, and are right now
        return *answer;
    }

    // nullopt: what the bounds were decided by has been recounted.
    std::optional<Enqueued> try_one(const NewItem& item) {
        const auto bytes = static_cast<std::int64_t>(item.payload.size());
        const auto& settings = context_.settings;
        Fill fill = fill_of(context_.totals);
        // A duplicate is told before the bounds are looked at: it needs no room.
        const bool room = fill.items < settings.items_max && bytes <= settings.payload_bytes_max &&
                          bytes <= settings.bytes_max - fill.bytes;
        if (!room && unique() && context_.tx.find(item.key)) return Enqueued::duplicate;
        switch (admit(fill, bytes, settings, may_evict_)) {
            case Admission::too_large:
                return Enqueued::too_large;
            case Admission::refused:
                return Enqueued::refused;
            case Admission::store:
                break;
        }
        fill.items += 1;
        fill.bytes += bytes;
        const Excess over = needed(excess(fill, settings), bytes);
        if (over.any() && !make_room(over, store::no_limit)) return std::nullopt;
        const std::int64_t cost = disk_cost(item);
        if (!over.any() && cost > disk_left_) {
            return unique() && context_.tx.find(item.key) ? Enqueued::duplicate : Enqueued::no_room;
        }
        disk_left_ -= over.any() ? 0 : cost;
        return insert(item, bytes);
    }

    // Evicts, newcomers of this call last: they go only where nothing older is left to go, and the
    // counters say so too. Where these tell of older items, rows were deleted by hand: then the
    // answer is false, once a call, and the counters are right.
    bool make_room(Excess over, std::int64_t items_max) {
        const std::int64_t gone = evictor_->bring_down(over, items_max, older_);
        if (!over.any() || gone >= items_max) return true;
        if (!counters_checked_) {
            counters_checked_ = true;
            if (counters_tell_of_older()) {
                context_.effects.wake = true;  // what was told of ready items was wrong too
                recount(context_);
                evictor_.emplace(context_);  // waiting batches may have come
                return false;
            }
        }
        evictor_->bring_down(over, items_max - gone);
        return true;
    }

    // Until the counters are checked, what this call stored is all there.
    [[nodiscard]] bool counters_tell_of_older() const {
        const Fill fill = fill_of(context_.totals);
        return fill.items - fill.leased_items > stored_ ||
               fill.bytes - fill.leased_bytes > stored_bytes_;
    }

    // Rows, index entries and the log take more than the payload: twice is ample.
    [[nodiscard]] static std::int64_t disk_cost(const NewItem& item) {
        return 2 * static_cast<std::int64_t>(item.payload.size() + item.key.size() + 256);
    }

    // What this newcomer needs; an older excess is trimmed at the end, in bounded steps.
    [[nodiscard]] static Excess needed(Excess over, std::int64_t bytes) {
        return {.items = std::min<std::int64_t>(over.items, 1),
                .bytes = std::min<std::int64_t>(over.bytes, bytes)};
    }

    [[nodiscard]] store::NewRow row_of(const NewItem& item) const {
        std::optional<store::Millis> published;
        if (item.published_at) published = to_millis(*item.published_at);
        const bool tracked = item.tracking == Tracking::tracked;
        return {.key = item.key,
                .source_tag = item.source_tag,
                .payload = item.payload,
                .enqueued_at = context_.now,
                .tracked = tracked,
                .published_at = published,
                .stale_at = tracked ? stale_at(published, context_.settings) : std::nullopt};
    }

    Enqueued insert(const NewItem& item, std::int64_t bytes) {
        if (!context_.tx.insert(row_of(item))) return Enqueued::duplicate;
        count_stored(bytes);
        return Enqueued::stored;
    }

    void count_stored(std::int64_t bytes) {
        context_.dirty = true;
        context_.count(&Counters::enqueued, 1);
        context_.count(&Counters::items, 1);
        context_.count(&Counters::bytes, bytes);
        context_.count(&Counters::age_sum, context_.now - context_.totals.age_base);
        ++stored_;
        stored_bytes_ += bytes;
    }

    void count(Enqueued answer) {
        switch (answer) {
            case Enqueued::stored:
                break;
            case Enqueued::duplicate:
                context_.count(&Counters::duplicates, 1);
                break;
            case Enqueued::too_large:
            case Enqueued::refused:
            case Enqueued::no_room:
                context_.count(&Counters::refused, 1);
                break;
        }
    }

    [[nodiscard]] bool unique() const { return context_.settings.keys_are_unique(); }

    Context& context_;
    std::span<const NewItem> items_;
    bool may_block_;
    bool may_evict_;
    std::optional<Evictor> evictor_;
    std::int64_t older_;  // the last id before this call
    bool counters_checked_ = false;
    std::int64_t disk_left_;
    std::int64_t stored_ = 0, stored_bytes_ = 0;
    Admitted answer_;
};

}  // namespace

void check_newcomers(std::span<const NewItem> items) {
    for (const NewItem& item : items) {
        check_text("key", item.key, 1, key_bytes_max);
        check_text("source_tag", item.source_tag, 0, tag_bytes_max);
    }
}

Admitted enqueue(Context& context, std::span<const NewItem> items, bool may_block) {
    return Admitting(context, items, may_block).run();
}

}  // namespace headpond::engine
