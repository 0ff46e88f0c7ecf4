// Bytes as calls on a small queue; the file must be sound at the end.
#include "fuzz_input.h"
#include "queue_file.h"

#include <headpond/admin.h>
#include <headpond/queue.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace headpond::fuzz {
namespace {

class Life {
  public:
    Life(const Folder& folder, Input& input) : input_(input) {
        options_ = small_options(folder / "queue.db");
        clock_ = std::dynamic_pointer_cast<test::FakeClock>(options_.clock);
        options_.items_max = 2 + static_cast<std::int64_t>(input.below(8));
        options_.bytes_max = 64 + static_cast<std::int64_t>(input.byte());
        options_.batch_items_max = 1 + static_cast<std::int64_t>(input.below(4));
        options_.attempts_max = 1 + static_cast<std::int64_t>(input.below(3));
        options_.cleanup_rows = 1 + static_cast<std::int64_t>(input.below(4));
        options_.overflow = static_cast<Overflow>(input.below(3));
        options_.stale_from = static_cast<StaleFrom>(input.below(2));
        options_.keys = static_cast<Keys>(input.below(2));
        const std::uint8_t bits = input.byte();
        options_.isolate_poison = (bits & 1U) != 0;
        options_.keep_dropped = (bits & 2U) != 0;
        options_.age_max = Ms{60'000};
        options_.pending_max = Ms{40'000};
        options_.cleanup_interval = Ms{30'000};
        options_.breaker_failures = 2;
        options_.outcomes_max = 6;
        options_.dead_max = 5;
        options_.attempts_kept = 8;
        queue_.emplace(options_);
    }

    void run() {
        for (int i = 0; i < 60 && !input_.empty(); ++i) guarded([&] { call(); });
        batches_.clear();
        const CheckReport report = Admin(*queue_).check();
        for (const CheckFinding& finding : report.findings) {
            if (!finding.warning) found("check: " + finding.what + ": " + finding.detail);
        }
        const Health health = queue_->health();
        require(health.ledger_difference == 0, "the ledger");
        require(health.items >= 0 && health.bytes >= 0, "a negative count");
    }

  private:
    // A call may be misuse or meet what is missing; damage and a lock that is never freed may not
    // come of calls.
    template <class Call>
    void guarded(Call call) {
        try {
            call();
        } catch (const Error& error) {
            require_one_line(error.what());
            const bool fair = error.code() == ErrorCode::misuse ||
                              error.code() == ErrorCode::unsupported ||
                              error.code() == ErrorCode::closed;
            if (!fair) found(error.what());
        }
    }

    std::string key() { return input_.flag() ? "k" + std::to_string(input_.below(12)) : text(); }
    std::string text() { return input_.text(40); }
    Ms time() { return Ms{input_.number()}; }
    std::string token() {
        if (tokens_.empty() || input_.below(4) == 0) return text();
        return tokens_[input_.below(tokens_.size())];
    }

    void call() {
        switch (input_.below(20)) {
            case 0:
            case 1:
            case 2:
                return enqueue();
            case 3:
            case 4:
            case 5:
                return lease();
            case 6:
            case 7:
            case 8:
                return settle_batch();
            case 9: {
                const std::string by = token();
                (void)queue_->settle(by, settlement(nullptr));
                return;
            }
            case 10: {
                const std::string by = token();
                (void)queue_->extend(by, time());
                return;
            }
            case 11:
                return clock_->advance(Ms{static_cast<std::int64_t>(input_.word(3))});
            case 12:
                return clock_->step_wall(Ms{static_cast<std::int64_t>(input_.word(4))} -
                                         Ms{0x7fffffff});
            case 13:
                return outcomes();
            case 14:
                (void)queue_->cancel(key());
                return;
            case 15:
                (void)queue_->cleanup();
                return;
            case 16:
                return transact();
            case 17:
                return reopen();
            default:
                return administer();
        }
    }

    void enqueue() {
        std::vector<std::string> texts;
        const std::size_t count = 1 + input_.below(4);
        for (std::size_t i = 0; i < count; ++i) {
            texts.push_back(key());
            texts.push_back(text());
            texts.emplace_back(input_.below(90), 'p');
        }
        std::vector<NewItem> items;
        for (std::size_t i = 0; i < count; ++i) {
            NewItem item{.key = texts[3 * i],
                         .source_tag = texts[3 * i + 1],
                         .payload = texts[3 * i + 2],
                         .tracking = static_cast<Tracking>(input_.below(2))};
            if (input_.flag()) item.published_at = WallTime{time()};
            items.push_back(item);
        }
        require(queue_->enqueue(items).size() == count, "an answer for each item");
    }

    void lease() {
        LeaseRequest request{.when = static_cast<When>(input_.below(2)), .detached = input_.flag()};
        if (input_.flag()) request.items_max = input_.number();
        if (input_.flag()) request.lease_time = time();
        auto batch = queue_->lease(request);
        if (!batch) return;
        require(!batch->items().empty(), "an empty batch");
        require(batch->attempt() >= 1 && batch->attempt() <= batch->attempts_max(), "an attempt");
        tokens_.emplace_back(batch->token());
        batches_.push_back(std::move(*batch));
    }

    Settlement settlement(const Batch* batch) {
        Settlement made;
        made.rest = static_cast<Rest>(input_.below(5));
        made.error = text();
        if (input_.flag()) made.delay = time();
        if (input_.below(8) == 1) {
            made.close_gate = GateClosure{.reason = text()};
            if (input_.flag()) made.close_gate->duration = time();
        }
        for (std::size_t i = 0, n = input_.below(4); i < n; ++i) {
            const bool known = batch != nullptr && !batch->items().empty() && input_.flag();
            const std::int64_t id =
                known ? batch->items()[input_.below(batch->items().size())].id : input_.number();
            const std::string by_key = id == 0 ? key() : std::string();
            if (input_.flag()) {
                made.acked.push_back({.item_id = id, .key = by_key, .result = text()});
            } else {
                made.rejected.push_back({.item_id = id, .key = by_key, .reason = text()});
            }
        }
        return made;
    }

    void settle_batch() {
        if (batches_.empty()) return;
        const std::size_t at = input_.below(batches_.size());
        Batch& batch = batches_[at];
        const std::size_t how = input_.below(6);
        if (how == 0) {
            (void)batch.extend(time());
        } else if (how == 1) {
            const Ms delay = time();
            (void)batch.release(delay, text());
        } else if (how > 2) {
            (void)batch.settle(settlement(&batch));
        }
        if (input_.flag()) batches_.erase(batches_.begin() + static_cast<std::ptrdiff_t>(at));
    }

    void outcomes() {
        std::vector<std::int64_t> ids;
        for (const Outcome& one : queue_->outcomes(input_.byte())) ids.push_back(one.item_id);
        if (input_.flag()) ids.push_back(input_.number());
        (void)queue_->forget(ids);
    }

    void transact() {
        struct Undone {};
        const bool undo = input_.flag();
        try {
            queue_->transact([&](Transaction& transaction) {
                const std::string one = key();
                (void)transaction.enqueue({.key = one, .tracking = Tracking::tracked});
                const std::string by = token();
                (void)transaction.settle(by, settlement(nullptr));
                if (undo) throw Undone{};
            });
        } catch (const Undone&) {
            return;  // rolled back, as wanted
        }
    }

    void reopen() {
        if (input_.flag()) batches_.clear();
        queue_.reset();
        if (input_.flag()) clock_->reboot(Ms{static_cast<std::int64_t>(input_.word(3))});
        try {
            queue_.emplace(options_);
        } catch (const Error& error) {
            found(error.what());
        }
    }

    DeadFilter filter() {
        return {.key = input_.flag() ? key() : "",
                .reason = input_.flag() ? text() : "",
                .limit = input_.byte()};
    }

    void administer() {
        Admin admin(*queue_);
        const std::int64_t number = input_.number();
        const std::string one = text();
        const std::string other = text();
        switch (input_.below(12)) {
            case 0: {
                const auto docs = option_docs();
                const auto name = docs[input_.below(docs.size())].name;
                return admin.set(name, input_.flag() ? one : std::to_string(number), other);
            }
            case 1:
                return admin.pause(input_.flag() ? std::optional(Ms{number}) : std::nullopt, one,
                                   other);
            case 2:
                return admin.resume(one);
            case 3:
                (void)admin.redrive(filter());
                return;
            case 4:
                (void)admin.purge(filter());
                return;
            case 5:
                (void)admin.repair();
                return;
            case 6:
                (void)admin.why(key());
                return;
            case 7:
                (void)admin.batches(input_.byte(), number);
                return;
            case 8:
                (void)admin.dead(filter(), number);
                return;
            case 9:
                (void)admin.outcome(key());
                (void)admin.pending(one);
                return;
            case 10:
                return queue_->flush();
            default:
                (void)admin.peek(input_.byte(), number);
                (void)admin.view(input_.flag() ? "stuck" : one);
        }
    }

    Input& input_;
    Options options_;
    std::shared_ptr<test::FakeClock> clock_;
    std::optional<Queue> queue_;
    std::vector<Batch> batches_;
    std::vector<std::string> tokens_;
};

void run(Input input) {
    static const Folder folder;
    static const QueueFile made = new_queue(folder);
    folder.clear();
    made.store(folder / "queue.db");
    Life(folder, input).run();
}

}  // namespace
}  // namespace headpond::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    headpond::fuzz::run({bytes, count});
    return 0;
}
