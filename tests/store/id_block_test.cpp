// Ids that are reserved ahead: never issued twice, in order, whoever else writes.
#include "store/sqlite/id_block.h"

#include "store/sqlite/transaction.h"
#include "support/store_factory.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace headpond::test {
namespace {

using namespace store::sqlite;

class Writer {
  public:
    explicit Writer(const std::string& path)
        : database_(open_connection(path, Access::read_write, 0)),
          sql_(*database_),
          memory_(sql_),
          tx_(*database_, sql_, path, &memory_) {}

    void begin() {
        Run(sql_[Sql::begin]).step();
        memory_.begun();
    }
    void commit() {
        Run(sql_[Sql::commit]).step();
        memory_.committed();
    }
    void rollback() { Run(sql_[Sql::rollback]).step(); }
    std::int64_t insert() { return *tx_.insert({.key = "k", .source_tag = "", .payload = "p"}); }
    // Many at once, all above `at`; answers the last.
    std::int64_t insert(std::size_t count, bool& failed, std::int64_t at) {
        const std::vector<store::NewRow> rows(count, {.key = "k", .payload = "p"});
        for (const auto& id : tx_.insert_all(rows)) {
            failed |= !id || *id <= at;
            at = id.value_or(at);
        }
        return at;
    }
    std::int64_t next_batch() { return tx_.next_batch_id(); }
    std::int64_t add_batch() {
        store::BatchRow row;
        row.id = row.first_id = row.last_id = next_batch();
        row.not_before = 0;
        tx_.add_batch(row);
        return row.id;
    }
    std::int64_t insert_alone() {
        begin();
        const std::int64_t id = insert();
        commit();
        return id;
    }
    void close() {
        begin();
        tx_.give_back_ids();
        commit();
    }
    void lend() { memory_.lent(); }
    void nest(const std::function<void()>& fn) { tx_.nested(fn); }
    void exec(const std::string& sql) { database_->exec(sql); }
    [[nodiscard]] std::int64_t number(const char* sql) { return query_integer(*database_, sql); }
    [[nodiscard]] std::int64_t sequence() {
        return number("SELECT seq FROM sqlite_sequence WHERE name = 'items'");
    }

  private:
    std::unique_ptr<SQLite::Database> database_;
    Statements sql_;
    WriterMemory memory_;
    SqliteTransaction tx_;
};

class IdBlockTest : public ::testing::Test {
  protected:
    // Ids of their own: SQLite's UNIQUE would tell a second k, so `keys` is free here.
    IdBlockTest() {
        (void)open_sqlite_store(path);
        Writer(path).exec("DROP INDEX IF EXISTS items_key");
    }

    TempDir dir;
    std::string path = dir / "queue.db";
};

TEST_F(IdBlockTest, AWriterAloneIssuesOneAfterTheOtherAndSeldomWritesTheSequence) {
    Writer one(path);
    std::int64_t writes = 0;
    std::int64_t before = one.sequence();
    for (std::int64_t id = 1; id <= 3000; ++id) {
        ASSERT_EQ(one.insert_alone(), id);
        if (one.sequence() == before) continue;
        ++writes;
        before = one.sequence();
        ASSERT_GE(before, id);
    }
    EXPECT_LT(writes, 25);
    one.close();
    EXPECT_EQ(one.sequence(), 3000);
    EXPECT_EQ(Writer(path).insert_alone(), 3001);
}

TEST_F(IdBlockTest, AnotherGoesOnBehindWhatIsReserved) {
    Writer one(path);
    Writer two(path);
    for (int i = 0; i < 40; ++i) (void)one.insert_alone();
    const std::int64_t reserved = one.sequence();
    ASSERT_GT(reserved, 40);
    EXPECT_EQ(two.insert_alone(), reserved + 1);
    EXPECT_EQ(one.insert_alone(), reserved + 2);
    // Not one's own block any more: nothing to give back.
    two.close();
    EXPECT_EQ(one.sequence(), reserved + 2);
}

TEST_F(IdBlockTest, WhoTakesTurnsLeavesNoGaps) {
    Writer one(path);
    Writer two(path);
    for (std::int64_t id = 1; id < 100; id += 2) {
        ASSERT_EQ(one.insert_alone(), id);
        ASSERT_EQ(two.insert_alone(), id + 1);
    }
}

TEST_F(IdBlockTest, ARowPutByHandIntoTheReservedIdsIsPassed) {
    Writer one(path);
    for (int i = 0; i < 40; ++i) (void)one.insert_alone();
    const std::int64_t reserved = one.sequence();
    Writer(path).exec("INSERT INTO items (id, key, payload, enqueued_at) VALUES (42, 'h', x'', 0)");
    ASSERT_EQ(one.sequence(), reserved);
    EXPECT_EQ(one.insert_alone(), reserved + 1);
}

TEST_F(IdBlockTest, AfterTheLastIdSqliteRefuses) {
    Writer one(path);
    one.exec(
        "INSERT INTO items (id, key, payload, enqueued_at) "
        "VALUES (9223372036854775807, 'last', x'', 0)");
    one.begin();
    EXPECT_THROW((void)one.insert(), SQLite::Exception);  // and SQLite rolls it back
    one.exec("INSERT INTO sqlite_sequence VALUES ('batches', 9223372036854775807)");
    one.begin();
    EXPECT_THROW((void)one.next_batch(), Error);
    one.rollback();
}

// Several writers and what each may do in a transaction.
class IdModel : public IdBlockTest {
  protected:
    // True: every id that was issued is above all that were committed before.
    bool change() {
        at = highest;
        batch_at = highest_batch;
        failed = false;
        const auto count = random() % 20;
        for (std::uint64_t i = 0; i < count; ++i) step();
        return !failed;
    }

    void step() {
        switch (random() % 16) {
            case 0:
                undo();
                break;
            case 1:  // all that is there leaves: what was issued must be remembered elsewhere
                who->exec("DELETE FROM items; DELETE FROM batches");
                break;
            case 2:
                who->lend();
                who->exec("INSERT INTO items (key, payload, enqueued_at) VALUES ('g', x'', 0)");
                at = who->number("SELECT max(id) FROM items");
                break;
            default:
                issue();
        }
    }

    void issue() {
        if (random() % 4 == 0) {
            at = who->insert(1 + random() % 40, failed, at);
        } else {
            const std::int64_t id = who->insert();
            failed |= id <= at;
            at = id;
        }
        if (random() % 3 != 0) return;
        const std::int64_t batch = who->add_batch();
        failed |= batch <= batch_at;
        batch_at = batch;
    }

    void undo() {
        const std::int64_t item = at;
        const std::int64_t batch = batch_at;
        try {
            who->nest([&] {
                issue();
                issue();
                throw Error(ErrorCode::misuse, "test", "", "undone");
            });
        } catch (const Error&) {
            at = item;
            batch_at = batch;
        }
    }

    void end() {
        const auto how = random() % 8;
        if (how == 0) {
            who->rollback();
            return;
        }
        who->commit();
        if (how == 1) who->close();
        highest = at;
        highest_batch = batch_at;
    }

    std::mt19937_64 random{std::mt19937_64::default_seed};
    std::int64_t highest = 0, highest_batch = 0;  // committed
    std::int64_t at = 0, batch_at = 0;            // of the running transaction
    bool failed = false;
    Writer* who = nullptr;
};

TEST_F(IdModel, NeverTwiceAndAlwaysUpwards) {
    Writer writers[] = {Writer(path), Writer(path), Writer(path)};
    who = &writers[0];
    for (int transaction = 0; transaction < 6000; ++transaction) {
        if (random() % 8 == 0) who = &writers[random() % 3];
        who->begin();
        ASSERT_TRUE(change()) << transaction;
        end();
    }
    EXPECT_GT(highest, 10'000);
}

}  // namespace
}  // namespace headpond::test
