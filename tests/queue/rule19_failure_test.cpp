// Rule 19: what a correct caller meets daily is a value; the rest is an Error that says what to do.
#include "support/child_process.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>

namespace headpond::test {
namespace {

class Rule19Failure : public QueueTest {
  protected:
    // Runs fn, which must throw an Error of this code, in one line; answers it.
    static std::string thrown(ErrorCode code, const std::function<void()>& fn) {
        try {
            fn();
        } catch (const Error& error) {
            const std::string what = error.what();
            EXPECT_EQ(error.code(), code) << what;
            EXPECT_EQ(what.find('\n'), std::string::npos);
            EXPECT_FALSE(error.operation().empty()) << what;
            return what;
        }
        ADD_FAILURE() << "nothing was thrown; expected " << to_string(code);
        return {};
    }
    Options at(const std::filesystem::path& path) {
        Options options = QueueTest::options();
        options.path = path;
        return options;
    }
};

TEST_F(Rule19Failure, DailyThingsAreValues) {
    Options options = QueueTest::options();
    options.items_max = 1;
    options.overflow = Overflow::refuse;
    options.payload_bytes_max = 100;
    Queue queue(options);
    const std::string big(101, 'x');
    EXPECT_FALSE(queue.lease());
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::duplicate});
    EXPECT_EQ(put(queue, {"b"}), std::vector{Enqueued::refused});
    EXPECT_EQ(queue.enqueue({.key = "c", .payload = big}), Enqueued::too_large);
    EXPECT_TRUE(queue.settle("1-0123456789abcdef", {.rest = Rest::ack}).fenced);
    EXPECT_FALSE(queue.cancel("c"));
    EXPECT_EQ(queue.forget({}), 0U);
    EXPECT_TRUE(queue.outcomes(10).empty());
    EXPECT_TRUE(queue.enqueue(std::vector<NewItem>{}).empty());
    EXPECT_EQ(to_string(Enqueued::no_room), "no_room");
    EXPECT_EQ(to_string(ErrorCode::outcome_unknown), "outcome_unknown");
    expect_sound(queue);
}

TEST_F(Rule19Failure, AClosedQueueRefusesEveryCallAndItsBatchesStillSettle) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    Admin admin(queue);
    queue.close();
    queue.close();
    const std::vector<std::function<void()>> calls{[&] { put(queue, {"b"}); },
                                                   [&] { (void)queue.lease(); },
                                                   [&] { (void)queue.outcomes(1); },
                                                   [&] { (void)queue.forget({}); },
                                                   [&] { (void)queue.cancel("a"); },
                                                   [&] { (void)queue.health(); },
                                                   [&] { queue.cleanup(); },
                                                   [&] { queue.log_health(); },
                                                   [&] { queue.flush(); },
                                                   [&] { queue.transact([](Transaction&) {}); },
                                                   [&] { (void)queue.options(); },
                                                   [&] { (void)queue.settle("x", {}); },
                                                   [&] { (void)admin.peek(1); },
                                                   [&] { admin.pause({}, "x", "y"); },
                                                   [&] { (void)admin.view("health"); },
                                                   [&] { (void)admin.check(); }};
    for (std::size_t i = 0; i < calls.size(); ++i) {
        SCOPED_TRACE(i);
        thrown(ErrorCode::closed, calls[i]);
    }
    EXPECT_EQ(batch->ack().acked, 1);
    Queue again(options());
    EXPECT_EQ(counter(again, "acked"), 1);
    expect_sound(again);
}

TEST_F(Rule19Failure, AForkedChildIsRefusedAndHarmsNothing) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    ChildProcess child([&](const ChildProcess::Parent& parent) {
        const std::vector<std::function<void()>> calls{
            [&] { put(queue, {"b"}); }, [&] { (void)queue.lease(); }, [&] { batch->ack(); },
            [&] { (void)queue.health(); }, [&] { queue.transact([](Transaction&) {}); }};
        int closed = 0;
        for (const auto& call : calls) {
            try {
                call();
            } catch (const Error& error) {
                closed += error.code() == ErrorCode::closed;
            }
        }
        batch.reset();  // does not nack what is the parent's
        parent.send(std::to_string(closed));
    });
    EXPECT_EQ(child.receive(), "5");
    EXPECT_EQ(child.wait(), 0);
    Queue other(options());
    EXPECT_EQ(other.cleanup().reclaimed, 0);  // the parent's lock held on
    EXPECT_EQ(batch->ack().acked, 1);
    expect_sound(queue);
}

// SQLite's record of the locks it holds is inherited, the locks are not: a file opened anew in the
// child would be without them, and whoever closes it last would delete the log under its feet.
TEST_F(Rule19Failure, AForkedChildIsRefusedTheFileOrHoldsLocksOfItsOwn) {
    const auto path = (dir / "queue.db").string();
    ChildProcess prober([&](const ChildProcess::Parent& parent) {
        parent.receive();
        const int fd = open(path.c_str(), O_RDWR);
        struct flock shared {};  // SQLite's bytes of readers, from os_unix.c
        shared.l_type = F_WRLCK;
        shared.l_whence = SEEK_SET;
        shared.l_start = 0x40000002;
        shared.l_len = 510;
        const bool asked = fcntl(fd, F_GETLK, &shared) == 0;
        parent.send(asked && shared.l_type == F_UNLCK ? "free" : "held");
    });
    auto queue = std::make_unique<Queue>(options());
    ChildProcess child([&](const ChildProcess::Parent& parent) {
        try {
            const Queue anew(options());
            parent.send("opened");
            parent.hold();
        } catch (const Error& error) {
            parent.send("refused " + std::string(to_string(error.code())));
        }
    });
    const std::string answer = child.receive();
    queue.reset();  // what is locked from here on, the child has locked
    prober.send("look");
    const std::string seen = prober.receive();
    if (answer == "opened") {
        EXPECT_EQ(seen, "held") << "the child's queue holds no lock on the file";
    } else {
        EXPECT_TRUE(answer.starts_with("refused")) << answer;
    }
}

TEST_F(Rule19Failure, PathsThatCannotBeAQueueSayWhy) {
    thrown(ErrorCode::misuse, [&] { Queue{at("")}; });
    thrown(ErrorCode::io, [&] { Queue{at(dir / "no such folder" / "queue.db")}; });
    thrown(ErrorCode::misuse, [&] { Queue{at(dir.path())}; });
    std::filesystem::create_symlink(dir / "elsewhere.db", dir / "link.db");
    const std::string what = thrown(ErrorCode::misuse, [&] { Queue{at(dir / "link.db")}; });
    EXPECT_NE(what.find("link.db"), std::string::npos);
    EXPECT_NE(what.find("allowed:"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(dir / "elsewhere.db"));
}

TEST_F(Rule19Failure, ADirectoryBehindASymbolicLinkIsFollowed) {
    std::filesystem::create_directory(dir / "real");
    std::filesystem::create_directory_symlink(dir / "real", dir / "linked");
    Queue queue(at(dir / "linked" / "queue.db"));
    put(queue, {"a"});
    Queue same(at(dir / "real" / "queue.db"));
    EXPECT_EQ(resident(same).size(), 1U);
    expect_sound(queue);
}

TEST_F(Rule19Failure, AFileWithSeveralNamesIsRefused) {
    { const Queue queue(options()); }
    std::filesystem::create_hard_link(dir / "queue.db", dir / "second.db");
    thrown(ErrorCode::misuse, [&] { Queue{at(dir / "second.db")}; });
    std::filesystem::remove(dir / "second.db");
    Queue queue(options());
    expect_sound(queue);
}

TEST_F(Rule19Failure, AnotherKindOfFileIsNotAQueueAndIsLeftAlone) {
    std::ofstream(dir / "notes.txt") << std::string(5'000, 'n');
    thrown(ErrorCode::not_a_queue, [&] { Queue{at(dir / "notes.txt")}; });
    EXPECT_EQ(std::filesystem::file_size(dir / "notes.txt"), 5'000U);
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open((dir / "other.db").c_str(), &other), SQLITE_OK);
    sqlite3_exec(other, "CREATE TABLE t (x)", nullptr, nullptr, nullptr);
    sqlite3_close(other);
    thrown(ErrorCode::not_a_queue, [&] { Queue{at(dir / "other.db")}; });
    EXPECT_FALSE(std::filesystem::exists((dir / "other.db").string() + "-wal"));
}

TEST_F(Rule19Failure, UnknownViewsAndWordsAreNamed) {
    Queue queue(options());
    const std::string what = thrown(ErrorCode::misuse, [&] { (void)Admin(queue).view("totals"); });
    EXPECT_NE(what.find("'totals'"), std::string::npos);
    EXPECT_NE(what.find("health"), std::string::npos);
    expect_sound(queue);
}

TEST_F(Rule19Failure, ABackupNeverOverwrites) {
    Queue queue(options());
    put(queue, {"a"});
    Admin(queue).backup(dir / "copy.db");
    thrown(ErrorCode::io, [&] { Admin(queue).backup(dir / "copy.db"); });
    Queue copy(at(dir / "copy.db"));
    EXPECT_EQ(resident(copy), (std::vector<std::string>{"a"}));
    expect_sound(copy);
}

// The cleanup that falls due in a call is not what was asked for.
TEST_F(Rule19Failure, ALeaseIsAnsweredThoughItsCleanupFindsTheFileBusy) {
    std::optional<RawDatabase> foreign;
    Options options = QueueTest::options();
    options.batch_items_max = 1;
    options.backoff_base = Ms{0};
    options.turn_timeout = Ms{30};
    options.log = [&](LogLevel, std::string_view line) {
        if (line.find("permanently failed") == std::string_view::npos) return;
        foreign.emplace(dir / "queue.db").exec("BEGIN IMMEDIATE");
    };
    Queue queue(options);
    put(queue, {"a", "b"});
    queue.lease()->nack("once");
    clock->advance(Ms{10'000});
    RawDatabase(dir / "queue.db")
        .exec("UPDATE settings SET value = 1 WHERE name IN ('attempts_max', 'cleanup_interval')");
    auto batch = queue.lease();
    ASSERT_TRUE(foreign) << "the exhausted batch was given up, and the file is busy since";
    ASSERT_TRUE(batch);
    EXPECT_EQ(keys_of(*batch), (std::vector<std::string>{"b"}));
    EXPECT_THROW(put(queue, {"c"}), Error) << "what finds the file busy before it began says so";
    foreign.reset();
    batch->ack();
    EXPECT_EQ(put(queue, {"c"}), std::vector{Enqueued::stored});
    expect_sound(queue);
}

TEST_F(Rule19Failure, AQueueStartsNoThread) {
    const auto threads = [] {
        int count = 0;
        for ([[maybe_unused]] const auto& one :
             std::filesystem::directory_iterator("/proc/self/task")) {
            ++count;
        }
        return count;
    };
    const int before = threads();
    Queue queue(options());
    put(queue, {"a"});
    queue.lease()->ack();
    queue.cleanup();
    (void)queue.lease({.wait = Ms{10}});
    EXPECT_EQ(threads(), before);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
