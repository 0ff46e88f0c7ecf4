// The views, as an operator sees them in Debian's sqlite3 shell: a queue in trouble, at a fixed
// time, compared with tests/store/golden. HEADPOND_WRITE_GOLDEN=1 writes those files anew: read the
// difference before it is committed.
#include "store/sqlite/schema.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/store_errors.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>
#include <sqlite3.h>

namespace headpond::test {
namespace {

using std::chrono::steady_clock;
using ::testing::ElementsAre;

// 2026-11-24T08:42:57Z
constexpr WallTime start{Ms{1'795'509'777'000}};
constexpr std::size_t columns_max = 80;

// The width as a terminal shows it: code points, for the box is drawn outside ASCII.
std::size_t width(const std::string& line) {
    std::size_t count = 0;
    for (const char c : line) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80 ? 1 : 0;
    return count;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

class ViewsTest : public QueueTest {
  protected:
    ViewsTest() {
        clock = std::make_shared<FakeClock>(start);
        Options open = options();
        open.label = "ingest[4211]@web1";
        open.items_max = 20;
        open.batch_items_max = 4;
        open.keep_dropped = true;
        queue = std::make_unique<Queue>(open);
    }

    std::optional<Batch> lease(std::int64_t items, Ms lease_time, bool detached = false) {
        return queue->lease({.items_max = items, .lease_time = lease_time, .detached = detached});
    }
    std::vector<std::string> row_of(const std::string& metric) {
        for (auto& row : Admin(*queue).view("health").rows) {
            if (row[0] == metric) return row;
        }
        return {};
    }
    void seconds(int count) { clock->advance(Ms{1000 * count}); }

    // Every kind of trouble that the views explain.
    void make_trouble() {
        std::vector<std::string> keys;
        for (int i = 10; i < 26; ++i) keys.push_back("n-" + std::to_string(i));
        put(*queue, keys);
        put(*queue, {"n-20"});  // a duplicate
        partly_settled();
        held.push_back(std::move(*lease(2, Ms{10'000})));         // will lapse and back off
        held.push_back(std::move(*lease(2, Ms{600'000}, true)));  // detached, running
        abandoned();
        fail_later("connection reset");
        split();
        seconds(30);
        held.push_back(std::move(*lease(1, Ms{60'000})));  // owned, running
        held.push_back(std::move(*lease(2, Ms{3'000})));   // will be overdue
        put(*queue, {"n-30", "n-31"});
        queue->cancel("n-31");
        Admin(*queue).pause(Ms{300'000}, "the month's quota is used up", "ops@web1");
        put(*queue, {"n-32"});
        seconds(5);
        {
            RawDatabase raw(dir / "queue.db");
            raw.exec("DELETE FROM items WHERE key = 'n-15'");  // by hand, from a leased batch
            raw.exec("UPDATE totals SET db_bytes = 118784, wal_bytes = 2064152, sampled_at = " +
                     std::to_string((start + Ms{32'000}).time_since_epoch().count()));
        }
    }
    // Batch 1: one acked, one rejected, two back after twenty minutes.
    void partly_settled() {
        auto batch = lease(4, Ms{60'000});
        seconds(2);
        Settlement mixed;
        mixed.acked.push_back({.item_id = batch->items()[0].id, .result = "{\"lat\": 1}"});
        mixed.rejected.push_back({.item_id = batch->items()[1].id, .reason = "no place in text"});
        mixed.error = "HTTP 503 Service Unavailable: upstream connect error";
        mixed.delay = Ms{1'200'000};
        (void)batch->settle(mixed);
    }
    // Batch 4: three deliveries, then two dead letters.
    void abandoned() {
        for (int attempt = 0; attempt < 3; ++attempt) {
            auto batch = lease(2, Ms{60'000});
            seconds(1);
            Settlement failed;
            failed.error = "no answer within 30 s";
            failed.delay = Ms{0};
            (void)batch->settle(failed);
        }
    }
    void fail_later(const char* error) {
        Settlement failed;
        failed.error = error;
        failed.delay = Ms{120'000};
        (void)lease(1, Ms{60'000})->settle(failed);
    }
    // A batch that comes back as two.
    void split() {
        auto batch = lease(2, Ms{60'000});
        (void)batch->split("finish_reason: length");
    }

    // What the shell prints for `select * from VIEW`. Its now is the wall clock less the skew: the
    // skew is set so that both show the test's time, and a run that took longer than the rest of
    // that second is thrown away.
    std::string shell(const std::string& mode, const std::string& sql) {
        for (int attempt = 0; attempt < 50; ++attempt) {
            const auto before = steady_clock::now();
            const Ms wall =
                std::chrono::duration_cast<Ms>(std::chrono::system_clock::now().time_since_epoch());
            RawDatabase(dir / "queue.db")
                .exec("UPDATE clock SET skew_ms = " +
                      std::to_string((wall - clock->wall().time_since_epoch()).count()));
            const std::string printed = run("sqlite3 -readonly " + mode + " '" +
                                            (dir / "queue.db").string() + "' \"" + sql + "\" 2>&1");
            if (steady_clock::now() - before < Ms{900}) return printed;
        }
        ADD_FAILURE() << "fifty times the shell took longer than 0.9 s";
        return {};
    }
    static std::string run(const std::string& command) {
        std::string printed;
        const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
        char part[4096];
        while (pipe) {
            const std::size_t got = std::fread(part, 1, sizeof part, pipe.get());
            if (got == 0) break;
            printed.append(part, got);
        }
        return printed;
    }
    // The row skew_s says how far this machine's clock is from the test's, the row sqlite which
    // release reads: they go, and with them what they did to the widths of the box.
    static std::string without_machine(const std::string& printed) {
        std::string kept;
        for (const std::string& line : lines_of(printed)) {
            if (line.find("skew_s") != std::string::npos) continue;
            if (line.find("sqlite") != std::string::npos) continue;
            kept += std::regex_replace(std::regex_replace(line, std::regex(" +"), " "),
                                       std::regex("(─)+"), "─") +
                    "\n";
        }
        return kept;
    }
    static void expect_golden(const std::string& name, const std::string& printed) {
        const auto path =
            std::filesystem::path(HEADPOND_SOURCE_DIR) / "tests/store/golden" / (name + ".txt");
        if (std::getenv("HEADPOND_WRITE_GOLDEN") != nullptr) write_bytes(path, printed);
        EXPECT_EQ(bytes_of(path), printed) << name;
    }
    static void expect_narrow(const std::string& name, const std::string& printed) {
        for (const std::string& line : lines_of(printed)) {
            EXPECT_LE(width(line), columns_max) << name << ": " << line;
        }
    }

    std::unique_ptr<Queue> queue;
    std::vector<Batch> held;
};

TEST_F(ViewsTest, TheShellShowsAQueueInTrouble) {
    make_trouble();
    for (const std::string& view : store::sqlite::view_names()) {
        const std::string sql = "select * from " + view;
        std::string box = shell("-box", sql);
        std::string list = shell("-list -header", sql);
        expect_narrow(view + " -box", box);
        expect_narrow(view + " plain", list);
        if (view == "queue_now") continue;  // the time itself, which moves
        if (view == "health") {
            box = without_machine(box);
            list = without_machine(list);
        }
        expect_golden(view + ".box", box);
        expect_golden(view + ".list", list);
    }
}

TEST_F(ViewsTest, TheProgramShowsTheSame) {
    make_trouble();
    for (const std::string& view : store::sqlite::view_names()) {
        if (view == "queue_now") continue;
        const Table table = Admin(*queue).view(view);
        std::string printed;
        const auto add = [&](const std::vector<std::string>& cells) {
            for (std::size_t i = 0; i < cells.size(); ++i) printed += (i > 0 ? "|" : "") + cells[i];
            printed += "\n";
        };
        add(table.columns);
        for (const auto& row : table.rows) add(row);
        expect_golden(view + ".list", view == "health" ? without_machine(printed) : printed);
    }
    EXPECT_EQ(Admin(*queue).view("queue_now").rows[0][0],
              std::to_string(clock->wall().time_since_epoch().count()));
}

TEST_F(ViewsTest, AKeyHasATrailInOrder) {
    make_trouble();
    for (const char* key : {"n-10", "n-11", "n-14", "n-16", "n-18", "n-21", "n-31"}) {
        const std::string sql = std::string("select * from trail where key = '") + key + "'";
        const std::string box = shell("-box", sql);
        expect_narrow(key, box);
        expect_golden(std::string("trail-") + key + ".box", box);
    }
}

// --- one by one ----------------------------------------------------------------------------------

TEST_F(ViewsTest, AGateUntilReopenedSaysSo) {
    put(*queue, {"a", "b"});
    (void)lease(1, Ms{60'000})->nack("boom");
    Admin(*queue).pause(std::nullopt, "quota", "ops");
    const Table stuck = Admin(*queue).view("stuck");
    ASSERT_EQ(stuck.rows.size(), 2U);
    EXPECT_THAT(stuck.rows[0], ElementsAre("1", "1", "gate closed", "when reopened", "boom"));
    EXPECT_THAT(stuck.rows[1], ElementsAre("", "1", "gate closed", "when reopened", "quota"));
    EXPECT_THAT(row_of("gate"), ElementsAre("gate", "closed", "reopen", "quota"));
}

TEST_F(ViewsTest, AGateOnTrialLetsNothingElseThrough) {
    put(*queue, {"a", "b", "c"});
    Settlement later;
    later.delay = Ms{0};
    (void)lease(1, Ms{60'000})->settle(later);
    Admin(*queue).pause(Ms{10'000}, "rate limit", "ops");
    seconds(11);
    EXPECT_THAT(Admin(*queue).view("stuck").rows, ::testing::IsEmpty());
    EXPECT_THAT(row_of("gate"), ElementsAre("gate", "closed", "now", "rate limit"));
    auto trial = lease(1, Ms{60'000});
    ASSERT_TRUE(trial);
    ASSERT_FALSE(lease(1, Ms{60'000}));
    const Table stuck = Admin(*queue).view("stuck");
    ASSERT_EQ(stuck.rows.size(), 2U);
    EXPECT_THAT(stuck.rows[0], ElementsAre("1", "1", "lease running", "in 60s", ""));
    EXPECT_THAT(stuck.rows[1], ElementsAre("", "2", "gate closed", "after trial", "rate limit"));
    (void)trial->ack();
    EXPECT_THAT(Admin(*queue).view("stuck").rows, ::testing::IsEmpty());
}

TEST_F(ViewsTest, WhatIsDueAndReadyIsNotStuck) {
    put(*queue, {"a", "b"});
    Settlement now;
    now.delay = Ms{0};
    (void)lease(1, Ms{60'000})->settle(now);
    EXPECT_THAT(Admin(*queue).view("stuck").rows, ::testing::IsEmpty());
    EXPECT_THAT(row_of("waiting"), ElementsAre("waiting", "1", "", "next batch is due"));
}

TEST_F(ViewsTest, ALongLabelKeepsThePid) {
    put(*queue, {"a", "b", "c", "d"});
    const std::vector<std::pair<std::string, std::string>> names{
        {"headpond-ingest[1234567]@production-web-03", "headpond[1234567]"},
        {"a[1]@a-host-with-a-long-name", "a[1]"},
        {"no brackets at all, but long", "no brackets at al"},
        {"ingest[4211]@web1", "ingest[4211]@web1"},
    };
    for (const auto& [label, shown] : names) {
        held.push_back(std::move(*lease(1, Ms{60'000})));
        RawDatabase(dir / "queue.db").exec("UPDATE owners SET label = '" + label + "'");
        EXPECT_EQ(Admin(*queue).view("leases").rows.back()[3], shown);
    }
    RawDatabase(dir / "queue.db").exec("DELETE FROM owners");
    EXPECT_EQ(Admin(*queue).view("leases").rows.back()[3], "gone");
}

TEST_F(ViewsTest, LargeNumbersFitToo) {
    make_trouble();
    {
        RawDatabase raw(dir / "queue.db");
        raw.exec(
            "UPDATE batches SET id = id + 1234560, bytes = 67108864,"
            "  last_error = 'the answer was cut off in the middle of an item';"
            "UPDATE owners SET label = 'headpond-ingest[1234567]@production-web-03';"
            "UPDATE attempts SET batch_id = batch_id + 1234560, items = 10000,"
            "  error = 'the answer was cut off in the middle of an item';"
            "UPDATE dead_letters SET batch_id = batch_id + 1234560,"
            "  died_at = died_at - 604800000, last_error = 'a b c d e f g h i j k l m n o';"
            "UPDATE totals SET enqueued = 98765432, acked = 98765418, bytes = 67108864,"
            "  attempts = 1234567, failed_batches = 1234567, db_bytes = 4294967296,"
            "  wal_bytes = 4294967296, last_cleanup_at = 0");
    }
    for (const std::string& view : store::sqlite::view_names()) {
        const std::string sql = "select * from " + view;
        expect_narrow(view + " -box", shell("-box", sql));
        expect_narrow(view + " plain", shell("-list -header", sql));
    }
}

TEST_F(ViewsTest, AnErrorOfSeveralLinesIsOneRow) {
    put(*queue, {"a", "b", "c"});
    Settlement rejected;
    rejected.rejected = {{.key = "a", .reason = "no\tplace\r\nfound"}};
    (void)lease(1, Ms{60'000})->settle(rejected);
    (void)lease(1, Ms{60'000})->nack("HTTP 503\nbusy");
    Admin(*queue).pause(std::nullopt, "quota\nspent", "ops");
    for (const char* view : {"dead", "errors", "stuck", "trail", "health"}) {
        const std::string sql = std::string("select * from ") + view;
        const std::string printed = shell("-list", sql);
        EXPECT_EQ(printed.find_first_of("\t\r"), std::string::npos) << printed;
        EXPECT_EQ(lines_of(printed).size(), Admin(*queue).view(view).rows.size()) << printed;
    }
    EXPECT_EQ(Admin(*queue).view("dead").rows[0][1], "no place  found");
    EXPECT_EQ(Admin(*queue).view("errors").rows.back()[0], "HTTP 503 busy");
    EXPECT_EQ(Admin(*queue).view("stuck").rows[0][4], "HTTP 503 busy");
    EXPECT_EQ(row_of("gate")[3], "quota spent");
}

TEST_F(ViewsTest, ANewQueueHasQuietViews) {
    for (const char* view :
         {"leases", "stuck", "resident", "ready", "dead", "errors", "trail", "range_faults"}) {
        EXPECT_THAT(Admin(*queue).view(view).rows, ::testing::IsEmpty()) << view;
    }
    EXPECT_THAT(row_of("leased"), ElementsAre("leased", "0", "", ""));
    EXPECT_THAT(row_of("waiting"), ElementsAre("waiting", "0", "", ""));
    EXPECT_THAT(row_of("gate"), ElementsAre("gate", "open", "", ""));
    EXPECT_THAT(row_of("skew_s"), ::testing::IsEmpty());
}

TEST_F(ViewsTest, TheSkewShowsFromFiveSecondsOn) {
    clock->step_wall(Ms{4'000});
    put(*queue, {"a"});
    EXPECT_THAT(row_of("skew_s"), ::testing::IsEmpty());
    clock->step_wall(Ms{-3'600'000});
    put(*queue, {"b"});
    EXPECT_THAT(row_of("skew_s"), ElementsAre("skew_s", "-3596", "5", "wall minus queue clock"));
    EXPECT_THAT(row_of("age_max_s")[1], "0") << "ages are by the queue clock";
}

// --- their cost ----------------------------------------------------------------------------------

// Steps of SQLite's machine: no clock, no noise.
int steps(const std::filesystem::path& path, const char* sql) {
    SQLite::Database database(path.string(), SQLite::OPEN_READONLY);
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(database.getHandle(), sql, -1, &statement, nullptr), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
    }
    const int count = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 0);
    sqlite3_finalize(statement);
    return count;
}

TEST_F(ViewsTest, HealthAndATrailCostTheSameWhateverTheBacklog) {
    put(*queue, {"a", "b"});
    const auto file = dir / "queue.db";
    const int health = steps(file, "SELECT * FROM health");
    const int trail = steps(file, "SELECT * FROM trail WHERE key = 'b'");
    RawDatabase(file).exec(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
        "INSERT INTO items (key, payload, enqueued_at) "
        "SELECT 'k' || i, x'00', 1795509777000 FROM n");
    EXPECT_LT(steps(file, "SELECT * FROM health"), health + 100);
    EXPECT_LT(steps(file, "SELECT * FROM trail WHERE key = 'b'"), trail + 100);
}

}  // namespace
}  // namespace headpond::test
