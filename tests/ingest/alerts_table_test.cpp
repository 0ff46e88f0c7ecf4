#include "tables/alerts_table.h"

#include "settings.h"
#include "support/temp_dir.h"

#include <headpond/sqlite.h>

#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace headpond::ingest {
namespace {

constexpr WallTime at{Ms{1'795'000'000'000}};

class Alerts : public testing::Test {
  protected:
    Alerts() : queue(options()) {}

    Options options() const {
        Options options;
        options.path = dir / "run.db";
        options.durability = Durability::process_crash;
        options.log = [](LogLevel, std::string_view) {};
        return options;
    }
    void table(const std::function<void(AlertsTable&)>& fn) {
        queue.transact([&](Transaction& transaction) {
            AlertsTable alerts(transaction);
            fn(alerts);
        });
    }
    void execute(const char* sql) {
        queue.transact([&](Transaction& transaction) {
            EXPECT_EQ(sqlite3_exec(sqlite_handle(transaction), sql, nullptr, nullptr, nullptr),
                      SQLITE_OK);
        });
    }
    // The names of the columns, in their order.
    std::string columns() {
        std::string names;
        queue.transact([&](Transaction& transaction) {
            names.clear();
            sqlite3_exec(
                sqlite_handle(transaction), "SELECT name FROM pragma_table_info('alerts')",
                [](void* to, int, char** values, char**) {
                    *static_cast<std::string*>(to) += std::string(values[0]) + ' ';
                    return 0;
                },
                &names, nullptr);
        });
        return names;
    }
    static AlertRow pending(const std::string& uuid) {
        AlertRow row;
        row.alert.uuid = uuid;
        row.method = "batch_pending";
        row.confidence = "none";
        row.added_at = at;
        return row;
    }

    test::TempDir dir;
    Queue queue;
};

// As the first release made it.
constexpr const char* old_table =
    "CREATE TABLE alerts (uuid TEXT PRIMARY KEY, title TEXT NOT NULL, summary TEXT NOT NULL, "
    "link TEXT NOT NULL, source_tag TEXT NOT NULL, published_at INTEGER, latitude REAL, "
    "longitude REAL, location_method TEXT NOT NULL, location_confidence TEXT NOT NULL, "
    "location_name TEXT, location_country TEXT, location_reason TEXT, feed_latitude REAL, "
    "feed_longitude REAL) STRICT, WITHOUT ROWID;"
    "INSERT INTO alerts VALUES ('old', 't', 's', 'l', 'tag', 5, 1, 2, 'feed', 'high', NULL, NULL, "
    "NULL, NULL, NULL);";

TEST_F(Alerts, AnOlderTableGetsTheColumnsThatItLacksInTheSameOrder) {
    table([](AlertsTable& alerts) { alerts.create(); });
    const std::string fresh = columns();
    EXPECT_TRUE(fresh.ends_with("feed_latitude feed_longitude added_at located_at ")) << fresh;
    execute("DROP TABLE alerts");
    execute(old_table);
    for (int opening = 0; opening < 2; ++opening) {
        table([](AlertsTable& alerts) {
            alerts.create();
            const auto old = alerts.find("old");
            ASSERT_TRUE(old);
            EXPECT_FALSE(old->added_at || old->located_at);
            EXPECT_EQ(old->alert.longitude, 2);
            (void)alerts.add(pending("new"));
            EXPECT_EQ(alerts.find("new")->added_at, at);
        });
        EXPECT_EQ(columns(), fresh);
    }
}

TEST_F(Alerts, ATableThatIsNotOursIsRefusedAndLeftAsItIs) {
    execute("CREATE TABLE alerts (uuid TEXT PRIMARY KEY, added_at INTEGER, located_at INTEGER)");
    const std::string before = columns();
    EXPECT_THROW(table([](AlertsTable& alerts) { alerts.create(); }), UsageError);
    EXPECT_EQ(columns(), before);
}

TEST_F(Alerts, APositionHasItsTimeAndAFallbackHasNone) {
    table([](AlertsTable& alerts) {
        alerts.create();
        for (const char* uuid : {"found", "lost", "given up"}) (void)alerts.add(pending(uuid));
        const Location lima{.latitude = -12,
                            .longitude = -77,
                            .name = "Lima",
                            .country = "PE",
                            .confidence = "high",
                            .method = "gazetteer_batch",
                            .basis = "title"};
        const WallTime later = at + Ms{5};
        EXPECT_TRUE(alerts.resolve("found", lima, "no place found", later));
        EXPECT_TRUE(alerts.resolve("lost", {}, "no place found", later));
        EXPECT_TRUE(alerts.settle("given up", "abandoned"));
        EXPECT_EQ(alerts.find("found")->located_at, later);
        EXPECT_FALSE(alerts.find("lost")->located_at);
        EXPECT_FALSE(alerts.find("given up")->located_at);
        // A redrive may still place a fallback, and nothing unplaces what has its place.
        EXPECT_TRUE(alerts.resolve("given up", lima, "no place found", later));
        EXPECT_EQ(alerts.find("given up")->located_at, later);
        EXPECT_FALSE(alerts.settle("found", "abandoned"));
        EXPECT_FALSE(alerts.resolve("found", {}, "no place found", later));
        EXPECT_EQ(alerts.find("found")->name, "Lima");
    });
}

}  // namespace
}  // namespace headpond::ingest
