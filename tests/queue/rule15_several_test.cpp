// Rule 15: several threads and several processes on one file.
#include "support/child_process.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;
using std::chrono::steady_clock;

class Rule15Several : public QueueTest {
  protected:
    // Runs fn, which must throw Error busy, and answers how long that took.
    static std::chrono::milliseconds busy_after(const std::function<void()>& fn) {
        const auto start = steady_clock::now();
        try {
            fn();
            ADD_FAILURE() << "was not busy";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::busy) << error.what();
        }
        return std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - start);
    }
};

TEST_F(Rule15Several, AForeignWriterMakesCallsBusyWithinTheirDeadline) {
    Options options = QueueTest::options();
    options.turn_timeout = Ms{100};
    Queue queue(options);
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    put(queue, {"b"});
    RawDatabase raw(dir / "queue.db");
    raw.exec("BEGIN EXCLUSIVE");
    const std::vector<std::function<void()>> calls{[&] { put(queue, {"c"}); },
                                                   [&] { (void)queue.lease(); },
                                                   [&] { batch->ack(); },
                                                   [&] { batch->extend(Ms{1'000}); },
                                                   [&] { (void)queue.cancel("b"); },
                                                   [&] { queue.transact([](Transaction&) {}); },
                                                   [&] { queue.cleanup(); }};
    for (const auto& call : calls) {
        const auto took = busy_after(call);
        EXPECT_GE(took.count(), 95);
        EXPECT_LT(took.count(), 3'000);
    }
    EXPECT_EQ(queue.health().items, 2);  // reading needs no turn
    raw.exec("ROLLBACK");
    EXPECT_EQ(batch->ack().acked, 1);  // nothing had happened
    EXPECT_EQ(resident(queue), (Keys{"b"}));
    expect_sound(queue);
}

TEST_F(Rule15Several, AWriteWaitsForAForeignWriterThatEndsInTime) {
    Options options = QueueTest::options();
    options.turn_timeout = Ms{60'000};
    Queue queue(options);
    RawDatabase raw(dir / "queue.db");
    raw.exec("BEGIN IMMEDIATE");
    std::thread writer([&] { EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored}); });
    raw.exec("ROLLBACK");
    writer.join();
    expect_sound(queue);
}

TEST_F(Rule15Several, TheTurnHeldByAnotherProcessMakesCallsBusyWithinTheirDeadline) {
    const auto locks = (dir / "queue.db").string() + "-owners";
    ChildProcess child([&](const ChildProcess::Parent& parent) {
        parent.receive();
        const int fd = open(locks.c_str(), O_RDWR);
        struct flock turn {};
        turn.l_type = F_WRLCK;
        turn.l_whence = SEEK_SET;
        turn.l_start = 0;
        turn.l_len = 1;
        parent.send(fcntl(fd, F_OFD_SETLK, &turn) == 0 ? "held" : "not held");
        parent.hold();
    });
    Options options = QueueTest::options();
    options.turn_timeout = Ms{100};
    Queue queue(options);
    child.send("go");
    ASSERT_EQ(child.receive(), "held");
    EXPECT_LT(busy_after([&] { put(queue, {"a"}); }).count(), 3'000);
    EXPECT_THROW(Queue{options}, Error);
    child.kill();  // the kernel frees the turn
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    expect_sound(queue);
}

TEST_F(Rule15Several, ABlockedThreadsDeadlineIsItsOwn) {
    Options patient = options();
    patient.turn_timeout = Ms{60'000};
    Options hasty = options();
    hasty.turn_timeout = Ms{50};
    Queue one(patient);
    Queue other(hasty);
    RawDatabase raw(dir / "queue.db");
    raw.exec("BEGIN IMMEDIATE");
    std::thread waits([&] { EXPECT_EQ(put(one, {"a"}), std::vector{Enqueued::stored}); });
    busy_after([&] { put(other, {"b"}); });
    raw.exec("ROLLBACK");
    waits.join();
    EXPECT_EQ(resident(one), (Keys{"a"}));
    expect_sound(one);
}

TEST_F(Rule15Several, ManyThreadsShareOneQueue) {
    Options options = QueueTest::options();
    options.items_max = 10'000;
    Queue queue(options);
    std::atomic<int> acked{0};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < 50; ++i) {
                    put(queue, {std::to_string(t) + "/" + std::to_string(i)});
                }
            });
            threads.emplace_back([&] {
                while (acked < 200) {
                    auto batch = queue.lease({.wait = Ms{1'000}});
                    if (batch) acked += static_cast<int>(batch->ack().acked);
                }
            });
        }
    }
    EXPECT_EQ(acked, 200);
    EXPECT_EQ(queue.outcomes(1'000).size(), 200U);
    expect_sound(queue);
}

TEST_F(Rule15Several, ManyProcessesShareOneFile) {
    constexpr int processes = 4;
    constexpr int each = 50;
    std::vector<std::unique_ptr<ChildProcess>> children;
    for (int p = 0; p < processes; ++p) {
        children.push_back(
            std::make_unique<ChildProcess>([&, p](const ChildProcess::Parent& parent) {
                parent.receive();
                random = std::make_shared<FakeRandom>(static_cast<std::uint64_t>(p) + 100);
                Queue queue(options());
                int stored = 0;
                int acked = 0;
                for (int i = 0; i < each; ++i) {
                    const std::string key = std::to_string(p) + "/" + std::to_string(i);
                    stored += put(queue, {key}).front() == Enqueued::stored;
                    if (auto batch = queue.lease()) acked += static_cast<int>(batch->ack().acked);
                }
                parent.send(stored == each ? std::to_string(acked) : "not stored");
            }));
    }
    { const Queue creates(options()); }
    for (const auto& child : children) child->send("go");
    int acked = 0;
    for (const auto& child : children) {
        const std::string answer = child->receive();
        ASSERT_FALSE(answer.empty());
        ASSERT_NE(answer[0], 'e') << answer;
        acked += std::stoi(answer);
        EXPECT_EQ(child->wait(), 0);
    }
    Queue queue(options());
    EXPECT_EQ(counter(queue, "enqueued"), processes * each);
    EXPECT_EQ(counter(queue, "acked"), acked);
    EXPECT_EQ(static_cast<int>(resident(queue).size()), processes * each - acked);
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT count(*) FROM owners"), 1);
    expect_sound(queue);
}

TEST_F(Rule15Several, ProcessesThatCreateTheFileTogetherAgree) {
    std::vector<std::unique_ptr<ChildProcess>> children;
    for (int p = 0; p < 4; ++p) {
        children.push_back(
            std::make_unique<ChildProcess>([&, p](const ChildProcess::Parent& parent) {
                parent.receive();
                Queue queue(options());
                parent.send(put(queue, {std::to_string(p)}).front() == Enqueued::stored ? "stored"
                                                                                        : "not");
            }));
    }
    for (const auto& child : children) child->send("go");
    for (const auto& child : children) EXPECT_EQ(child->receive(), "stored");
    for (const auto& child : children) child->wait();
    Queue queue(options());
    const auto keys = resident(queue);
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()),
              (std::set<std::string>{"0", "1", "2", "3"}));
    expect_sound(queue);
}

TEST_F(Rule15Several, AnEnqueueWakesALeaseOfAnotherProcess) {
    ChildProcess child([this](const ChildProcess::Parent& parent) {
        parent.receive();
        Queue queue(options());
        parent.send("open");
        auto batch = queue.lease({.wait = Ms{60'000}});
        parent.send(batch && batch->ack().acked == 1 ? keys_of(*batch)[0] : "nothing");
    });
    Queue queue(options());
    child.send("go");
    ASSERT_EQ(child.receive(), "open");
    put(queue, {"a"});
    EXPECT_EQ(child.receive(), "a");
    EXPECT_EQ(child.wait(), 0);
    expect_sound(queue);
}

// Closing a descriptor of the database drops all of the process's locks on it, unless it is SQLite
// that closes it: opening and closing a second queue must leave the first one's locks alone.
TEST_F(Rule15Several, ASecondQueueOfTheProcessLeavesTheFirstOnesLocksAlone) {
    const auto path = (dir / "queue.db").string();
    ChildProcess child([&](const ChildProcess::Parent& parent) {
        while (!parent.receive().empty()) {
            const int fd = open(path.c_str(), O_RDWR);
            struct flock shared {};  // SQLite's bytes of readers, from os_unix.c
            shared.l_type = F_WRLCK;
            shared.l_whence = SEEK_SET;
            shared.l_start = 0x40000002;
            shared.l_len = 510;
            const bool held = fcntl(fd, F_GETLK, &shared) == 0 && shared.l_type != F_UNLCK;
            close(fd);
            parent.send(held ? "held" : "free");
        }
    });
    const auto lock = [&] {
        child.send("look");
        return child.receive();
    };
    {
        Queue queue(options());
        put(queue, {"a"});
        EXPECT_EQ(lock(), "held");
        {
            Queue other(options());
            EXPECT_EQ(lock(), "held");
        }
        EXPECT_EQ(lock(), "held");
        (void)migrations(path);
        EXPECT_EQ(lock(), "held");
        Admin(queue).backup(dir / "copy.db");
        EXPECT_EQ(lock(), "held");
        expect_sound(queue);
    }
    EXPECT_EQ(lock(), "free");
}

}  // namespace
}  // namespace headpond::test
