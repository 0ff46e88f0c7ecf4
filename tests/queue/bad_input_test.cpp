// Bad input at the library's doors: a named error in one line, the file untouched, nothing lost.
#include "support/child_process.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/store_errors.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

namespace headpond::test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Keys = std::vector<std::string>;

class BadInput : public QueueTest {
  protected:
    [[nodiscard]] fs::path path() const { return dir / "queue.db"; }
    static void expect_error(ErrorCode code, const std::string& words,
                             const std::function<void()>& fn) {
        const Error error = error_of(fn);
        EXPECT_EQ(error.code(), code) << error.what();
        EXPECT_THAT(error.what(), HasSubstr(words));
        expect_helpful(error);
    }
};

// --- the file moves while it is open -------------------------------------------------------------

class MovedFile : public BadInput, public ::testing::WithParamInterface<std::string> {
  protected:
    [[nodiscard]] fs::path moved() const { return path().string() + GetParam(); }

    // Calls in quick succession share one look at the files: the first error may come a moment
    // later, and is then every call's.
    static void wait_until_seen(Queue& queue) {
        for (int calls = 0; calls < 100'000; ++calls) {
            try {
                (void)queue.cancel("nothing");
            } catch (const Error&) {
                return;
            }
        }
        ADD_FAILURE() << "100000 calls did not see it";
    }
    void expect_every_call_refused(Queue& queue, Batch& batch) {
        Admin admin(queue);
        const std::vector<std::function<void()>> calls{[&] { put(queue, {"c"}); },
                                                       [&] { (void)queue.lease(); },
                                                       [&] { batch.ack(); },
                                                       [&] { batch.extend(Ms{1'000}); },
                                                       [&] { (void)queue.cancel("b"); },
                                                       [&] { queue.transact([](auto&) {}); },
                                                       [&] { (void)queue.outcomes(1); },
                                                       [&] { (void)queue.health(); },
                                                       [&] { queue.cleanup(); },
                                                       [&] { (void)admin.peek(1); },
                                                       [&] { (void)admin.view("health"); },
                                                       [&] { admin.backup(dir / "copy.db"); },
                                                       [&] { (void)admin.check(); }};
        for (std::size_t i = 0; i < calls.size(); ++i) {
            SCOPED_TRACE(i);
            expect_error(ErrorCode::io,
                         moved().filename().string() + ": the file was moved, removed", calls[i]);
        }
    }
};

TEST_P(MovedFile, IsSeenAndPutBackAllGoesOn) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    put(queue, {"b"});
    fs::rename(moved(), dir / "elsewhere");
    wait_until_seen(queue);
    expect_every_call_refused(queue, *batch);
    fs::rename(dir / "elsewhere", moved());
    EXPECT_EQ(batch->ack().acked, 1);
    EXPECT_THAT(resident(queue), ElementsAre("b"));
    expect_sound(queue);
}

TEST_P(MovedFile, IsSeenWhenItIsReplaced) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    fs::copy_file(moved(), dir / "other");
    fs::rename(dir / "other", moved());
    wait_until_seen(queue);
    expect_every_call_refused(queue, *batch);
    batch.reset();  // neither this nor the end of the queue throws
}

TEST_P(MovedFile, IsSeenByALeaseThatWaits) {
    Queue queue(options());
    fs::remove(moved());
    expect_error(ErrorCode::io, "moved, removed", [&] { (void)queue.lease({.wait = Ms{60'000}}); });
}

INSTANTIATE_TEST_SUITE_P(Each, MovedFile, ::testing::Values("", "-wal", "-shm"),
                         [](const auto& name) {
                             return name.param.empty() ? "database" : name.param.substr(1);
                         });

TEST_F(BadInput, AFileThatWasRemovedIsAnewQueueOnlyOnceItIsClosed) {
    std::optional<Queue> queue(std::in_place, options());
    put(*queue, {"a"});
    fs::remove(path());
    expect_error(ErrorCode::io, "an earlier file of this name", [&] { Queue{options()}; });
    queue.reset();
    Queue anew(options());
    EXPECT_THAT(resident(anew), ElementsAre());
    expect_sound(anew);
}

// --- a limit on the size of files ----------------------------------------------------------------

class FileSizeLimit : public BadInput {
  protected:
    // In a child that may write no file beyond `bytes`: enqueues until that fails, and says each
    // key once it is stored, and then what was thrown.
    static void fill(const Options& options, rlim_t bytes, const ChildProcess::Parent& parent) {
        Queue queue(options);
        const rlimit none{0, 0};
        const rlimit limit{bytes, bytes};
        if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
        const std::string payload(500'000, 'x');
        for (int i = 0;; ++i) {
            const std::string key = "key-" + std::to_string(i);
            try {
                if (queue.enqueue({.key = key, .payload = payload}) != Enqueued::stored) _exit(2);
            } catch (const Error& error) {
                parent.send(std::string(to_string(error.code())) + " " + error.what());
                return;
            }
            parent.send(key);
        }
    }
    // Keys that the child said it stored; `last` is its last word, empty when it was killed.
    static Keys stored(const ChildProcess& child, std::string& last) {
        Keys keys;
        while ((last = child.receive()).starts_with("key-")) keys.push_back(last);
        return keys;
    }
    static constexpr rlim_t bytes_max = 4'000'000;
};

TEST_F(FileSizeLimit, IsANamedErrorWhereItsSignalIsIgnored) {
    ChildProcess child([&](const ChildProcess::Parent& parent) {
        signal(SIGXFSZ, SIG_IGN);
        fill(options(), bytes_max, parent);
    });
    std::string last;
    const Keys keys = stored(child, last);
    EXPECT_TRUE(last.starts_with("io enqueue ")) << last;
    EXPECT_THAT(last, HasSubstr("ulimit -f"));
    EXPECT_EQ(child.wait(), 0);
    EXPECT_GE(keys.size(), 3U);
    Queue queue(options());
    EXPECT_EQ(resident(queue), keys);
    expect_sound(queue);
}

// As kill -9: the library changes no signal's handling, which is the program's.
TEST_F(FileSizeLimit, EndsAProcessThatLeavesItsSignalAndLosesNothing) {
    ChildProcess child([&](const ChildProcess::Parent& parent) {
        signal(SIGXFSZ, SIG_DFL);
        fill(options(), bytes_max, parent);
    });
    std::string last;
    const Keys keys = stored(child, last);
    EXPECT_EQ(last, "");
    EXPECT_EQ(child.wait(), -1);
    EXPECT_GE(keys.size(), 3U);
    Queue queue(options());
    Keys found = resident(queue);
    // The signal may come between a commit and its answer, at the checkpoint.
    EXPECT_LE(found.size(), keys.size() + 1);
    found.resize(std::min(found.size(), keys.size()));
    EXPECT_EQ(found, keys);
    expect_sound(queue);
}

// --- payloads and numbers ------------------------------------------------------------------------

TEST_F(BadInput, APayloadOfGigabytesIsRefusedWithoutBeingRead) {
    constexpr std::size_t bytes = (std::size_t{5} << 30U) + 1;
    void* memory =
        mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    const std::string_view all(static_cast<const char*>(memory), bytes);
    Queue queue(options());
    rusage before{}, after{};
    getrusage(RUSAGE_SELF, &before);
    for (const std::size_t size :
         {std::size_t{1'000'000'001}, (std::size_t{1} << 31U) + 1, bytes}) {
        EXPECT_EQ(queue.enqueue({.key = "big", .payload = all.substr(0, size)}),
                  Enqueued::too_large);
    }
    getrusage(RUSAGE_SELF, &after);
    munmap(memory, bytes);
    EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 50'000) << "kilobytes";
    EXPECT_EQ(queue.health().items, 0);
    expect_sound(queue);
}

TEST_F(BadInput, NumbersOutOfRangeAreNamedAndChangeNothing) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    const std::int64_t least = std::numeric_limits<std::int64_t>::min();
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const auto expect_misuse = [&](std::int64_t number, const std::string& what,
                                   const std::function<void()>& fn) {
        expect_error(ErrorCode::misuse, what + " is " + std::to_string(number), fn);
    };
    for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-1}, least}) {
        expect_misuse(n, "items_max", [&] { (void)queue.lease({.items_max = n}); });
        expect_misuse(n, "the duration", [&] { Admin(queue).pause(Ms{n}, "why", "me"); });
    }
    for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-1}, least, most}) {
        expect_misuse(n, "lease_time", [&] { (void)queue.lease({.lease_time = Ms{n}}); });
        expect_misuse(n, "the lease time", [&] { batch->extend(Ms{n}); });
    }
    for (const std::int64_t n : {std::int64_t{-1}, least, most}) {
        expect_misuse(n, "delay", [&] { batch->release(Ms{n}, "why"); });
        expect_misuse(n, "delay", [&] { batch->settle({.delay = Ms{n}}); });
        const GateClosure closure{.duration = Ms{n}, .reason = "quota"};
        expect_misuse(n, "close_gate.duration", [&] { batch->settle({.close_gate = closure}); });
    }
    EXPECT_FALSE(queue.lease({.items_max = most})) << "any number of items may be asked for";
    EXPECT_EQ(batch->ack().acked, 1);
    expect_sound(queue);
}

TEST_F(BadInput, NumbersOfOptionsOutOfRangeAreNamedWithTheirSign) {
    const std::vector<std::pair<std::int64_t, std::string>> times{
        {0, "0"},
        {-1, "-0.001"},
        {-1'500, "-1.5"},
        {std::numeric_limits<std::int64_t>::max(), "922"}};
    for (const auto& [number, shown] : times) {
        Options wrong = options();
        wrong.turn_timeout = Ms{number};
        expect_error(ErrorCode::misuse, "turn_timeout is " + shown, [&] { Queue{wrong}; });
        wrong = options();
        wrong.age_max = Ms{number};
        expect_error(ErrorCode::misuse, "age_max is " + shown, [&] { Queue{wrong}; });
    }
    for (const std::int64_t n :
         {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()}) {
        Options wrong = options();
        wrong.attempts_max = n;
        expect_error(ErrorCode::misuse, "attempts_max is " + std::to_string(n),
                     [&] { Queue{wrong}; });
        wrong = options();
        wrong.batch_items_max = n;
        expect_error(ErrorCode::misuse, "batch_items_max is " + std::to_string(n),
                     [&] { Queue{wrong}; });
    }
    EXPECT_THAT(names_in(dir.path()), ElementsAre());
}

// --- processes -----------------------------------------------------------------------------------

TEST_F(BadInput, ClosingInAForkedChildIsNotTheParentsEnd) {
    auto queue = std::make_unique<Queue>(options());
    put(*queue, {"a", "b"});
    auto batch = queue->lease({.items_max = 1});
    ASSERT_TRUE(batch);
    ChildProcess child([&](const ChildProcess::Parent& parent) {
        queue->close();
        batch.reset();
        queue.reset();
        parent.send("closed");
    });
    EXPECT_EQ(child.receive(), "closed");
    EXPECT_EQ(child.wait(), 0);
    EXPECT_EQ(RawDatabase(path()).integer("SELECT count(*) FROM owners"), 1);
    Queue other(options());
    EXPECT_EQ(other.cleanup().reclaimed, 0) << "the parent's lock held on";
    EXPECT_EQ(put(*queue, {"c"}), std::vector{Enqueued::stored});
    EXPECT_EQ(batch->ack().acked, 1);
    EXPECT_THAT(resident(other), ElementsAre("b", "c"));
    expect_sound(*queue);
}

TEST_F(BadInput, AnotherProgramsExclusiveTransactionIsBusyAtTheDeadlineAndThenOver) {
    { Queue queue(options()); }
    ChildProcess foreign([&](const ChildProcess::Parent& parent) {
        parent.receive();
        RawDatabase raw(path());
        raw.exec("BEGIN EXCLUSIVE");
        parent.send("held");
        parent.receive();
        raw.exec("ROLLBACK");
        parent.send("over");
        parent.hold();
    });
    Options hasty = options();
    hasty.turn_timeout = Ms{100};
    Queue queue(hasty);
    foreign.send("begin");
    ASSERT_EQ(foreign.receive(), "held");
    const auto start = std::chrono::steady_clock::now();
    expect_error(ErrorCode::busy, "enqueue", [&] { put(queue, {"a"}); });
    expect_error(ErrorCode::busy, "turn_timeout", [&] { (void)queue.lease(); });
    expect_error(ErrorCode::busy, "open", [&] { Queue{hasty}; });
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
    EXPECT_EQ(queue.health().items, 0) << "reading needs no lock";
    foreign.send("end");
    ASSERT_EQ(foreign.receive(), "over");
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    Queue second(hasty);
    EXPECT_THAT(resident(second), ElementsAre("a"));
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
