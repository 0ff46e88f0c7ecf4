// Who writes when: the in-process order, the turn among processes, and group commit.
#pragma once

#include "platform/baton.h"
#include "platform/side_file.h"
#include "store/store.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

namespace headpond::runtime {

// Whether what was done must survive a power cut before its caller is answered.
enum class Sync { needed, spared };
// May be run again after a rollback, and on another caller's thread unless the job is alone.
using Work = std::function<Sync(store::Transaction&)>;

// Thread-safe. Callers that wait for the same commit share it (leader and followers, as LevelDB's
// BuildBatchGroup): the leader takes the turn, runs every waiting member and commits once. The sync
// follows when the turn is over, beside other processes' transactions; only the leader and members
// that need it wait for it. Where a member throws, all begins again with a savepoint for each.
class WriteQueue {
  public:
    using Deadline = std::chrono::steady_clock::time_point;
    struct Order {
        std::string_view operation;
        bool alone = false;  // not grouped, and run on the caller's own thread
    };

    // With `syncing` false each commits alone (where a commit costs no sync, sharing one only adds
    // latency). `relieve` runs after each commit, while the turn is still held; must not throw.
    WriteQueue(store::Store& store, platform::SideFile& side, bool syncing,
               std::function<void()> relieve);

    // Runs work and commits; throws what it threw, or Error busy when `deadline` passes before the
    // transaction begins.
    void run(const Order& order, const Work& work, Deadline deadline);
    // The same without waiting: false when the writer or the turn is not free now.
    bool try_run(const Order& order, const Work& work);
    // Runs fn while holding the turn, outside any transaction.
    void with_turn(std::string_view operation, const std::function<void()>& fn, Deadline deadline);

    // Callers that wait for a transaction to take them, the leader included until it is done.
    [[nodiscard]] std::size_t waiting();

  private:
    enum class Call { none, offered, lead, done };
    struct Member {
        const Order& order;
        const Work* work;                   // null: `turn` instead
        const std::function<void()>* turn;  // to run outside any transaction
        Deadline deadline;
        bool taken = false;
        Sync sync = Sync::spared;
        std::exception_ptr error;
        std::atomic<Call> call = Call::none;  // set before the baton is passed
        platform::Baton baton;
    };
    using Group = std::vector<Member*>;

    void join(Member& me);
    void wait(Member& me);
    void await_company(std::unique_lock<std::mutex>& lock);
    void lead(Member& me);
    void collect(Member& me, Group& group);
    void execute(Group& group, Member& leader);
    void execute_one(Member& member);
    void execute_each(Group& group);
    bool execute_group(Group& group, Member& leader, bool savepoints);
    void hand_over();
    void leave(Member& me, std::exception_ptr error);
    void finish(Group& group, Member& leader);
    [[nodiscard]] bool waits_for_sync(const Member& member) const;
    void answer(Member& member, const Member& leader);

    store::Store& store_;
    platform::SideFile& side_;
    const bool syncing_;
    const std::function<void()> relieve_;
    std::mutex mutex_;             // guards the members below and every Member's flags
    std::deque<Member*> waiting_;  // in order of arrival, the leader's own included
    bool leading_ = false;
    std::size_t last_group_ = 0;  // members of the last commit
};

}  // namespace headpond::runtime
