// Rule 7: an owned lease ends when it lapses or as soon as its owner is dead.
#include "support/child_process.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/watched_clock.h"

#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include <fcntl.h>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class Rule07Recovery : public QueueTest {
  protected:
    // A process that, told to, leases one batch and holds it until it is killed.
    std::unique_ptr<ChildProcess> holder(bool detached = false) {
        return std::make_unique<ChildProcess>([this, detached](const ChildProcess::Parent& parent) {
            parent.receive();
            random = std::make_shared<FakeRandom>(7);  // else its token would be the test's next
            Queue queue(options());
            const auto batch = queue.lease({.detached = detached});
            parent.send(batch ? std::string(batch->token()) : "nothing");
            parent.hold();
        });
    }
    static std::string leased_by(ChildProcess& child) {
        child.send("go");
        return child.receive();
    }
};

TEST_F(Rule07Recovery, WhoeverLeasesNextReclaimsWhatADeadProcessHeld) {
    auto child = holder();
    Queue queue(options());
    put(queue, {"a"});
    ASSERT_NE(leased_by(*child), "nothing");
    EXPECT_FALSE(queue.lease());  // its owner lives, though this queue did not open it
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT count(*) FROM owners"), 2);
    child->kill();
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (Keys{"a"}));
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT count(*) FROM owners"), 1);
    expect_sound(queue);
}

TEST_F(Rule07Recovery, WhoeverCleansUpNextReclaimsToo) {
    auto child = holder();
    Queue queue(options());
    put(queue, {"a"});
    ASSERT_NE(leased_by(*child), "nothing");
    EXPECT_EQ(queue.cleanup().reclaimed, 0);
    child->kill();
    EXPECT_EQ(queue.cleanup().reclaimed, 1);
    EXPECT_EQ(counter(queue, "waiting_items"), 1);
    EXPECT_EQ(counter(queue, "leased_items"), 0);
    expect_sound(queue);
}

TEST_F(Rule07Recovery, ALeaseThatWaitsProbesTheHolders) {
    auto child = holder();
    auto watched = std::make_shared<WatchedClock>(clock);
    Options options = QueueTest::options();
    options.clock = watched;
    {
        Queue queue(QueueTest::options());
        put(queue, {"a"});
    }
    ASSERT_NE(leased_by(*child), "nothing");
    Queue queue(options);
    auto answer = std::async(std::launch::async, [&] {
        auto batch = queue.lease({.wait = Ms{60'000}});
        return batch ? keys_of(*batch) : Keys{};
    });
    watched->wait_for_looks(2);
    child->kill();  // the kernel frees the lock; no wake-up is sent
    EXPECT_EQ(answer.get(), (Keys{"a"}));
    expect_sound(queue);
}

TEST_F(Rule07Recovery, ADeadOwnersTokenIsHonouredUntilTheBatchIsLeasedAgain) {
    auto child = holder();
    Queue queue(options());
    put(queue, {"a", "b"});
    const std::string token = leased_by(*child);
    child->kill();
    EXPECT_EQ(queue.cleanup().reclaimed, 1);
    Settlement late;
    late.acked = {{.key = "a"}};
    late.rest = Rest::keep;
    EXPECT_EQ(queue.settle(token, late).acked, 1);
    auto again = queue.lease();
    ASSERT_TRUE(again);
    EXPECT_EQ(keys_of(*again), (Keys{"b"}));
    EXPECT_TRUE(queue.settle(token, {.rest = Rest::ack}).fenced);
    expect_sound(queue);
}

TEST_F(Rule07Recovery, OnlyTimeEndsADetachedLease) {
    auto child = holder(true);
    Queue queue(options());
    put(queue, {"a"});
    const std::string token = leased_by(*child);
    child->kill();
    EXPECT_EQ(queue.cleanup().reclaimed, 0);
    EXPECT_FALSE(queue.lease());
    EXPECT_FALSE(queue.extend(token, Ms{60'000}).fenced);
    clock->advance(Ms{60'000});
    EXPECT_EQ(queue.cleanup().reclaimed, 1);
    expect_sound(queue);
}

TEST_F(Rule07Recovery, AnotherQueueOfTheSameProcessIsAnOwnerOfItsOwn) {
    Queue queue(options());
    auto other = std::make_unique<Queue>(options());
    put(queue, {"a", "b"});
    auto held = other->lease({.items_max = 1});
    ASSERT_TRUE(held);
    EXPECT_EQ(queue.cleanup().reclaimed, 0);
    other.reset();  // its batch lives on, and with it the lock
    EXPECT_EQ(queue.cleanup().reclaimed, 0);
    EXPECT_EQ(held->ack().acked, 1);
    held.reset();
    EXPECT_EQ(RawDatabase(dir / "queue.db").integer("SELECT count(*) FROM owners"), 1);
    expect_sound(queue);
}

TEST_F(Rule07Recovery, AProcessNeverReclaimsFromItself) {
    Queue queue(options());
    put(queue, {"a"});
    const auto held = queue.lease();
    ASSERT_TRUE(held);
    EXPECT_FALSE(queue.lease());
    EXPECT_EQ(queue.cleanup().reclaimed, 0);
    EXPECT_FALSE(queue.lease({.wait = Ms{120}}));  // two probes
    expect_sound(queue);
}

TEST_F(Rule07Recovery, AnOwnedLeaseOfALivingOwnerEndsWhenItLapses) {
    Queue queue(options());
    Queue other(options());
    put(queue, {"a"});
    const auto held = queue.lease({.lease_time = Ms{5'000}});
    clock->advance(Ms{4'999});
    EXPECT_EQ(other.cleanup().reclaimed, 0);
    clock->advance(Ms{1});
    EXPECT_EQ(other.cleanup().reclaimed, 1);
    EXPECT_EQ(RawDatabase(dir / "queue.db").text("SELECT outcome FROM attempts"), "lapsed");
    expect_sound(queue);
}

TEST_F(Rule07Recovery, OwnerIdsAreNeverReused) {
    Queue queue(options());
    std::int64_t last = RawDatabase(dir / "queue.db").integer("SELECT max(id) FROM owners");
    for (int i = 0; i < 3; ++i) {
        Options named = options();
        named.label = "worker " + std::to_string(i);
        const Queue other(named);
        RawDatabase raw(dir / "queue.db");
        const std::int64_t id = raw.integer("SELECT max(id) FROM owners");
        EXPECT_GT(id, last);
        EXPECT_EQ(raw.text("SELECT label FROM owners WHERE id = " + std::to_string(id)),
                  named.label);
        last = id;
    }
    expect_sound(queue);
}

TEST_F(Rule07Recovery, WithAReplacedLockFileOnlyTheLapseCounts) {
    auto child = holder();
    const auto locks = (dir / "queue.db").string() + "-owners";
    {
        Queue queue(options());
        put(queue, {"a"});
    }
    ASSERT_NE(leased_by(*child), "nothing");
    child->kill();
    // Renamed, not removed: a new file must not be given the old one's inode.
    std::filesystem::rename(locks, locks + ".old");
    Queue queue(options());
    EXPECT_FALSE(queue.lease());
    EXPECT_EQ(queue.cleanup().reclaimed, 0);
    clock->advance(Ms{60'000});
    EXPECT_EQ(queue.cleanup().reclaimed, 1);
    expect_sound(queue);
}

TEST_F(Rule07Recovery, AForkedChildDoesNotKeepItsParentsLock) {
    ChildProcess child([this](const ChildProcess::Parent& parent) {
        parent.receive();
        Queue queue(options());
        const auto batch = queue.lease();
        const ChildProcess grandchild([](const ChildProcess::Parent& middle) {
            middle.send("alive");
            pause();  // outlives the middle process: the pipe's end is only seen by a read
        });
        if (!batch || grandchild.receive() != "alive") throw std::runtime_error("no grandchild");
        parent.send(std::to_string(grandchild.pid()));
        parent.hold();
    });
    Queue queue(options());
    put(queue, {"a"});
    const std::string grandchild = leased_by(child);
    ASSERT_GT(std::atoi(grandchild.c_str()), 1) << grandchild;
    EXPECT_FALSE(queue.lease());
    child.kill();
    EXPECT_EQ(kill(std::atoi(grandchild.c_str()), 0), 0);  // it lives
    EXPECT_TRUE(queue.lease());
    kill(std::atoi(grandchild.c_str()), SIGKILL);
    expect_sound(queue);
}

TEST_F(Rule07Recovery, TheLockFileIsClosedOnExec) {
    const Queue queue(options());
    const auto locks = (dir / "queue.db").string() + "-owners";
    int found = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry.path(), gone) != locks) continue;
        const int fd = std::atoi(entry.path().filename().c_str());
        EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        ++found;
    }
    EXPECT_EQ(found, 1);
    Queue other(options());
    expect_sound(other);
}

}  // namespace
}  // namespace headpond::test
