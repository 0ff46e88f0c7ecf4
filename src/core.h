// What a Queue, its Batches, Processors and Admins share: the open file and how calls run on it.
#pragma once

#include "engine/context.h"
#include "engine/operations.h"
#include "platform/files.h"
#include "platform/side_file.h"
#include "runtime/waiting.h"
#include "runtime/write_queue.h"
#include "store/store.h"

#include <headpond/admin.h>
#include <headpond/options.h>
#include <headpond/queue.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace headpond::detail {

// How one operation is run.
struct Call {
    std::string_view operation;
    bool synced = true;  // false: only if it removes an item or writes an outcome (rule 12)
    bool alone = false;
    bool after_close = false;  // a Batch may outlive its Queue
};

struct Core final : public engine::Host, public std::enable_shared_from_this<Core> {
    explicit Core(Options given);
    ~Core() override;
    static std::shared_ptr<Core> open(Options options);
    [[nodiscard]] static const std::shared_ptr<Core>& of(const Queue& queue) { return queue.core_; }

    // --- engine::Host ----------------------------------------------------------------------------
    const Clock& clock() const override { return *clock_; }
    std::uint64_t random() override { return random_->next(); }
    std::int64_t owner_id() const override { return owner_id_; }
    const std::string& owner_label() const override { return label_; }
    Life life_of(const store::OwnerRow& owner) override;
    std::int64_t disk_free() override;
    store::Store::Size file_size() override { return store_->size(); }

    // Runs fn(Context&) in a write transaction, finishes it, and does what follows the commit.
    template <class Fn>
    auto operate(const Call& call, Fn fn) {
        using Answer = std::invoke_result_t<Fn, engine::Context&>;
        std::optional<Answer> answer;
        run(call, [&](engine::Context& context) { answer.emplace(fn(context)); });
        return std::move(*answer);
    }
    // The same inside transact: no commit of its own; effects are kept for it. A call that throws
    // leaves nothing of itself, since the caller may catch and go on.
    template <class Fn>
    auto operate_inside(store::Transaction& tx, engine::Effects& effects, Fn fn) {
        using Answer = std::invoke_result_t<Fn, engine::Context&>;
        std::optional<Answer> answer;
        engine::Effects own;
        tx.nested([&] {
            own = perform(tx, store::no_limit,
                          [&](engine::Context& context) { answer.emplace(fn(context)); });
        });
        keep(effects, std::move(own));
        return std::move(*answer);
    }
    void read(std::string_view operation, const std::function<void(store::Transaction&)>& fn);
    void transact(const std::function<void(store::Transaction&, engine::Effects&)>& fn);

    // In a child that was forked while the queue was open. Any thread.
    [[nodiscard]] bool inherited() const noexcept;
    // Throws closed, misuse inside this thread's transact, or io when the file is no longer where
    // it was.
    void require_usable(std::string_view operation, bool after_close = false) const;
    [[nodiscard]] std::shared_ptr<const engine::Settings> settings_for(store::Transaction& tx);
    [[nodiscard]] std::shared_ptr<const engine::Settings> settings_of(store::Transaction& tx,
                                                                      std::int64_t version);
    // By the queue clock, as of the last write's anchor.
    [[nodiscard]] store::Millis now() const;
    void clean_up_if_due();
    void clean_up_after_call() noexcept;
    CleanupReport clean_up(bool force);
    // A batch dropped unsettled: nacked now if nothing is in the way, else with the next write.
    void drop_unsettled(const std::string& token) noexcept;
    // The line is `text` and `why` together.
    void log(LogLevel level, std::string_view text, std::string_view why = "") const noexcept;
    // The line "Buffer health: ...".
    void log_health();
    [[nodiscard]] Options options_in_force();

    const Options options;  // as given
    std::string path;
    std::atomic<bool> closed{false};
    // Flushes asked for, and the last of them that a lease has found nothing left for: a flush()
    // between that lease and its saying so is a newer one, and still owed.
    std::atomic<std::uint64_t> flushes{0};
    std::atomic<std::uint64_t> flushed{0};

    [[nodiscard]] store::Store& store() { return *store_; }
    [[nodiscard]] runtime::Waiting& waiting() { return *waiting_; }
    [[nodiscard]] platform::SideFile& side() { return *side_; }
    void invalidate_settings();
    static void keep(engine::Effects& all, engine::Effects&& more);

  private:
    // One operation inside tx: what it leaves to do after the commit.
    engine::Effects perform(store::Transaction& tx, std::int64_t rows_max,
                            const std::function<void(engine::Context&)>& fn);
    void run(const Call& call, const std::function<void(engine::Context&)>& fn);
    void attempt(const Call& call, std::int64_t rows_max,
                 const std::function<void(engine::Context&)>& fn, engine::Effects& effects);
    void after_commit(const engine::Effects& effects) noexcept;
    void place_reserve();
    struct KeysChanged {};
    void require_keys(const engine::Settings& settings) const;
    void obey_keys();
    std::int64_t index_keys(store::Transaction& tx, store::Millis now,
                            std::vector<engine::LogLine>& lines);
    void nack_dropped();
    [[nodiscard]] runtime::WriteQueue::Deadline turn_deadline() const;

    void require_in_place(std::string_view operation) const;
    void prepare_file();
    void with_turn(const std::function<void()>& fn);
    void register_owner();
    std::int64_t write_settings(store::Transaction& tx, store::Millis now, bool created);
    void leave() noexcept;

    std::shared_ptr<Clock> clock_;
    std::shared_ptr<Random> random_;
    std::string label_;
    std::int64_t owner_id_ = 0;
    std::uint64_t fork_generation_;
    std::unique_ptr<platform::SideFile> side_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<runtime::WriteQueue> writes_;
    std::unique_ptr<runtime::Waiting> waiting_;
    std::vector<engine::LogLine> opening_lines_;

    std::optional<platform::FilesInPlace> files_;                             // set by prepare_file
    mutable std::atomic<std::chrono::steady_clock::time_point> looked_at_{};  // all in place then
    // Of the writing transaction:
    std::chrono::steady_clock::time_point disk_looked_at_{};
    std::int64_t disk_free_ = 0;

    std::atomic<std::int64_t> clock_offset_{0};
    std::atomic<std::int64_t> cleanup_due_at_{0};
    std::atomic<std::int64_t> log_bytes_max_{store::no_limit};  // until the settings are read
    std::atomic<std::int64_t> reserve_wanted_{0};               // bytes of the log
    std::atomic<std::int64_t> reserve_placed_{0};
    std::atomic<std::int64_t> keys_in_force_{-1};  // as the index is
    std::atomic<bool> cleaning_{false};

    mutable std::mutex mutex_;  // guards the members below
    std::shared_ptr<const engine::Settings> settings_;
    std::int64_t settings_version_ = -1;
    std::vector<std::string> dropped_;  // tokens to nack
};

// What a Transaction object of Queue::transact stands on.
struct TransactionState {
    std::shared_ptr<Core> core;
    store::Transaction& tx;
    engine::Effects& effects;

    static TransactionState& of(Transaction& transaction) { return *transaction.state_; }
    void lend(const std::function<void(Transaction&)>& fn) {
        Transaction transaction(*this);
        fn(transaction);
    }
};

// What a Batch holds.
struct BatchState {
    std::shared_ptr<Core> core;
    std::int64_t id = 0;
    std::vector<Item> items;
    std::string token;
    int attempt = 0;
    int attempts_max = 0;
    WallTime deadline;
    bool done = false;
    bool detached = false;  // another process settles it: dropping this object means nothing

    static Batch make(std::unique_ptr<BatchState> state) { return Batch(std::move(state)); }
};

// Settles in one transaction; on a full disk item by item.
[[nodiscard]] Settled settle(Core& core, std::string_view token, const Settlement& settlement,
                             bool after_close = false);
[[nodiscard]] Settled extend(Core& core, std::string_view token, Ms duration,
                             bool after_close = false);

}  // namespace headpond::detail
