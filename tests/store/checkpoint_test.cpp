// The log stays bounded: checkpoints by whoever finds it over the limit, under the guard, and by
// nobody else.
#include "store/sqlite/connection.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/store_errors.h"
#include "support/store_factory.h"

#include <headpond/sqlite.h>

#include <set>
#include <string>

#include <sqlite3.h>

namespace headpond::test {
namespace {

using store::sqlite::Access;
using store::sqlite::open_connection;

constexpr std::int64_t kibibyte = 1024;
constexpr std::int64_t mebibyte = 1024 * kibibyte;

class CheckpointTest : public QueueTest {
  protected:
    [[nodiscard]] std::filesystem::path path() const { return dir / "queue.db"; }
    [[nodiscard]] std::int64_t log_bytes() const {
        return static_cast<std::int64_t>(std::filesystem::file_size(path().string() + "-wal"));
    }
    // Writes about this much, in transactions of 64 KiB; the oldest items make room.
    void write(Queue& queue, std::int64_t bytes) {
        const std::string payload(64 * kibibyte, 'x');
        for (std::int64_t done = 0; done < bytes; done += 64 * kibibyte) {
            const std::string key = std::to_string(++written);
            ASSERT_EQ(queue.enqueue({.key = key, .source_tag = "test", .payload = payload}),
                      Enqueued::stored);
            highest = std::max(highest, log_bytes());
        }
    }
    Options bounded() {
        Options open = options();
        open.items_max = 20;
        open.wal_bytes_max = 4 * mebibyte;
        return open;
    }

    // Over the limit, by the transaction that passed it: 64 KiB and what was evicted for it.
    static constexpr std::int64_t slack = 512 * kibibyte;
    int written = 0;
    std::int64_t highest = 0;
};

TEST_F(CheckpointTest, NoConnectionCheckpointsByItself) {
    { const Queue queue(options()); }
    for (const Access access : {Access::read_only, Access::read_write}) {
        const auto connection = open_connection(path(), access, 0);
        EXPECT_EQ(store::sqlite::query_integer(*connection, "PRAGMA wal_autocheckpoint"), 0);
        int kept = 0;
        sqlite3_db_config(connection->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &kept);
        EXPECT_EQ(kept, 1) << "the last close leaves the log alone";
    }
    Queue queue(options());
    queue.transact([](Transaction& transaction) {
        sqlite3_stmt* ask = nullptr;
        ASSERT_EQ(sqlite3_prepare_v2(sqlite_handle(transaction), "PRAGMA wal_autocheckpoint", -1,
                                     &ask, nullptr),
                  SQLITE_OK);
        EXPECT_EQ(sqlite3_step(ask), SQLITE_ROW);
        EXPECT_EQ(sqlite3_column_int(ask, 0), 0);
        sqlite3_finalize(ask);
    });
}

TEST_F(CheckpointTest, AFileOfItsSizeIsLeftAloneBelowTheLimit) {
    Options open = options();
    open.items_max = 20;
    open.wal_bytes_max = 64 * mebibyte;
    Queue queue(open);
    write(queue, 4 * mebibyte);  // the file grows with what is in it, and has its size then
    const auto size = std::filesystem::file_size(path());
    write(queue, 12 * mebibyte);  // 3000 pages: thrice what SQLite's own checkpoint waits for
    EXPECT_EQ(std::filesystem::file_size(path()), size);
    EXPECT_GT(log_bytes(), 8 * mebibyte);
}

TEST_F(CheckpointTest, AFileThatGrowsIsLengthenedByAQuarter) {
    Options open = options();
    open.items_max = 1000;
    open.wal_bytes_max = 64 * mebibyte;
    std::set<std::int64_t> sizes;
    std::int64_t needed = 0;
    {
        Queue queue(open);
        for (int i = 0; i < 8 * 16; ++i) {
            write(queue, 64 * kibibyte);
            sizes.insert(static_cast<std::int64_t>(std::filesystem::file_size(path())));
        }
        needed = store::sqlite::query_integer(*open_connection(path(), Access::read_only, 0),
                                              "PRAGMA page_count") *
                 4096;
        EXPECT_GT(needed, 8 * mebibyte);
        EXPECT_GE(*sizes.rbegin(), needed);
        EXPECT_LE(*sizes.rbegin(), needed + needed / 4 + 256 * kibibyte);
        EXPECT_LE(sizes.size(), 20U) << "checkpoints, of 128 commits and in 8 MiB";
    }
    Queue queue(open);
    while (auto batch = queue.lease()) batch->ack();
    (void)queue.cleanup();
    Admin(queue).set("wal_bytes_max", std::to_string(mebibyte), "test");
    for (int i = 0; i < 32; ++i) {
        write(queue, 64 * kibibyte);
        queue.lease()->ack();
    }
    (void)queue.cleanup();
    EXPECT_LE(static_cast<std::int64_t>(std::filesystem::file_size(path())), mebibyte)
        << "and is small again once it is drained";
}

TEST_F(CheckpointTest, TheLogStaysUnderItsLimitWhateverIsWritten) {
    Queue queue(bounded());
    write(queue, 50 * mebibyte);
    EXPECT_LE(highest, 4 * mebibyte + slack);
    EXPECT_GT(highest, 3 * mebibyte) << "and is used: a checkpoint is not made at each commit";
    expect_sound(queue);
}

TEST_F(CheckpointTest, ALogThatAReaderHeldShrinksBack) {
    Queue queue(bounded());
    write(queue, mebibyte);
    {
        RawDatabase reader(path());
        reader.exec("BEGIN; SELECT count(*) FROM items");
        write(queue, 20 * mebibyte);
        EXPECT_GT(log_bytes(), 16 * mebibyte) << "what a reader sees can't be overwritten";
        reader.exec("COMMIT");
    }
    write(queue, 3 * mebibyte);
    EXPECT_LE(log_bytes(), 4 * mebibyte + slack);
    expect_sound(queue);
}

TEST_F(CheckpointTest, AChangedLimitHoldsAtOnce) {
    Queue queue(bounded());
    write(queue, 3 * mebibyte);
    Admin(queue).set("wal_bytes_max", std::to_string(mebibyte), "test");
    highest = 0;
    write(queue, 64 * kibibyte);
    write(queue, 64 * kibibyte);
    const auto main = std::filesystem::file_size(path());
    EXPECT_GT(main, static_cast<std::uintmax_t>(mebibyte)) << "the log went into the main file";
}

TEST_F(CheckpointTest, WhileAnotherHoldsTheWriteLockItIsSkipped) {
    const auto store = open_sqlite_store(path());
    const auto insert = [&](const std::string& key) {
        store->write({.operation = "test"}, [&](store::Transaction& tx) {
            tx.insert({.key = key, .payload = std::string(100'000, 'x'), .enqueued_at = 1});
        });
    };
    insert("a");
    const auto before = std::filesystem::file_size(path());
    RawDatabase other(path());
    other.exec("BEGIN IMMEDIATE");
    store->relieve(1);
    EXPECT_EQ(std::filesystem::file_size(path()), before);
    other.exec("ROLLBACK");
    insert("b");
    store->relieve(1);
    EXPECT_GT(std::filesystem::file_size(path()), before + 200'000);
}

TEST_F(CheckpointTest, TheGuardLetsGoOfTheWriteLock) {
    const auto store = open_sqlite_store(path());
    store->write({.operation = "test"}, [&](store::Transaction& tx) {
        tx.insert({.key = "a", .payload = std::string(100'000, 'x'), .enqueued_at = 1});
    });
    store->relieve(1);
    RawDatabase other(path());
    EXPECT_EQ(other.try_exec("BEGIN IMMEDIATE; ROLLBACK"), SQLITE_OK);
    store->write({.operation = "test"}, [](store::Transaction& tx) { tx.set_last_cleanup(1); });
}

}  // namespace
}  // namespace headpond::test
