// The views, as an operator sees them in Debian's sqlite3 shell: a queue in trouble, at a fixed time,
// compared with tests/store/golden. HEADPOND_WRITE_GOLDEN=1 writes those files anew: read the
// difference before it is committed.
#include "store/sqlite/schema.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/store_errors.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <regex>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

using std::chrono::steady_clock;

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
            const Ms wall = std::chrono::duration_cast<Ms>(
                std::chrono::system_clock::now().time_since_epoch());
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
    // The row skew_s says how far this machine's clock is from the test's: it goes, and with it what
    // it did to the widths of its box.
    static std::string without_skew(const std::string& printed) {
        std::string kept;
        for (const std::string& line : lines_of(printed)) {
            if (line.find("skew_s") != std::string::npos) continue;
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
            box = without_skew(box);
            list = without_skew(list);
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
        expect_golden(view + ".list", view == "health" ? without_skew(printed) : printed);
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

}  // namespace
}  // namespace headpond::test
