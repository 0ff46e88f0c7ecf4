#include "bench_vfs.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace headpond::bench {
namespace {

TEST(BenchVfs, CountsWhatSqliteAsksForAndSyncsTakeLonger) {
    constexpr std::chrono::milliseconds delay(20);
    register_bench_vfs(delay);
    EXPECT_EQ(sync_delay(), delay);
    const test::TempDir dir;
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((dir / "a.db").c_str(), &db), SQLITE_OK);
    const DiskCounts before = disk_counts();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(sqlite3_exec(db, "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(9000))", nullptr,
                           nullptr, nullptr),
              SQLITE_OK);
    const auto took = std::chrono::steady_clock::now() - begin;
    const DiskCounts after = disk_counts();
    sqlite3_close(db);
    EXPECT_GT(after.bytes - before.bytes, 9000);
    EXPECT_GE(after.syncs - before.syncs, 2);  // two transactions
    EXPECT_GE(took, (after.syncs - before.syncs) * delay);
}

}  // namespace
}  // namespace headpond::bench
