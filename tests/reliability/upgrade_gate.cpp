// Upgrade: a file of every landed schema opens, migrates and keeps its rows, also when the
// migration (or the creation) is killed at any VFS call; a file of a newer release is used or
// refused as its migration says.
#include "reliability/gate.h"
#include "reliability/oracle.h"
#include "reliability/shim_vfs.h"
#include "reliability/trial.h"
#include "store/sqlite/embedded.h"
#include "support/fake_clock.h"
#include "support/raw_database.h"

#include <headpond/headpond.h>
#include <headpond/version.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <set>

namespace headpond::reliability {

namespace {

using store::sqlite::embedded_migrations;
using store::sqlite::embedded_views;

constexpr std::string_view old_token = "2-00000000000000aa";

Queue open_queue(const std::filesystem::path& path) {
    Options options;
    options.path = path;
    options.clock = std::make_shared<test::FakeClock>();
    options.log = [](LogLevel, std::string_view) {};
    options.payload_bytes_max = 10'000;  // the smallest reserve of log
    return Queue(options);
}

// --- a file as an older release left it ----------------------------------------------------------

// One row or more in each table of the first schema, in the words of the shell; later schemas give
// their new columns defaults, or their migrations fill them.
std::string rows_of_every_table(std::mt19937_64& random) {
    const auto blob = [&] { return "zeroblob(" + std::to_string(random() % 3000) + ")"; };
    std::string sql = "CREATE UNIQUE INDEX items_key ON items (key);";
    for (int id = 11; id <= 17; ++id) {
        sql += "INSERT INTO items (id, key, source_tag, payload, enqueued_at, tracked) VALUES (" +
               std::to_string(id) + ", 'key " + std::to_string(id) + "', 'feed', " + blob() +
               ", 1799999990000, " + std::to_string(random() % 2) + ");";
    }
    for (const char* range : {"1, 'waiting', 11, 12, NULL, NULL, 1799999990000",
                              "2, 'leased', 13, 14, '2-00000000000000aa', 1800000060000, NULL"}) {
        sql +=
            "INSERT INTO batches (id, state, first_id, last_id, lease_token, lease_expires_at, "
            "not_before, items, bytes, attempts, created_at, last_error) VALUES (" +
            std::string(range) + ", 2, 0, 1, 1799999990000, 'service said 500');";
    }
    sql +=
        "UPDATE batches SET leased_at = 1799999990000 WHERE id = 2;"
        "UPDATE batches SET bytes = (SELECT sum(length(payload)) FROM items "
        "WHERE id BETWEEN first_id AND last_id);"
        "INSERT INTO attempts (batch_id, attempt, owner, started_at, items) VALUES "
        "(1, 1, 'old[1]@host', 1799999990000, 2), (2, 1, 'old[1]@host', 1799999990000, 2);"
        "INSERT INTO dead_letters (item_id, key, source_tag, payload, enqueued_at, tracked, "
        "reason, batch_id, attempts, last_error, died_at) VALUES (2, 'dead', 'feed', " +
        blob() +
        ", 1799999980000, 1, 'abandoned', 7, 3, 'service said 503', 1799999985000);"
        "INSERT INTO outcomes (item_id, key, state, reason, result, queued_at, settled_at) VALUES "
        "(1, 'done', 'resolved', NULL, x'4f', 1799999980000, 1799999985000), "
        "(2, 'dead', 'fallback', 'abandoned', NULL, 1799999980000, 1799999985000);"
        "INSERT INTO owners (label, opened_at, lock_inode) VALUES ('old[1]@host', 1, 1);"
        "INSERT INTO settings (name, value, unit, minimum, maximum, changed_at, changed_by) "
        "VALUES ('items_max', 777, 'items', 1, 1000000000, 1, 'old');"
        "UPDATE gate SET failures = 1;"
        "UPDATE clock SET boot = 'an old boot', anchored_at = 1799999980000, "
        "seen_at = 1799999990000;"
        "UPDATE totals SET enqueued = 9, acked = 1, abandoned = 1, attempts = 5, "
        "failed_batches = 1, items = 7, waiting_items = 2, leased_items = 2, outcomes = 2, "
        "dead_letters = 1, age_base = 1799999000000, last_cleanup_at = 1799999990000, "
        "bytes = (SELECT sum(length(payload)) FROM items), "
        "leased_bytes = (SELECT bytes FROM batches WHERE id = 2), "
        "age_sum = (SELECT sum(enqueued_at - 1799999000000) FROM items);"
        "CREATE TABLE guest (key TEXT PRIMARY KEY); INSERT INTO guest VALUES ('theirs');";
    return sql;
}

// With views of another release, or none.
void make_file(const std::filesystem::path& path, int version, bool views, std::mt19937_64 random) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path).close();
    test::RawDatabase raw(path);
    raw.exec(
        "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=0x48504E44;"
        "PRAGMA journal_mode=WAL");
    for (const auto& migration : embedded_migrations()) {
        if (migration.version > version) break;
        raw.exec("BEGIN;" + std::string(migration.sql) + "INSERT INTO migrations VALUES (" +
                 std::to_string(migration.version) + ", '" + std::string(migration.name) + "', '" +
                 std::string(migration.digest) + "', '" + std::string(migration.oldest_release()) +
                 "', 1, '0.1.0'); PRAGMA user_version=" + std::to_string(migration.version) +
                 "; COMMIT");
    }
    if (views) {
        raw.exec(
            "BEGIN;" + std::string(embedded_views().sql) +
            "DROP VIEW ready; CREATE VIEW ready AS SELECT 'older' AS older; DROP VIEW help;"
            "INSERT INTO migrations VALUES (0, 'views', 'older', '0.0.1', 1, '0.0.1'); COMMIT");
    }
    raw.exec("BEGIN;" + rows_of_every_table(random) + "COMMIT");
    // The log as long as a release leaves it.
    raw.exec("PRAGMA cache_size=16; BEGIN; INSERT INTO guest VALUES (zeroblob(1500000)); ROLLBACK");
}

// --- what is in a file ---------------------------------------------------------------------------

using Objects = std::set<std::string>;

struct Schema {
    std::int64_t version = 0;
    Objects tables, views;  // with indexes and triggers; as SQLite keeps them
};

Schema schema_of(test::RawDatabase& raw) {
    Schema schema;
    schema.version = raw.integer("PRAGMA user_version");
    for (const auto& row : raw.rows(
             "SELECT type, name, sql FROM sqlite_schema WHERE name NOT IN ('items_key', 'guest') "
             "AND tbl_name <> 'guest'")) {
        (row[0] == "view" ? schema.views : schema.tables).insert(row[1] + ": " + row[2]);
    }
    return schema;
}

const Schema& schema_at(int version) {
    static std::map<int, Schema> known;
    const auto it = known.find(version);
    if (it != known.end()) return it->second;
    test::RawDatabase raw(":memory:");
    for (const auto& migration : embedded_migrations()) {
        if (migration.version <= version) raw.exec(std::string(migration.sql));
    }
    if (version == embedded_migrations().back().version)
        raw.exec(std::string(embedded_views().sql));
    Schema& schema = known[version] = schema_of(raw);
    schema.version = version;
    return schema;
}

// The first schema's columns of every table whose rows an opening leaves alone.
std::string kept_rows(const std::filesystem::path& path) {
    test::RawDatabase raw(path);
    std::string all;
    for (const char* query :
         {"SELECT 'items', id, key, source_tag, hex(payload), enqueued_at, tracked, published_at, "
          "stale_at FROM items ORDER BY id",
          "SELECT 'batches', id, state, first_id, last_id, items, bytes, attempts, releases, "
          "attempts_max, parent_id, lease_token, lease_owner, leased_at, lease_expires_at, "
          "not_before, created_at, last_error FROM batches ORDER BY id",
          "SELECT 'attempts', batch_id, attempt, owner, started_at, finished_at, outcome, items "
          "FROM attempts ORDER BY id",
          "SELECT 'dead', item_id, key, source_tag, hex(payload), enqueued_at, tracked, reason, "
          "batch_id, attempts, last_error, died_at FROM dead_letters ORDER BY item_id",
          "SELECT 'outcomes', item_id, key, state, reason, hex(result), queued_at, settled_at "
          "FROM outcomes ORDER BY item_id",
          "SELECT 'settings', value FROM settings WHERE name = 'items_max'",
          "SELECT 'gate', state, failures FROM gate",
          "SELECT 'totals', enqueued, acked, abandoned, items, bytes, waiting_items, leased_items, "
          "leased_bytes, age_sum, age_base, outcomes, dead_letters FROM totals",
          "SELECT 'guest', key FROM guest"}) {
        for (const auto& row : raw.rows(query)) {
            for (const auto& value : row) all += value + '|';
            all += '\n';
        }
    }
    return all;
}

// --- the gate ------------------------------------------------------------------------------------

class Upgrading {
  public:
    Upgrading(const GateRun& run, GateReport& report)
        : report_(report), folder_(run.memory), random_(run.random()), stride_(100 / run.amount) {
        stride_ = std::max<std::int64_t>(stride_, 1);
    }

    void run() {
        const int newest = embedded_migrations().back().version;
        for (int version = 1; version <= newest; ++version) {
            for (const bool views : {false, true}) upgrade_from(version, views);
        }
        create();
        newer(newest, true);
        newer(newest, false);
    }
    std::int64_t points = 0, files = 0;

  private:
    [[nodiscard]] std::filesystem::path image() const { return folder_ / "image"; }
    [[nodiscard]] std::filesystem::path trial() const { return folder_ / "trial"; }
    [[nodiscard]] std::filesystem::path path() const { return trial() / "queue.db"; }
    void violation(const std::string& line) { report_.violation(case_ + ": " + line); }

    void upgrade_from(int version, bool views) {
        case_ = "schema " + std::to_string(version) + (views ? " with older views" : "");
        files += 1;
        std::filesystem::remove_all(image());
        make_file(image() / "queue.db", version, views, random_);
        const std::string before = kept_rows(image() / "queue.db");
        const Schema start = [&] {
            test::RawDatabase raw(image() / "queue.db");
            return schema_of(raw);
        }();
        for (std::int64_t at = 1;; at += stride_) {
            const bool killed = open_until(at, [&] { copy_image(image(), trial()); });
            const bool migrated = killed && judge_schema(start, at);
            if (!finishes(at)) continue;
            if (kept_rows(path()) != before) violation(when(at) + "rows were changed");
            if (!killed || migrated) break;  // what follows is an opening like any other
        }
        goes_on();
    }

    void create() {
        case_ = "creation";
        files += 1;
        for (std::int64_t at = 1;; at += stride_) {
            const bool killed = open_until(at, [&] {
                std::filesystem::remove_all(trial());
                std::filesystem::create_directories(trial());
            });
            // SQLite writes -shm as well; the file itself may not have been made yet.
            const bool made = killed && std::filesystem::exists(path()) && judge_schema({}, at);
            if (!finishes(at)) continue;
            if (!killed || made) break;
        }
    }

    // Opens in a child that is killed at its VFS call number `at`; false: it had fewer.
    bool open_until(std::int64_t at, const std::function<void()>& prepare) {
        prepare();
        const int signal = run_child([&] {
            ShimVfs::instance().arm({.what = Fault::What::kill, .at = at});
            const Queue queue = open_queue(path());
        });
        if (signal != 0 && signal != SIGKILL) {
            violation(when(at) + "signal " + std::to_string(signal) + " ended it");
        }
        points += signal == SIGKILL ? 1 : 0;
        return signal == SIGKILL;
    }
    static std::string when(std::int64_t at) {
        return "killed at call " + std::to_string(at) + ": ";
    }

    // The schema is that of one version, whole; the views are the old ones or ours, whole. Answers
    // whether all of it is ours.
    bool judge_schema(const Schema& start, std::int64_t at) {
        const int newest = embedded_migrations().back().version;
        test::RawDatabase raw(path());
        const Schema found = schema_of(raw);
        const bool known = found.version >= start.version && found.version <= newest;
        if (!known || found.tables != schema_at(static_cast<int>(found.version)).tables) {
            violation(when(at) + "version " + std::to_string(found.version) + " with " +
                      std::to_string(found.tables.size()) + " objects; allowed: one version's own");
        }
        if (found.views != start.views && found.views != schema_at(newest).views) {
            violation(when(at) + "has " + std::to_string(found.views.size()) +
                      " views; allowed: all of one release");
        }
        return found.version == newest && found.views == schema_at(newest).views;
    }

    bool finishes(std::int64_t at) {
        const auto broken = broken_by_opening();
        for (const auto& line : broken) violation(when(at) + line);
        return broken.empty();
    }
    std::vector<std::string> broken_by_opening() {
        try {
            { const Queue queue = open_queue(path()); }
            test::RawDatabase raw(path());
            const int newest = embedded_migrations().back().version;
            const Schema found = schema_of(raw);
            const Schema& ours = schema_at(newest);
            std::vector<std::string> broken;
            if (found.version != newest || found.tables != ours.tables) {
                broken.push_back("the schema is not the newest after opening");
            }
            if (found.views != ours.views) broken.push_back("the views are not ours after opening");
            for (const auto& row : raw.rows("PRAGMA integrity_check")) {
                if (row[0] != "ok") broken.push_back(row[0]);
            }
            for (const auto& row :
                 raw.rows("SELECT difference FROM ledger WHERE difference <> 0")) {
                broken.push_back("the ledger is off by " + row[0]);
            }
            for (const auto& row : raw.rows("SELECT fault || ': ' || detail FROM range_faults")) {
                broken.push_back(row[0]);
            }
            return broken;
        } catch (const std::exception& error) {
            return {std::string("opening again: ") + error.what()};
        }
    }

    // The migrated file is used: the old release's lease is settled, the rest is delivered.
    void goes_on() {
        Queue queue = open_queue(path());
        const Settled settled = queue.settle(old_token, {.rest = Rest::ack});
        if (settled.acked != 2) violation("the old lease acked " + std::to_string(settled.acked));
        std::int64_t delivered = 0;
        while (auto batch = queue.lease()) delivered += batch->ack().acked;
        if (delivered != 5) violation(std::to_string(delivered) + " were delivered; allowed: 5");
        const Enqueued answer = queue.enqueue({.key = "new", .payload = "x"});
        if (answer != Enqueued::stored) violation("enqueue: " + std::string(to_string(answer)));
        queue.close();
        for (const auto& line : broken_invariants(path())) violation(line);
    }

    // A file that a newer release has migrated, whose migration lets this release write, or not.
    void newer(int newest, bool lets_us) {
        case_ = lets_us ? "a newer schema that lets us write" : "a newer schema that forbids it";
        files += 1;
        copy_image(image(), trial());
        { const Queue queue = open_queue(path()); }
        const std::string ours = std::to_string(HEADPOND_VERSION_MAJOR) + "." +
                                 std::to_string(HEADPOND_VERSION_MINOR) + "." +
                                 std::to_string(HEADPOND_VERSION_PATCH);
        test::RawDatabase(path()).exec(
            "ALTER TABLE items ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;"
            "CREATE TABLE tags (id INTEGER PRIMARY KEY);"
            "CREATE INDEX items_priority ON items (priority);"
            "INSERT INTO migrations VALUES (" +
            std::to_string(newest + 1) + ", 'future', 'd', '" + (lets_us ? ours : "99.0.0") +
            "', 1, '99.0.0'); PRAGMA user_version=" + std::to_string(newest + 1));
        if (lets_us) {
            goes_on();
            return;
        }
        const auto bytes = [&] { return read_text(path()) + read_text(path().string() + "-wal"); };
        const std::string before = bytes();
        try {
            const Queue queue = open_queue(path());
            violation("was opened; allowed: schema_newer");
        } catch (const Error& error) {
            if (error.code() != ErrorCode::schema_newer) violation(error.what());
        }
        if (bytes() != before) violation("the file was changed when it was refused");
    }

    GateReport& report_;
    const std::filesystem::path folder_;
    std::mt19937_64 random_;
    std::int64_t stride_;
    std::string case_;
};

GateReport upgrade(const GateRun& run) {
    GateReport report;
    Upgrading upgrading(run, report);
    upgrading.run();
    report.reached =
        std::to_string(upgrading.files) + " files, " + std::to_string(upgrading.points) + " kills";
    report.enough = run.amount >= 100 && upgrading.points >= 300;
    return report;
}

const Registered registered{{.name = "upgrade",
                             .promised = "each landed schema, with a kill at every VFS call of its "
                                         "migration and of a creation",
                             .amount = 100,
                             .unit = "percent of the calls",
                             .run = upgrade}};

}  // namespace

}  // namespace headpond::reliability
