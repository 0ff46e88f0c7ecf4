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

// Ends the turn however the scope is left.
class Turn {
  public:
    explicit Turn(platform::SideFile& side) : side_(side) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { side_.end_turn(); }

  private:
    platform::SideFile& side_;
};

}  // namespace

WriteQueue::WriteQueue(store::Store& store, platform::SideFile& side, bool grouping,
                       std::function<void()> relieve)
    : store_(store), side_(side), grouping_(grouping), relieve_(std::move(relieve)) {}

void WriteQueue::run(const Order& order, const Work& work, Deadline deadline) {
    Member me{.order = order, .work = work, .deadline = deadline};
    std::unique_lock lock(mutex_);
    waiting_.push_back(&me);
    wait_or_lead(me, lock);
    lock.unlock();
    if (me.error) std::rethrow_exception(me.error);
}

std::size_t WriteQueue::waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
}

void WriteQueue::wait_or_lead(Member& me, std::unique_lock<std::mutex>& lock) {
    while (!me.done) {
        if (!leading_) {
            leading_ = true;
            lead(me, lock);
            leading_ = false;
            pass_lead();
            continue;
        }
        if (me.taken) {  // in a transaction: its end is near, and its outcome must be known
            me.changed.wait(lock);
        } else if (me.changed.wait_until(lock, me.deadline) == std::cv_status::timeout &&
                   !me.taken && !me.done) {
            std::erase(waiting_, &me);
            me.error = std::make_exception_ptr(busy(me.order.operation));
            me.done = true;
            if (!leading_) pass_lead();  // the lead may just have been passed to this one
        }
    }
}

void WriteQueue::pass_lead() {
    if (!waiting_.empty()) waiting_.front()->changed.notify_one();
}

// Those whom the last commit answered call again about now: without them the next one's sync would
// be shared by few. Where nobody shared the last one, nobody is waited for.
void WriteQueue::await_company(std::unique_lock<std::mutex>& lock) {
    if (!grouping_) return;
    constexpr auto patience = std::chrono::microseconds(100);  // a fraction of a sync
    const auto until = std::chrono::steady_clock::now() + patience;
    while (waiting_.size() < last_group_ && std::chrono::steady_clock::now() < until) {
        lock.unlock();
        std::this_thread::yield();
        lock.lock();
    }
}

void WriteQueue::lead(Member& me, std::unique_lock<std::mutex>& lock) {
    if (!me.order.alone) await_company(lock);
    lock.unlock();
    bool turn = false;
    std::exception_ptr error;
    try {
        turn = side_.take_turn(me.deadline);
        if (!turn) throw busy(me.order.operation);
    } catch (...) {
        error = std::current_exception();
    }
    lock.lock();
    if (error) {  // fails alone; another takes the lead
        std::erase(waiting_, &me);
        me.error = error;
        me.done = true;
        return;
    }
    Group group = collect(me);
    last_group_ = group.size();
    lock.unlock();
    {
        const Turn held(side_);
        execute(group, me);
        relieve_();
    }
    lock.lock();
    for (Member* member : group) {
        if (!member->taken) {  // handed back: the leader failed before the transaction began
            member->changed.notify_one();
            continue;
        }
        std::erase(waiting_, member);
        member->done = true;
        if (member != &me) member->changed.notify_one();
    }
}

WriteQueue::Group WriteQueue::collect(Member& me) {
    Group group{&me};
    me.taken = true;
    if (!grouping_ || me.order.alone) return group;
    for (Member* member : waiting_) {
        if (group.size() == group_max) break;
        if (member == &me || member->order.alone) continue;
        member->taken = true;
        group.push_back(member);
    }
    return group;
}

void WriteQueue::execute(Group& group, Member& leader) {
    if (group.size() == 1) {
        execute_one(leader);
        return;
    }
    if (execute_group(group, leader)) return;
    // Everything was rolled back: no member was answered, and each runs again alone.
    for (Member* member : group) {
        member->error = nullptr;
        execute_one(*member);
    }
}

void WriteQueue::execute_one(Member& member) {
    try {
        store_.write({.operation = member.order.operation,
                      .synced = member.order.synced,
                      .busy_ms = left_ms(member.deadline)},
                     [&](store::Transaction& tx) { member.work(tx, member.order.synced); });
    } catch (const store::WholeRollback&) {
        member.error = std::make_exception_ptr(
            Error(ErrorCode::disk_full, member.order.operation, "",
                  "SQLite rolled the transaction back; nothing was changed"));
    } catch (...) {
        member.error = std::current_exception();
    }
}

// False: rolled back as a whole, to be run one by one.
bool WriteQueue::execute_group(Group& group, Member& leader) {
    const bool synced =
        std::any_of(group.begin(), group.end(), [](const Member* m) { return m->order.synced; });
    bool began = false;
    try {
        store_.write(
            {.operation = "group commit", .synced = synced, .busy_ms = left_ms(leader.deadline)},
            [&](store::Transaction& tx) {
                began = true;
                for (Member* member : group) {
                    try {
                        tx.nested([&] { member->work(tx, synced); });
                    } catch (const store::WholeRollback&) {
                        throw;
                    } catch (...) {
                        member->error = std::current_exception();
                    }
                }
            });
        return true;
    } catch (const store::WholeRollback&) {
        return false;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::outcome_unknown) {
            for (Member* member : group) member->error = std::current_exception();
            return true;
        }
        if (began || error.code() != ErrorCode::busy) return false;
        // A foreign writer outlasted the leader's patience: the others may have more.
        const std::lock_guard lock(mutex_);
        for (Member* member : group) member->taken = member == &leader;
        leader.error = std::current_exception();
        return true;
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
        ~Lead() {
            const std::lock_guard lock(queue.mutex_);
            queue.leading_ = false;
            queue.pass_lead();
        }
    };
    const Lead lead{*this};
    if (!side_.take_turn(std::chrono::steady_clock::now())) return false;
    const Turn held(side_);
    store_.write({.operation = order.operation, .synced = order.synced, .busy_ms = 0},
                 [&](store::Transaction& tx) { work(tx, order.synced); });
    relieve_();
    return true;
}

void WriteQueue::with_turn(std::string_view operation, const std::function<void()>& fn,
                           Deadline deadline) {
    std::unique_lock lock(mutex_);
    const auto wake_every = std::chrono::milliseconds(1);
    while (leading_) {
        lock.unlock();
        if (std::chrono::steady_clock::now() >= deadline) throw busy(operation);
        std::this_thread::sleep_for(wake_every);
        lock.lock();
    }
    leading_ = true;
    lock.unlock();
    struct Lead {
        WriteQueue& queue;
        ~Lead() {
            const std::lock_guard guard(queue.mutex_);
            queue.leading_ = false;
            queue.pass_lead();
        }
    };
    const Lead lead{*this};
    if (!side_.take_turn(deadline)) throw busy(operation);
    const Turn held(side_);
    fn();
}

}  // namespace headpond::runtime
