// The log as SQLite writes it alone, and as it comes out of the VFS that gathers its frames.
#include "store/sqlite/log_vfs.h"

#include "support/raw_database.h"
#include "support/store_errors.h"
#include "support/temp_dir.h"
#include "support/watched_vfs.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

namespace headpond::test {
namespace {

using store::sqlite::log_vfs;
using Rows = std::map<std::int64_t, std::string>;

constexpr const char* all_rows = "SELECT id, value FROM t ORDER BY id";

class LogVfs : public ::testing::Test {
  protected:
    [[nodiscard]] std::unique_ptr<RawDatabase> gathered(const std::filesystem::path& path) const {
        return std::make_unique<RawDatabase>(path, log_vfs());
    }
    [[nodiscard]] std::unique_ptr<RawDatabase> plain(const std::filesystem::path& path) const {
        return std::make_unique<RawDatabase>(path, vfs.plain());
    }
    // An empty one in WAL mode.
    [[nodiscard]] std::filesystem::path created(const std::string& name, int page_bytes = 4096) {
        const auto path = dir / name;
        write_bytes(path, "");
        plain(path)->exec("PRAGMA page_size=" + std::to_string(page_bytes) +
                          "; PRAGMA journal_mode=WAL;"
                          "CREATE TABLE t(id INTEGER PRIMARY KEY, value TEXT UNIQUE) STRICT");
        return path;
    }

    WatchedVfs& vfs = WatchedVfs::instance();
    WatchedVfs::AsDefault is_default;
    TempDir dir{memory_folder()};
};

std::string text_of(int seed, int length) {
    std::string text = std::to_string(seed) + ":";
    const std::string part = std::to_string(seed * 7919LL);
    while (static_cast<int>(text.size()) < length) text += part;
    return text;
}
std::string insert_rows(int from, int count, int length) {
    std::string sql;
    for (int id = from; id < from + count; ++id) {
        sql += "INSERT INTO t VALUES (" + std::to_string(id) + ", '" + text_of(id, length) + "');";
    }
    return sql;
}
Rows rows_of(RawDatabase& database) {
    Rows rows;
    for (const auto& row : database.rows(all_rows)) rows[std::stoll(row[0])] = row[1];
    return rows;
}
std::string log_of(const std::filesystem::path& path) {
    return bytes_of(path.string() + "-wal");
}

// What is the same in two logs of the same pages: all but salts and checksums.
std::string without_salts(std::string log, std::size_t page_bytes) {
    if (log.size() < 32) return log;
    log.replace(12, 20, 20, '-');  // the number of the checkpoint is random, too
    for (std::size_t at = 32; at + 24 <= log.size(); at += 24 + page_bytes) {
        log.replace(at + 8, 16, 16, '-');
    }
    return log;
}

// --- what is written -----------------------------------------------------------------------------

TEST_F(LogVfs, ACommitIsOneWrite) {
    const auto path = created("a.db");
    const auto database = gathered(path);
    database->exec(insert_rows(1, 1, 10));  // the log begins
    for (const int rows : {1, 3, 6}) {
        const int before = vfs.log_writes();
        database->exec("BEGIN;" + insert_rows(rows * 100, rows, 6000) + "COMMIT");
        EXPECT_EQ(vfs.log_writes() - before, 1) << rows;
    }
    // Behind another's frames, and behind what was rolled back.
    plain(path)->exec(insert_rows(2, 1, 10));
    int before = vfs.log_writes();
    database->exec(insert_rows(3, 3, 10));
    EXPECT_EQ(vfs.log_writes() - before, 3);
    database->exec("BEGIN;" + insert_rows(50, 1, 10) + "ROLLBACK");
    before = vfs.log_writes();
    database->exec(insert_rows(6, 1, 10));
    EXPECT_EQ(vfs.log_writes() - before, 1);
    EXPECT_EQ(rows_of(*plain(path)), rows_of(*database));
}

// More than SQLite's own VFS takes in one call, and pages larger than a buffer holds many of.
TEST_F(LogVfs, ACommitOfAnySizeArrives) {
    for (const int page_bytes : {512, 4096, 32'768}) {
        const auto path = created("p" + std::to_string(page_bytes), page_bytes);
        const auto database = gathered(path);
        database->exec("PRAGMA cache_size=1000");  // nothing spills
        for (const int pages : {1, 2, 5, 14, 15, 16, 17, 30, 31, 32, 33, 62, 63, 130}) {
            if (pages * page_bytes > 2'000'000) break;
            const int before = vfs.log_writes();
            database->exec("BEGIN; DELETE FROM t;" + insert_rows(pages, 1, pages * page_bytes) +
                           "COMMIT");
            const int bytes = 2 * pages * (page_bytes + 24);  // the index has it, too
            EXPECT_LE(vfs.log_writes() - before, 5 + bytes / 64'000) << page_bytes << ' ' << pages;
            ASSERT_EQ(rows_of(*plain(path)), rows_of(*database)) << page_bytes << ' ' << pages;
        }
        EXPECT_EQ(plain(path)->text("PRAGMA integrity_check"), "ok");
    }
}

// Readers may look at the log from the barrier on; padded commits end in pieces of frames.
TEST_F(LogVfs, NothingIsLeftToWriteWhenReadersAreTold) {
    const auto path = created("a.db", 512);
    const auto database = gathered("file:" + path.string() + "?psow=0");
    database->exec("PRAGMA synchronous=FULL; CREATE TABLE small(a INTEGER PRIMARY KEY)");
    int told_after = 0;
    vfs.on_barrier = [&] { told_after = vfs.log_writes(); };
    for (int i = 0; i < 1000; ++i) {
        database->exec("BEGIN IMMEDIATE; INSERT INTO small VALUES (NULL)");
        database->exec("COMMIT");
        ASSERT_EQ(vfs.log_writes(), told_after) << i;
    }
}

class LogVfsBytes : public LogVfs,
                    public ::testing::WithParamInterface<std::tuple<int, std::string>> {};

TEST_P(LogVfsBytes, AreThoseOfSqliteAlone) {
    const auto& [page_bytes, settings] = GetParam();
    const auto one = created("gathered.db", page_bytes);
    const auto two = created("plain.db", page_bytes);
    const auto left = gathered("file:" + one.string() + "?psow=0");
    const auto right = plain("file:" + two.string() + "?psow=0");
    const std::string spill = "UPDATE t SET value = value || 'x' WHERE id % 2 = 0;";
    const std::vector<std::string> steps = {
        settings + "PRAGMA cache_size=6", insert_rows(1, 3, 10),
        "BEGIN;" + insert_rows(10, 60, 700) + spill,
        "SAVEPOINT a; UPDATE t SET value = value || 'y'; SAVEPOINT b;" + insert_rows(200, 60, 300),
        "ROLLBACK TO b", insert_rows(300, 30, 900) + spill, "ROLLBACK TO a;" + spill, "COMMIT",
        "BEGIN;" + insert_rows(400, 80, 700), "ROLLBACK", "CREATE TABLE big(value)",
        // Frames that nobody reads before they are rolled back.
        "BEGIN; INSERT INTO big VALUES (hex(zeroblob(20000)))", "ROLLBACK",
        "BEGIN;" + insert_rows(500, 10, 700) + spill + "DELETE FROM t WHERE id % 3 = 0", "COMMIT",
        "PRAGMA wal_checkpoint(PASSIVE)",
        "BEGIN;" + insert_rows(600, 80, 700) + "SAVEPOINT a;" + spill + "ROLLBACK TO a;" + spill,
        "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)", insert_rows(700, 4, 5000)};
    for (const std::string& step : steps) {
        left->exec(step);
        right->exec(step);
        EXPECT_EQ(left->rows(all_rows), right->rows(all_rows)) << step.substr(0, 80);
        if (sqlite3_get_autocommit(left->handle()) == 0) continue;  // some may be held
        const auto size = static_cast<std::size_t>(page_bytes);
        ASSERT_TRUE(without_salts(log_of(one), size) == without_salts(log_of(two), size))
            << step.substr(0, 80);
    }
    EXPECT_EQ(left->text("PRAGMA integrity_check"), "ok");
}
INSTANTIATE_TEST_SUITE_P(Settings, LogVfsBytes,
                         ::testing::Combine(::testing::Values(512, 4096),
                                            ::testing::Values("", "PRAGMA synchronous=FULL;",
                                                              "PRAGMA locking_mode=EXCLUSIVE;",
                                                              "PRAGMA journal_size_limit=20000;")));

// --- a model -------------------------------------------------------------------------------------

// Connections of both kinds take turns, and so do checkpoints; all must see what the model says.
class LogVfsModel : public LogVfs {
  protected:
    void open(std::mt19937_64& random, const std::string& name) {
        random_ = &random;
        constexpr int sizes[] = {512, 512, 1024, 4096, 8192};
        path = created(name, sizes[below(5)]);
        rows.clear();
        // Without the promise of powersafe overwrites SQLite pads what it commits.
        const std::string uri = "file:" + path.string() + (below(2) == 0 ? "?psow=0" : "?psow=1");
        const char* kinds[] = {log_vfs(), log_vfs(), vfs.plain()};
        for (std::size_t i = 0; i < 3; ++i) {
            all[i] = std::make_unique<RawDatabase>(uri, kinds[i]);
            all[i]->exec("PRAGMA cache_size=" + std::to_string(4 + below(12)) +
                         "; PRAGMA synchronous=" + (below(2) == 0 ? "FULL" : "NORMAL"));
            if (below(3) == 0) all[i]->exec("PRAGMA journal_size_limit=16384");
        }
        crashes_ = below(2) == 0;
    }
    int below(int limit) { return static_cast<int>((*random_)() % static_cast<unsigned>(limit)); }

    void change(RawDatabase& database) {
        const int id = below(60);
        const std::string place = std::to_string(id);
        switch (below(5)) {
            case 0:
            case 1: {
                // No two values alike: of the UNIQUE index none may give way to another.
                const std::string value = text_of(++values_, 1 + below(2000));
                database.exec("INSERT OR REPLACE INTO t VALUES (" + place + ", '" + value + "')");
                rows[id] = value;
                break;
            }
            case 2:
                database.exec("DELETE FROM t WHERE id = " + place);
                rows.erase(id);
                break;
            case 3:
                database.exec("UPDATE t SET value = value || 'u' WHERE id > " + place);
                for (auto& [key, value] : rows) {
                    if (key > id) value += 'u';
                }
                break;
            default:
                ASSERT_EQ(rows_of(database), rows);
        }
    }
    void transact(RawDatabase& database) {
        const Rows before = rows;
        const bool spills = below(3) != 0;
        database.exec("PRAGMA cache_spill=" + std::to_string(spills ? 1 : 0));
        database.exec("BEGIN IMMEDIATE");
        for (int part = 1 + below(4); part > 0; --part) {
            const Rows at_savepoint = rows;
            database.exec("SAVEPOINT s");
            for (int i = below(10); i > 0; --i) change(database);
            if (!(crashes_ && spills) && below(3) == 0) {
                database.exec("ROLLBACK TO s");
                rows = at_savepoint;
            }
            database.exec("RELEASE s");
        }
        if (below(4) == 0) {
            database.exec("ROLLBACK");
            rows = before;
            return;
        }
        if (!crashes_) {
            database.exec("COMMIT");
            return;
        }
        // A crash in the moment before readers may see it.
        vfs.on_barrier = [&] { copy_files(); };
        const int copies = copies_;
        database.exec("COMMIT");
        vfs.on_barrier = nullptr;
        if (copies_ != copies) expect_recovered();
        copy_files();  // and one behind it
        expect_recovered();
    }
    void copy_files() {
        using std::filesystem::copy_options;
        std::filesystem::copy_file(path, dir / "crash.db", copy_options::overwrite_existing);
        std::filesystem::copy_file(path.string() + "-wal", dir / "crash.db-wal",
                                   copy_options::overwrite_existing);
        ++copies_;
    }
    void expect_recovered() {
        std::filesystem::remove(dir / "crash.db-shm");
        const auto database = plain(dir / "crash.db");
        ASSERT_EQ(rows_of(*database), rows);
        EXPECT_EQ(database->text("PRAGMA integrity_check"), "ok");
    }

    std::filesystem::path path;
    Rows rows;
    std::unique_ptr<RawDatabase> all[3];

  private:
    std::mt19937_64* random_ = nullptr;
    // Only where no savepoint is rolled back that spilled: SQLite 3.40.1 alone may then write
    // frames with wrong checksums, and a recovery ends before them (sqlite3WalSavepointUndo keeps
    // an iReCksum behind the last frame). What is compared there is what connections see.
    bool crashes_ = false;
    int values_ = 0;
    int copies_ = 0;
};

TEST_F(LogVfsModel, EveryConnectionSeesWhatWasCommitted) {
    for (std::uint64_t seed = 1; seed <= 250; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        open(random, "model" + std::to_string(seed));
        for (int step = 0; step < 8; ++step) {
            ASSERT_NO_FATAL_FAILURE(transact(*all[static_cast<std::size_t>(below(3))]));
            for (const auto& one : all) ASSERT_EQ(rows_of(*one), rows) << "step " << step;
            if (below(3) == 0) {  // where it takes in all, the log begins anew
                all[static_cast<std::size_t>(below(3))]->exec("PRAGMA wal_checkpoint(PASSIVE)");
            }
        }
        for (const auto& one : all) ASSERT_EQ(one->text("PRAGMA integrity_check"), "ok");
        if (HasFailure()) return;
    }
}

// --- failures ------------------------------------------------------------------------------------

class LogVfsFailures : public LogVfs,
                       public ::testing::WithParamInterface<std::tuple<int, bool, std::string>> {
  protected:
    // A transaction that spills, by a program that goes on whatever fails. Each of its steps may
    // be the one that sends what is held. Answers whether one of them failed.
    static bool run(RawDatabase& database) {
        const std::string spill = insert_rows(1000, 40, 700);
        const std::vector<std::string> steps = {
            "BEGIN",
            spill,
            "SELECT count(*), max(length(value)) FROM t WHERE id < 500",
            "PRAGMA user_version",
            "INSERT INTO t SELECT id + 5000, value || 'z' FROM t WHERE id > 1010",
            "SAVEPOINT s",
            "UPDATE t SET value = value || 'q' WHERE id > 1020",
            "ROLLBACK TO s",
            "SELECT max(value) FROM t",
            "UPDATE t SET value = value || 'q' WHERE id > 1020",
            "COMMIT"};
        bool failed = false;
        for (const std::string& step : steps) {
            failed |= database.try_exec(step) != SQLITE_OK;
            int ignored = 0;
            sqlite3_file_control(database.handle(), "main", SQLITE_FCNTL_HAS_MOVED, &ignored);
        }
        return failed;
    }
};

TEST_P(LogVfsFailures, LeaveNothingOfTheirTransaction) {
    const auto& [code, from_then_on, settings] = GetParam();
    const auto path = created("a.db");
    plain(path)->exec(insert_rows(1, 40, 700));
    const auto database = gathered(path);
    database->exec(settings + "PRAGMA cache_size=14;" + insert_rows(100, 1, 10));
    const bool exclusive = !settings.empty();
    bool struck = true;
    for (int number = 1; struck; ++number) {
        ASSERT_LT(number, 500) << "no end of writes";
        SCOPED_TRACE("write " + std::to_string(number));
        const Rows before = rows_of(*database);
        vfs.fail(number, code, from_then_on);
        const bool failed = run(*database);
        struck = vfs.struck();
        EXPECT_EQ(failed, struck);
        vfs.heal();
        if (sqlite3_get_autocommit(database->handle()) == 0) database->exec("ROLLBACK");
        const Rows after = rows_of(*database);
        EXPECT_EQ(after == before, struck);
        if (!exclusive) {
            ASSERT_EQ(rows_of(*plain(path)), after);
        }
        database->exec(insert_rows(100 + number, 1, 10));
        EXPECT_EQ(rows_of(*database).size(), after.size() + 1);
        if (!exclusive) {
            ASSERT_EQ(rows_of(*plain(path)), rows_of(*database));
        }
        ASSERT_EQ(database->text("PRAGMA integrity_check"), "ok");
        if (HasFailure()) return;
    }
}
INSTANTIATE_TEST_SUITE_P(
    Codes, LogVfsFailures,
    ::testing::Combine(::testing::Values(SQLITE_IOERR_WRITE, SQLITE_FULL), ::testing::Bool(),
                       ::testing::Values("", "PRAGMA locking_mode=EXCLUSIVE;")));

TEST_F(LogVfs, WithoutMemoryEachWriteGoesThrough) {
    const auto path = created("a.db");
    const auto database = gathered(path);
    {
        struct Limit {
            // Below what is to be held, and enough for all else.
            const sqlite3_int64 before = sqlite3_hard_heap_limit64(sqlite3_memory_used() + 125'000);
            ~Limit() { sqlite3_hard_heap_limit64(before); }
        } limit;
        EXPECT_EQ(database->try_exec(all_rows), SQLITE_OK);  // opens the log
    }
    const int before = vfs.log_writes();
    database->exec("BEGIN;" + insert_rows(1, 5, 6000) + "COMMIT");
    EXPECT_GT(vfs.log_writes() - before, 10);
    EXPECT_EQ(rows_of(*plain(path)), rows_of(*database));
}

// --- other files ---------------------------------------------------------------------------------

TEST_F(LogVfs, AttachedDatabasesHaveLogsOfTheirOwn) {
    const auto one = created("one.db");
    const auto two = created("two.db");
    const auto database = gathered(one);
    database->exec("ATTACH '" + two.string() + "' AS other; PRAGMA other.cache_size=6");
    const std::string both =
        "INSERT INTO t SELECT NULL, value || 'x' FROM other.t;"
        "UPDATE other.t SET value = value || 'y';";
    database->exec("INSERT INTO other.t VALUES (1, 'a'), (2, 'b');" + insert_rows(1, 1, 10));
    const int before = vfs.log_writes();
    database->exec("BEGIN;" + both + "COMMIT");
    EXPECT_EQ(vfs.log_writes() - before, 2);
    database->exec(
        "BEGIN; UPDATE other.t SET value = value || hex(zeroblob(90000)); UPDATE t SET value = 'z' "
        "WHERE id = 1; ROLLBACK");
    plain(two)->exec(insert_rows(3, 20, 900));
    database->exec("BEGIN; UPDATE other.t SET value = value || 'w';" + both + "COMMIT");
    EXPECT_EQ(rows_of(*plain(one)), rows_of(*database));
    EXPECT_EQ(plain(two)->rows(all_rows),
              database->rows("SELECT id, value FROM other.t ORDER BY id"));
    database->exec("DETACH other");
    EXPECT_EQ(plain(two)->text("PRAGMA integrity_check"), "ok");
    database->exec(insert_rows(9000, 1, 10));
    EXPECT_EQ(rows_of(*plain(one)), rows_of(*database));
}

TEST_F(LogVfs, OtherJournalsAndTemporaryFilesAreSqlitesOwn) {
    const auto path = created("a.db");
    const auto database = gathered(path);
    for (const char* mode : {"delete", "wal", "truncate", "wal", "persist"}) {
        EXPECT_EQ(database->text(std::string("PRAGMA journal_mode=") + mode), mode);
        database->exec("PRAGMA cache_size=6; DELETE FROM t;" + insert_rows(1, 50, 900));
        database->exec("BEGIN;" + insert_rows(100, 50, 900) + "ROLLBACK");
        EXPECT_EQ(rows_of(*plain(path)).size(), 50U) << mode;
        database->exec(
            "PRAGMA temp_store=FILE; PRAGMA temp.cache_size=2;"
            "CREATE TEMP TABLE big AS SELECT * FROM t ORDER BY value");
        EXPECT_EQ(database->integer("SELECT count(*) FROM big"), 50) << mode;
        database->exec("DROP TABLE big");
    }
    EXPECT_EQ(plain(path)->text("PRAGMA integrity_check"), "ok");
}

TEST_F(LogVfs, AFileThatDoesNotOpenIsSaidSo) {
    EXPECT_THROW(gathered(dir / "none.db"), std::runtime_error);
    EXPECT_THROW(gathered(dir / "none" / "none.db"), std::runtime_error);
    const auto path = created("a.db");
    plain(path)->exec("PRAGMA wal_checkpoint(TRUNCATE)");
    std::filesystem::remove(path.string() + "-wal");
    std::filesystem::create_directory(path.string() + "-wal");
    const auto database = gathered(path);
    EXPECT_EQ(database->try_exec(all_rows), SQLITE_CANTOPEN);
    std::filesystem::remove(path.string() + "-wal");
    database->exec(insert_rows(1, 1, 10));
    EXPECT_EQ(rows_of(*plain(path)), rows_of(*database));
}

TEST_F(LogVfs, AVfsWithoutSharedMemoryKeepsARollbackJournal) {
    sqlite3_vfs* without = sqlite3_vfs_find("unix-none");
    ASSERT_NE(without, nullptr);
    sqlite3_vfs_register(without, 1);
    const std::string name = log_vfs();
    EXPECT_EQ(name, "headpond-unix-none");
    write_bytes(dir / "a.db", "");
    RawDatabase database(dir / "a.db", name.c_str());
    EXPECT_EQ(database.text("PRAGMA journal_mode=WAL"), "delete");
    database.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, value TEXT);" + insert_rows(1, 9, 900));
    EXPECT_EQ(rows_of(*plain(dir / "a.db")), rows_of(database));
}

TEST_F(LogVfs, HasOneNameForADefaultVfs) {
    EXPECT_STREQ(log_vfs(), "headpond-watched");
    EXPECT_EQ(log_vfs(), log_vfs());
    EXPECT_STREQ(sqlite3_vfs_find(nullptr)->zName, "watched");
}

}  // namespace
}  // namespace headpond::test
