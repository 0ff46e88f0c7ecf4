#include "runtime/write_queue.h"

#include "store/sqlite/open.h"
#include "support/store_errors.h"
#include "support/temp_dir.h"

#include <headpond/error.h>
#include <headpond/queue.h>

#include <array>
#include <atomic>
#include <barrier>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace headpond::test {
namespace {

using namespace std::chrono_literals;
using runtime::Sync;
using runtime::WriteQueue;

// The SQLite store, with a count of commits and of syncs, and a hook in place of each.
class WatchedStore final : public store::Store {
  public:
    explicit WatchedStore(const std::string& path) : store_(store::sqlite::open({.path = path})) {}

    void write(const store::WriteOrder& order,
               const std::function<void(store::Transaction&)>& fn) override {
        store_->write(order, [&](store::Transaction& tx) {
            fn(tx);
            if (before_commit) before_commit(order);
        });
        commits += 1;
    }
    void sync(std::string_view operation) override {
        if (before_sync) before_sync();
        store_->sync(operation);
        syncs += 1;
    }
    void read(std::string_view what, const std::function<void(store::Transaction&)>& fn) override {
        store_->read(what, fn);
    }
    std::int64_t data_version() override { return store_->data_version(); }
    void relieve(std::int64_t limit) noexcept override { store_->relieve(limit); }
    void set_log_reserve(std::int64_t a, std::int64_t b) override { store_->set_log_reserve(a, b); }
    std::int64_t shrink(std::int64_t pages) override { return store_->shrink(pages); }
    Size size() override { return store_->size(); }
    store::TextTable view(std::string_view name, store::Millis wall) override {
        return store_->view(name, wall);
    }
    store::TextTable trail(std::string_view key, store::Millis wall) override {
        return store_->trail(key, wall);
    }
    std::vector<Finding> check() override { return store_->check(); }
    void backup(const std::string& target) override { store_->backup(target); }
    Engine engine() const override { return store_->engine(); }
    void* guest_handle(store::Transaction& tx) override { return store_->guest_handle(tx); }
    void check_guest(store::Transaction& tx) override { store_->check_guest(tx); }

    std::atomic<int> commits = 0;
    std::atomic<int> syncs = 0;
    std::function<void()> before_sync;                            // may throw what a sync would
    std::function<void(const store::WriteOrder&)> before_commit;  // may throw what a COMMIT would

  private:
    std::unique_ptr<store::Store> store_;
};

class WriteQueueTest : public ::testing::Test {
  protected:
    WriteQueueTest() : path((dir / "queue.db").string()) {
        Options options;
        options.path = path;
        options.log = [](LogLevel, std::string_view) {};
        Queue created(options);
        created.close();
        store = std::make_unique<WatchedStore>(path);
        side = std::make_unique<platform::SideFile>(path, 0600, 0, 0);
        make_queue(true);
    }
    void make_queue(bool syncing) {
        queue = std::make_unique<WriteQueue>(*store, *side, syncing, [] {});
    }
    static WriteQueue::Deadline in(std::chrono::milliseconds time) {
        return std::chrono::steady_clock::now() + time;
    }
    // Stores an item, so that what was committed can be counted.
    void insert(const std::string& key, Sync sync = Sync::needed) {
        queue->run(
            {.operation = "test"},
            [&](store::Transaction& tx) {
                tx.insert({.key = key});
                return sync;
            },
            in(10s));
    }
    std::size_t stored() {
        std::size_t count = 0;
        store->read("test", [&](store::Transaction& tx) {
            count = tx.survey(0, store::no_limit, store::no_limit).size();
        });
        return count;
    }
    // A caller that waits no longer than this; answers why it failed.
    std::future<std::optional<ErrorCode>> caller(std::chrono::milliseconds patience) {
        return std::async(std::launch::async, [this, patience]() -> std::optional<ErrorCode> {
            try {
                queue->run(
                    {.operation = "test"}, [](store::Transaction&) { return Sync::spared; },
                    in(patience));
            } catch (const Error& error) {
                return error.code();
            }
            return std::nullopt;
        });
    }
    void until_waiting(std::size_t count) const {
        while (queue->waiting() < count) std::this_thread::yield();
    }
    // Runs `others` while a first transaction is held open: they wait for the next one together.
    void behind_a_held_one(const std::vector<std::function<void()>>& others) {
        std::promise<void> begun;
        std::promise<void> release;
        std::jthread first([&] {
            queue->run(
                {.operation = "first"},
                [&](store::Transaction&) {
                    begun.set_value();
                    release.get_future().wait();
                    return Sync::spared;
                },
                in(10s));
        });
        begun.get_future().wait();
        std::vector<std::jthread> threads;
        for (const auto& other : others) threads.emplace_back(other);
        until_waiting(others.size() + 1);
        release.set_value();
    }

    TempDir dir;
    std::string path;
    std::unique_ptr<WatchedStore> store;
    std::unique_ptr<platform::SideFile> side;
    std::unique_ptr<WriteQueue> queue;
};

TEST_F(WriteQueueTest, CallersThatWaitShareACommit) {
    behind_a_held_one({[&] { insert("a"); }, [&] { insert("b"); }, [&] { insert("c"); }});
    EXPECT_EQ(store->commits, 2);
    EXPECT_EQ(stored(), 3U);
}

TEST_F(WriteQueueTest, WithoutGroupingEachCommitsAlone) {
    make_queue(false);
    behind_a_held_one({[&] { insert("a"); }, [&] { insert("b"); }, [&] { insert("c"); }});
    EXPECT_EQ(store->commits, 4);
}

TEST_F(WriteQueueTest, AGroupIsSyncedOnceAndOnlyIfAMemberAsks) {
    behind_a_held_one({[&] { insert("a", Sync::spared); }, [&] { insert("b", Sync::spared); }});
    EXPECT_EQ(store->syncs, 0);
    behind_a_held_one({[&] { insert("c"); }, [&] { insert("d"); }});
    EXPECT_EQ(store->syncs, 1);
    EXPECT_EQ(store->commits, 4);
}

TEST_F(WriteQueueTest, AFollowerThatNeedsNoSyncDoesNotWaitForIt) {
    std::promise<void> answered;
    store->before_sync = [&] { answered.get_future().wait(); };
    behind_a_held_one({[&] { insert("a"); },
                       [&] {
                           until_waiting(2);  // the other leads
                           insert("b", Sync::spared);
                           answered.set_value();
                       }});
    EXPECT_EQ(store->syncs, 1);
    EXPECT_EQ(stored(), 2U);
}

TEST_F(WriteQueueTest, AnotherProcessHasTheTurnDuringASync) {
    platform::SideFile other(path, 0600, 0, 0);
    bool taken = false;
    store->before_sync = [&] {
        taken = other.take_turn(in(0ms));
        other.end_turn();
    };
    insert("a");
    EXPECT_TRUE(taken);
}

TEST_F(WriteQueueTest, WithoutSyncingNothingIsSynced) {
    make_queue(false);
    insert("a");
    EXPECT_TRUE(
        queue->try_run({.operation = "test"}, [](store::Transaction&) { return Sync::spared; }));
    EXPECT_EQ(store->syncs, 0);
}

TEST_F(WriteQueueTest, AMembersErrorUndoesItsChangesAlone) {
    std::atomic<int> thrown = 0;
    const auto fails = [&] {
        try {
            queue->run(
                {.operation = "test"},
                [](store::Transaction& tx) -> Sync {
                    tx.insert({.key = "undone"});
                    throw Error(ErrorCode::misuse, "test", "", "no");
                },
                in(10s));
        } catch (const Error& error) {
            if (error.code() == ErrorCode::misuse) ++thrown;
        }
    };
    behind_a_held_one({[&] { insert("a"); }, fails, [&] { insert("b"); }});
    EXPECT_EQ(thrown, 1);
    EXPECT_EQ(store->commits, 2);
    EXPECT_EQ(stored(), 2U);
}

TEST_F(WriteQueueTest, AfterAWholeRollbackEachRunsAgainAlone) {
    store->before_commit = [](const store::WriteOrder& order) {
        if (order.operation == "group commit") throw store::WholeRollback{};
    };
    behind_a_held_one({[&] { insert("a"); }, [&] { insert("b"); }});
    EXPECT_EQ(store->commits, 3);
    EXPECT_EQ(stored(), 2U);
}

TEST_F(WriteQueueTest, AfterAFailedSyncNoMemberIsToldItHappened) {
    store->before_sync = [] {
        throw Error(ErrorCode::outcome_unknown, "commit", "", "sync failed");
    };
    std::atomic<int> unknown = 0;
    const auto tries = [&] {
        try {
            insert("a");
        } catch (const Error& error) {
            if (error.code() == ErrorCode::outcome_unknown) ++unknown;
        }
    };
    behind_a_held_one({tries, tries, tries});
    EXPECT_EQ(unknown, 3);
}

// One object for all would be read in one thread while another lets go of it, and would name one
// member's operation to all.
TEST_F(WriteQueueTest, EachMemberOfAFailedGroupHasAnErrorOfItsOwn) {
    store->before_sync = [] {
        throw Error(ErrorCode::outcome_unknown, "another", "queue.db", "sync failed", 1034);
    };
    std::array<std::string, 3> told;
    std::array<const void*, 3> objects{};
    std::barrier caught(3);
    const auto tries = [&](std::size_t number, std::string_view operation) {
        return [&, number, operation] {
            try {
                queue->run(
                    {.operation = operation}, [](store::Transaction&) { return Sync::needed; },
                    in(10s));
            } catch (const Error& error) {
                told[number] = error.what();
                objects[number] = &error;
                EXPECT_EQ(error.sqlite_code(), 1034);
                caught.arrive_and_wait();  // all three exist at once
            }
        };
    };
    behind_a_held_one({tries(0, "enqueue"), tries(1, "ack"), tries(2, "fail")});
    EXPECT_EQ(told[0], "enqueue queue.db: sync failed");
    EXPECT_EQ(told[1], "ack queue.db: sync failed");
    EXPECT_EQ(told[2], "fail queue.db: sync failed");
    EXPECT_NE(objects[0], objects[1]);
    EXPECT_NE(objects[1], objects[2]);
    EXPECT_NE(objects[0], objects[2]);
}

TEST_F(WriteQueueTest, OneThatIsAloneRunsOnItsOwnThread) {
    std::thread::id ran;
    std::thread::id called;
    const auto alone = [&] {
        called = std::this_thread::get_id();
        queue->run(
            {.operation = "test", .alone = true},
            [&](store::Transaction&) {
                ran = std::this_thread::get_id();
                return Sync::spared;
            },
            in(10s));
    };
    behind_a_held_one({[&] { insert("a"); }, alone, [&] { insert("b"); }});
    EXPECT_EQ(ran, called);
    EXPECT_EQ(store->commits, 3);
}

TEST_F(WriteQueueTest, AFollowerThatWasNotTakenGivesUpAtItsDeadline) {
    std::promise<void> begun;
    std::promise<void> release;
    std::jthread first([&] {
        queue->run(
            {.operation = "first"},
            [&](store::Transaction&) {
                begun.set_value();
                release.get_future().wait();
                return Sync::spared;
            },
            in(10s));
    });
    begun.get_future().wait();
    const auto answer = caller(20ms).get();
    release.set_value();
    EXPECT_EQ(answer, ErrorCode::busy);
}

TEST_F(WriteQueueTest, ALeaderWithoutItsTurnFailsAloneAndHandsTheLeadOn) {
    platform::SideFile other(path, 0600, 0, 0);
    ASSERT_TRUE(other.take_turn(in(0ms)));
    auto first = caller(100ms);
    until_waiting(1);
    std::jthread second([&] { insert("second"); });
    EXPECT_EQ(first.get(), ErrorCode::busy);
    other.end_turn();
    second.join();
    EXPECT_EQ(stored(), 1U);
}

TEST_F(WriteQueueTest, AForeignWriterThatOutlastsTheLeaderDoesNotFailItsFollowers) {
    sqlite3* foreign = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &foreign), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(foreign, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    // Behind the turn, so that both are in one group before BEGIN is tried.
    platform::SideFile other(path, 0600, 0, 0);
    ASSERT_TRUE(other.take_turn(in(0ms)));
    auto first = caller(300ms);
    until_waiting(1);
    std::jthread second([&] { insert("second"); });
    until_waiting(2);
    other.end_turn();
    EXPECT_EQ(first.get(), ErrorCode::busy);
    sqlite3_exec(foreign, "ROLLBACK", nullptr, nullptr, nullptr);
    second.join();
    EXPECT_EQ(stored(), 1U);
    sqlite3_close(foreign);
}

// Each member is gone as soon as it is answered; what is passed to it later would be a write to
// whatever lies in its place (address and thread sanitizers see it).
TEST_F(WriteQueueTest, ManyShortCallersArePassedTheLeadAndLeave) {
    for (const bool syncing : {true, false}) {
        make_queue(syncing);
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 6; ++thread) {
            threads.emplace_back([&, thread] {
                for (int i = 0; i < 100; ++i) {
                    insert(std::to_string(syncing) + "-" + std::to_string(thread) + "-" +
                               std::to_string(i),
                           i % 3 == 0 ? Sync::needed : Sync::spared);
                }
            });
        }
    }
    EXPECT_EQ(stored(), 1200U);
}

TEST_F(WriteQueueTest, TryRunDoesNotWait) {
    bool tried = false;
    const auto work = [&](store::Transaction&) {
        tried = true;
        return Sync::spared;
    };
    platform::SideFile other(path, 0600, 0, 0);
    ASSERT_TRUE(other.take_turn(in(0ms)));
    EXPECT_FALSE(queue->try_run({.operation = "test"}, work));
    other.end_turn();
    EXPECT_TRUE(queue->try_run({.operation = "test"}, work));
    EXPECT_TRUE(tried);
}

// The words that the kernel wakes waiters by are in the file: whatever happens to them, the turn
// passes.
TEST_F(WriteQueueTest, TheTurnPassesWhateverIsWrittenToTheSideFile) {
    platform::SideFile one(path, 0600, 0, 0);
    platform::SideFile other(path, 0600, 0, 0);
    for (const std::string& content : {std::string(), std::string("x"), std::string(64, 'x')}) {
        ASSERT_TRUE(other.take_turn(in(0ms)));
        write_bytes(path + "-owners", content);
        bool taken = false;
        std::jthread waiter([&] { taken = one.take_turn(in(10'000ms)); });
        EXPECT_FALSE(one.held(1));
        other.end_turn();
        waiter.join();
        ASSERT_TRUE(taken);
        one.end_turn();
    }
}

}  // namespace
}  // namespace headpond::test
