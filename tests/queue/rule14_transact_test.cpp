// Rule 14: the caller's rows and the queue's commit or roll back together.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <headpond/sqlite.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include <sqlite3.h>

namespace headpond::test {
namespace {

using Keys = std::vector<std::string>;

class Rule14Transact : public QueueTest {
  protected:
    static int run(Transaction& tx, const char* sql) {
        return sqlite3_exec(sqlite_handle(tx), sql, nullptr, nullptr, nullptr);
    }
    void make_guest_table() {
        RawDatabase(dir / "queue.db").exec("CREATE TABLE alerts (uuid TEXT PRIMARY KEY)");
    }
    std::int64_t in_file(const std::string& sql) {
        return RawDatabase(dir / "queue.db").integer(sql);
    }
    static void expect_misuse(const std::function<void()>& fn) {
        try {
            fn();
            ADD_FAILURE() << "was allowed";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::misuse) << error.what();
        }
    }
};

TEST_F(Rule14Transact, TheCallersRowsAndTheQueuesCommitTogether) {
    Queue queue(options());
    make_guest_table();
    put(queue, {"old"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    queue.transact([&](Transaction& tx) {
        EXPECT_EQ(run(tx, "INSERT INTO alerts VALUES ('new')"), SQLITE_OK);
        EXPECT_EQ(tx.enqueue({.key = "new", .payload = "x"}), Enqueued::stored);
        EXPECT_EQ(tx.enqueue({.key = "new", .payload = "x"}), Enqueued::duplicate);
        EXPECT_EQ(tx.settle(batch->token(), {.rest = Rest::ack}).acked, 1);
        const auto outcomes = tx.outcomes(10);
        ASSERT_EQ(outcomes.size(), 1U);
        const std::vector<std::int64_t> ids{outcomes[0].item_id};
        EXPECT_EQ(tx.forget(ids), 1U);
        EXPECT_EQ(in_file("SELECT count(*) FROM alerts"), 0);  // not before the commit
    });
    EXPECT_EQ(in_file("SELECT count(*) FROM alerts"), 1);
    EXPECT_EQ(resident(queue), (Keys{"new"}));
    EXPECT_TRUE(queue.outcomes(10).empty());
    EXPECT_TRUE(batch->ack().fenced);
    expect_sound(queue);
}

TEST_F(Rule14Transact, WhatFnThrowsRollsAllBackAndIsRethrown) {
    Queue queue(options());
    make_guest_table();
    put(queue, {"old"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    const auto before = in_file("SELECT enqueued FROM totals");
    try {
        queue.transact([&](Transaction& tx) {
            run(tx, "INSERT INTO alerts VALUES ('new')");
            EXPECT_EQ(tx.enqueue({.key = "new", .payload = "x"}), Enqueued::stored);
            EXPECT_EQ(tx.settle(batch->token(), {.rest = Rest::ack}).acked, 1);
            throw std::out_of_range("mine");
        });
        ADD_FAILURE() << "committed";
    } catch (const std::out_of_range& error) {
        EXPECT_STREQ(error.what(), "mine");
    }
    EXPECT_EQ(in_file("SELECT count(*) FROM alerts"), 0);
    EXPECT_EQ(in_file("SELECT enqueued FROM totals"), before);
    EXPECT_EQ(resident(queue), (Keys{"old"}));
    EXPECT_EQ(batch->ack().acked, 1);
    expect_sound(queue);
}

TEST_F(Rule14Transact, InsideBlockActsAsRefuse) {
    Options options = QueueTest::options();
    options.items_max = 1;
    options.overflow = Overflow::block;
    options.enqueue_timeout = Ms{3'600'000};
    Queue queue(options);
    queue.transact([&](Transaction& tx) {
        const std::vector<NewItem> items{{.key = "a"}, {.key = "b"}, {.key = "c"}};
        EXPECT_EQ(tx.enqueue(items),
                  (std::vector{Enqueued::stored, Enqueued::refused, Enqueued::refused}));
    });
    EXPECT_EQ(counter(queue, "refused"), 2);
    expect_sound(queue);
}

TEST_F(Rule14Transact, LogLinesFollowTheCommit) {
    Options options = QueueTest::options();
    options.attempts_max = 1;
    Queue queue(options);
    put(queue, {"a", "b"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    const std::string line = "[Moonshot] Batch batch_" + std::to_string(batch->id()) +
                             " permanently failed, cleared 2 items";
    EXPECT_THROW(queue.transact([&](Transaction& tx) {
        EXPECT_TRUE(tx.settle(batch->token(), {.error = "no"}).abandoned);
        EXPECT_FALSE(logged(line));
        throw std::runtime_error("undo");
    }),
                 std::runtime_error);
    EXPECT_FALSE(logged(line));
    queue.transact([&](Transaction& tx) {
        EXPECT_TRUE(tx.settle(batch->token(), {.error = "no"}).abandoned);
        EXPECT_FALSE(logged(line));
    });
    EXPECT_TRUE(logged(line));
    expect_sound(queue);
}

TEST_F(Rule14Transact, CallingTheQueueOrABatchInsideIsMisuse) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    queue.transact([&](Transaction& tx) {
        EXPECT_EQ(tx.enqueue({.key = "b"}), Enqueued::stored);
        expect_misuse([&] { (void)queue.enqueue({.key = "c"}); });
        expect_misuse([&] { (void)queue.lease(); });
        expect_misuse([&] { (void)queue.outcomes(1); });
        expect_misuse([&] { (void)queue.forget({}); });
        expect_misuse([&] { (void)queue.cancel("a"); });
        expect_misuse([&] { (void)queue.health(); });
        expect_misuse([&] { queue.cleanup(); });
        expect_misuse([&] { queue.flush(); });
        expect_misuse([&] { queue.transact([](Transaction&) {}); });
        expect_misuse([&] { batch->ack(); });
        expect_misuse([&] { batch->extend(Ms{1'000}); });
        expect_misuse([&] { (void)Admin(queue).peek(1); });
    });
    EXPECT_EQ(resident(queue), (Keys{"a", "b"}));
    EXPECT_EQ(batch->ack().acked, 1);
    expect_sound(queue);
}

TEST_F(Rule14Transact, AfterTransactOfAnotherQueueInsideTheFirstStaysGuarded) {
    Options other_options = options();
    other_options.path = dir / "other.db";
    Queue queue(options());
    Queue other(other_options);
    queue.transact([&](Transaction& tx) {
        EXPECT_EQ(tx.enqueue({.key = "a"}), Enqueued::stored);
        other.transact(
            [](Transaction& inner) { EXPECT_EQ(inner.enqueue({.key = "b"}), Enqueued::stored); });
        expect_misuse([&] { (void)queue.enqueue({.key = "c"}); });
    });
    EXPECT_EQ(resident(queue), (Keys{"a"}));
    EXPECT_EQ(resident(other), (Keys{"b"}));
    expect_sound(queue);
}

TEST_F(Rule14Transact, ABatchDroppedInsideIsNackedByTheNextWrite) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    queue.transact([&](Transaction&) { batch.reset(); });
    put(queue, {"b"});
    EXPECT_EQ(RawDatabase(dir / "queue.db").text("SELECT last_error FROM batches"),
              "dropped unsettled");
    expect_sound(queue);
}

TEST_F(Rule14Transact, AGuestsCommitCommitsNothing) {
    Queue queue(options());
    make_guest_table();
    EXPECT_THROW(queue.transact([&](Transaction& tx) {
        EXPECT_EQ(tx.enqueue({.key = "a"}), Enqueued::stored);
        run(tx, "INSERT INTO alerts VALUES ('x')");
        EXPECT_NE(run(tx, "COMMIT"), SQLITE_OK);
    }),
                 Error);
    EXPECT_TRUE(resident(queue).empty());
    EXPECT_EQ(in_file("SELECT count(*) FROM alerts"), 0);
    EXPECT_EQ(put(queue, {"works"}), std::vector{Enqueued::stored});
    expect_sound(queue);
}

TEST_F(Rule14Transact, AGuestsRollbackIsAnErrorAndNothingCommits) {
    Queue queue(options());
    make_guest_table();
    expect_misuse([&] {
        queue.transact([&](Transaction& tx) {
            EXPECT_EQ(tx.enqueue({.key = "a"}), Enqueued::stored);
            EXPECT_EQ(run(tx, "ROLLBACK"), SQLITE_OK);
        });
    });
    EXPECT_TRUE(resident(queue).empty());
    expect_sound(queue);
}

TEST_F(Rule14Transact, AGuestThatRollsBackAndBeginsAnewCommitsNothingEither) {
    Queue queue(options());
    make_guest_table();
    for (const char* end : {"ROLLBACK", "COMMIT"}) {
        EXPECT_THROW(queue.transact([&](Transaction& tx) {
            EXPECT_EQ(tx.enqueue({.key = "a"}), Enqueued::stored);
            run(tx, end);
            EXPECT_EQ(run(tx, "BEGIN IMMEDIATE; INSERT INTO alerts VALUES ('half')"), SQLITE_OK);
        }),
                     Error)
            << end;
        EXPECT_EQ(in_file("SELECT count(*) FROM alerts"), 0) << end;
    }
    EXPECT_TRUE(resident(queue).empty());
    expect_sound(queue);
}

TEST_F(Rule14Transact, TemporaryObjectsThatShadowOursAreRefused) {
    Queue queue(options());
    for (const char* sql :
         {"CREATE TEMP TABLE items (id INTEGER)", "CREATE TEMP VIEW totals AS SELECT 1",
          "CREATE TEMP TRIGGER t AFTER INSERT ON items BEGIN SELECT 1; END"}) {
        expect_misuse(
            [&] { queue.transact([&](Transaction& tx) { EXPECT_EQ(run(tx, sql), SQLITE_OK); }); });
        EXPECT_EQ(put(queue, {sql}), std::vector{Enqueued::stored});
    }
    queue.transact(
        [&](Transaction& tx) { EXPECT_EQ(run(tx, "CREATE TEMP TABLE scratch (x)"), SQLITE_OK); });
    expect_sound(queue);
}

TEST_F(Rule14Transact, AMisuseInsideMayBeCaughtAndTheRestCommits) {
    Queue queue(options());
    put(queue, {"a"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    queue.transact([&](Transaction& tx) {
        Settlement twice;
        twice.acked = {{.key = "a"}, {.key = "a"}};
        expect_misuse([&] { tx.settle(batch->token(), twice); });
        expect_misuse([&] { (void)tx.enqueue({.key = ""}); });
        EXPECT_EQ(tx.enqueue({.key = "b"}), Enqueued::stored);
    });
    EXPECT_EQ(resident(queue), (Keys{"a", "b"}));
    EXPECT_EQ(batch->ack().acked, 1);
    expect_sound(queue);
}

// A settlement that fails half way must leave no half behind when the caller goes on.
TEST_F(Rule14Transact, AFailedCallInsideLeavesNothingOfItself) {
    Queue queue(options());
    put(queue, {"a", "b"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    RawDatabase raw(dir / "queue.db");
    raw.exec(
        "CREATE TRIGGER breaks BEFORE INSERT ON outcomes WHEN NEW.key = 'b' BEGIN "
        "SELECT RAISE(ABORT, 'broken'); END");
    queue.transact([&](Transaction& tx) {
        EXPECT_THROW(tx.settle(batch->token(), {.rest = Rest::ack}), Error);
        EXPECT_EQ(tx.enqueue({.key = "c"}), Enqueued::stored);
    });
    raw.exec("DROP TRIGGER breaks");
    EXPECT_EQ(resident(queue), (Keys{"a", "b", "c"}));
    expect_sound(queue);
    EXPECT_EQ(batch->ack().acked, 2);
    expect_sound(queue);
}

TEST_F(Rule14Transact, GuestTablesLiveBesideOursAndPassTheCheck) {
    Queue queue(options());
    queue.transact([&](Transaction& tx) {
        EXPECT_EQ(run(tx,
                      "CREATE TABLE alerts (uuid TEXT PRIMARY KEY, title TEXT);"
                      "CREATE INDEX alerts_title ON alerts (title);"
                      "CREATE VIEW alert_titles AS SELECT title FROM alerts"),
                  SQLITE_OK);
        EXPECT_EQ(run(tx, "INSERT INTO alerts VALUES ('u', 't')"), SQLITE_OK);
    });
    Queue again(options());
    put(again, {"a"});
    expect_sound(again);
}

}  // namespace
}  // namespace headpond::test
