#include "runtime/write_queue.h"

#include <headpond/error.h>

#include <algorithm>
#include <thread>

namespace headpond::runtime {

namespace {

constexpr std::size_t group_max = 128;

Error busy(std::string_view operation) {
    return {ErrorCode::busy, operation, "",
            "the write lock was not free before the deadline; allowed: to call again, or a longer "
            "turn_timeout"};
}

int left_ms(WriteQueue::Deadline deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

// Nothing may escape: members of the same group may be committed.
std::exception_ptr rolled_back(std::string_view operation) {
    try {
        return std::make_exception_ptr(
            Error(ErrorCode::disk_full, operation, "",
                  "SQLite rolled the transaction back; nothing was changed"));
    } catch (...) {
        return std::current_exception();
    }
}

// A thread's own exception, in the words of its own call: one object thrown in several threads
// would be theirs together, also while one changes it, and names the operation of another.
std::exception_ptr own(const std::exception_ptr& shared, std::string_view operation) {
    try {
        std::rethrow_exception(shared);
    } catch (const Error& error) {
        try {
            return std::make_exception_ptr(
                Error(error.code(), operation, error.path(), error.message(), error.sqlite_code()));
        } catch (...) {
            return shared;  // no memory for it: what happened is still told
        }
    } catch (...) {
        return shared;
    }
}

// Ends the turn however the scope is left.
class Turn {
  public:
    explicit Turn(platform::SideFile& side) : side_(side) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { side_.end_turn(back_soon); }

    bool back_soon = true;

  private:
    platform::SideFile& side_;
};

}  // namespace

WriteQueue::WriteQueue(store::Store& store, platform::SideFile& side, bool syncing,
                       std::function<void()> relieve)
    : store_(store), side_(side), syncing_(syncing), relieve_(std::move(relieve)) {}

void WriteQueue::run(const Order& order, const Work& work, Deadline deadline) {
    Member me{.order = order, .work = &work, .turn = nullptr, .deadline = deadline};
    join(me);
}

void WriteQueue::with_turn(std::string_view operation, const std::function<void()>& fn,
                           Deadline deadline) {
    const Order order{.operation = operation, .alone = true};
    Member me{.order = order, .work = nullptr, .turn = &fn, .deadline = deadline};
    join(me);
}

std::size_t WriteQueue::waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
}

void WriteQueue::join(Member& me) {
    bool leads = false;
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(&me);
        leads = !leading_;
        leading_ = true;
        if (leads) me.call = Call::lead;
    }
    // A lead that comes from here on comes with the baton, which must be taken before `me` goes.
    if (!leads) wait(me);
    if (me.call == Call::lead) lead(me);
    if (me.error) std::rethrow_exception(me.error);
}

// Until it is done, or has the lead.
void WriteQueue::wait(Member& me) {
    for (;;) {
        if (!me.baton.wait_until(me.deadline)) {
            {
                const std::lock_guard lock(mutex_);
                if (!me.taken && me.call == Call::none) {
                    std::erase(waiting_, &me);
                    me.error = std::make_exception_ptr(busy(me.order.operation));
                    return;
                }
            }
            // In a transaction its end is near, and its outcome must be known.
            me.baton.wait();
        }
        if (me.call != Call::offered) return;
        const std::lock_guard lock(mutex_);
        me.call = leading_ ? Call::none : Call::lead;
        leading_ = true;
        if (me.call == Call::lead) return;
    }
}

// Who has waited longest is next. Where each commits alone, the lead is offered: whoever asks
// before that one is awake may have it, or every commit would wait for a thread to wake.
void WriteQueue::hand_over() {
    Member* next = nullptr;
    {
        const std::lock_guard lock(mutex_);
        leading_ = syncing_ && !waiting_.empty();
        if (waiting_.empty() || waiting_.front()->call == Call::offered) return;
        next = waiting_.front();
        next->call = syncing_ ? Call::lead : Call::offered;
    }
    next->baton.pass();
}

// The leader fails alone; another takes the lead.
void WriteQueue::leave(Member& me, std::exception_ptr error) {
    {
        const std::lock_guard lock(mutex_);
        std::erase(waiting_, &me);
    }
    hand_over();
    me.error = std::move(error);
    me.call = Call::done;
}

bool WriteQueue::waits_for_sync(const Member& member) const {
    return syncing_ && !member.error && member.sync == Sync::needed;
}

void WriteQueue::answer(Member& member, const Member& leader) {
    member.call = Call::done;
    if (&member != &leader) member.baton.pass();
}

// When the turn is over, for other processes, but before the next transaction of this one: beside
// the writes of others a sync takes longer than it would take without, and its group is smaller.
// Those who need none are answered before it.
void WriteQueue::finish(Group& group, Member& leader) {
    {
        const std::lock_guard lock(mutex_);
        for (Member* member : group) std::erase(waiting_, member);
    }
    const auto synced = std::partition(group.begin(), group.end(),
                                       [&](const Member* one) { return !waits_for_sync(*one); });
    std::for_each(group.begin(), synced, [&](Member* one) { answer(*one, leader); });
    std::exception_ptr error;
    try {
        if (synced != group.end()) store_.sync(leader.order.operation);
    } catch (...) {
        error = std::current_exception();
    }
    hand_over();
    std::for_each(synced, group.end(), [&](Member* one) {
        if (error) one->error = own(error, one->order.operation);
        answer(*one, leader);
    });
}

// Those whom the last commit answered call again about now: without them the next one's sync would
// be shared by few. Where nobody shared the last one, nobody is waited for.
void WriteQueue::await_company(std::unique_lock<std::mutex>& lock) {
    if (!syncing_) return;
    constexpr auto patience = std::chrono::microseconds(100);  // a fraction of a sync
    const auto until = std::chrono::steady_clock::now() + patience;
    while (waiting_.size() < last_group_ && std::chrono::steady_clock::now() < until) {
        lock.unlock();
        std::this_thread::yield();
        lock.lock();
    }
}

void WriteQueue::lead(Member& me) {
    Group group;
    try {
        group.reserve(group_max);  // nothing may fail once the turn is ours
        std::unique_lock lock(mutex_);
        if (!me.order.alone) await_company(lock);
        lock.unlock();
        if (!side_.take_turn(me.deadline)) throw busy(me.order.operation);
    } catch (...) {
        leave(me, std::current_exception());
        return;
    }
    {
        Turn held(side_);
        collect(me, group);
        try {
            execute(group, me);
        } catch (...) {  // before a commit; who is answered by nobody would wait on
            for (Member* member : group) {
                if (!member->error) {
                    member->error = own(std::current_exception(), member->order.operation);
                }
            }
        }
        // A sync takes longer than others should wait for a look at the turn.
        held.back_soon = std::none_of(group.begin(), group.end(),
                                      [&](const Member* one) { return waits_for_sync(*one); });
    }
    finish(group, me);
}

void WriteQueue::collect(Member& me, Group& group) {
    const std::lock_guard lock(mutex_);
    group.push_back(&me);
    me.taken = true;
    const bool shared = syncing_ && !me.order.alone;
    for (Member* member : waiting_) {
        if (!shared || group.size() == group_max) break;
        if (member == &me || member->order.alone) continue;
        member->taken = true;
        group.push_back(member);
    }
    last_group_ = group.size();
}

void WriteQueue::execute(Group& group, Member& leader) {
    if (leader.turn != nullptr) {
        (*leader.turn)();
        return;
    }
    if (group.size() == 1) {
        execute_one(leader);
    } else if (!execute_group(group, leader, false) && !execute_group(group, leader, true)) {
        execute_each(group);
    }
    relieve_();
}

// Everything was rolled back: no member was answered, and each runs again alone.
void WriteQueue::execute_each(Group& group) {
    for (Member* member : group) {
        member->error = nullptr;
        execute_one(*member);
    }
}

void WriteQueue::execute_one(Member& member) {
    try {
        store_.write({.operation = member.order.operation, .busy_ms = left_ms(member.deadline)},
                     [&](store::Transaction& tx) { member.sync = (*member.work)(tx); });
    } catch (const store::WholeRollback&) {
        member.error = rolled_back(member.order.operation);
    } catch (...) {
        member.error = std::current_exception();
    }
}

namespace {
struct MemberFailed {};
}  // namespace

// False: rolled back as a whole, to be run again. Savepoints cost as much as a small member's own
// work, and few members throw: the first try does without.
bool WriteQueue::execute_group(Group& group, Member& leader, bool savepoints) {
    bool began = false;
    const auto run_one = [&](store::Transaction& tx, Member& member) {
        member.error = nullptr;
        try {
            if (savepoints) {
                tx.nested([&] { member.sync = (*member.work)(tx); });
            } else {
                member.sync = (*member.work)(tx);
            }
        } catch (const store::WholeRollback&) {
            throw;
        } catch (...) {
            if (!savepoints) throw MemberFailed{};
            member.error = std::current_exception();
        }
    };
    try {
        store_.write({.operation = "group commit", .busy_ms = left_ms(leader.deadline)},
                     [&](store::Transaction& tx) {
                         began = true;
                         for (Member* member : group) run_one(tx, *member);
                     });
        return true;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::outcome_unknown) {
            for (Member* member : group) {
                member->error = own(std::current_exception(), member->order.operation);
            }
            return true;
        }
        if (began || error.code() != ErrorCode::busy) return false;
        // A foreign writer outlasted the leader's patience: the others may have more. From here on
        // they may leave.
        const std::lock_guard lock(mutex_);
        for (Member* member : group) member->taken = member == &leader;
        group = {&leader};
        leader.error = own(std::current_exception(), leader.order.operation);
        return true;
    } catch (...) {
        return false;  // a member threw, SQLite rolled back, or memory is out: nothing is committed
    }
}

bool WriteQueue::try_run(const Order& order, const Work& work) {
    {
        const std::lock_guard lock(mutex_);
        if (leading_ || !waiting_.empty()) return false;
        leading_ = true;
    }
    struct Lead {
        WriteQueue& queue;
        ~Lead() { queue.hand_over(); }
    };
    const Lead lead{*this};
    Sync sync = Sync::spared;
    {
        if (!side_.take_turn(std::chrono::steady_clock::now())) return false;
        const Turn held(side_);
        store_.write({.operation = order.operation, .busy_ms = 0},
                     [&](store::Transaction& tx) { sync = work(tx); });
        relieve_();
    }
    if (syncing_ && sync == Sync::needed) store_.sync(order.operation);
    return true;
}

}  // namespace headpond::runtime
