// What others did to the schema: changes of ours are refused, their own tables are left alone.
#include "store/sqlite/schema.h"

#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/store_errors.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace headpond::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SchemaTest : public QueueTest {
  protected:
    SchemaTest() { Queue queue(options()); }
    void by_hand(const std::string& sql) { RawDatabase(dir / "queue.db").exec(sql); }
    // Opens after `sql`, which must be refused as damage that names `object`.
    void expect_refused(const std::string& sql, const std::string& object) {
        by_hand(sql);
        const Error error = error_of([this] { const Queue queue(options()); });
        EXPECT_EQ(error.code(), ErrorCode::corrupt) << sql;
        EXPECT_THAT(error.what(), HasSubstr(object)) << sql;
        expect_helpful(error);
    }
};

TEST_F(SchemaTest, ANewQueueIsAsTheMigrationsSay) {
    Queue queue(options());
    EXPECT_THAT(Admin(queue).check().findings, ::testing::IsEmpty());
}

TEST_F(SchemaTest, AnAlteredTableIsRefused) {
    expect_refused("ALTER TABLE items ADD COLUMN priority INTEGER", "table items was altered");
}

TEST_F(SchemaTest, AMissingTableIsRefused) {
    expect_refused("DROP TABLE gate", "table gate");
}

TEST_F(SchemaTest, AMissingRecordIsRefused) {
    expect_refused("DROP TABLE migrations", "table migrations is missing");
}

TEST_F(SchemaTest, AMissingIndexIsRefused) {
    expect_refused("DROP INDEX batches_due", "index batches_due is missing");
}

TEST_F(SchemaTest, AMissingTriggerOfOursIsRefused) {
    expect_refused("DROP TRIGGER settings_changed", "trigger settings_changed is missing");
}

TEST_F(SchemaTest, AnAlteredTriggerOfOursIsRefused) {
    expect_refused(
        "DROP TRIGGER settings_kept; CREATE TRIGGER settings_kept BEFORE DELETE ON "
        "settings BEGIN SELECT 1; END",
        "trigger settings_kept was altered");
}

TEST_F(SchemaTest, AnAlteredViewIsRefused) {
    expect_refused("DROP VIEW ledger; CREATE VIEW ledger AS SELECT 0 AS difference",
                   "view ledger was altered");
}

TEST_F(SchemaTest, AForeignTriggerOnOurTableIsRefused) {
    expect_refused(
        "CREATE TABLE seen (key); CREATE TRIGGER spy AFTER INSERT ON items BEGIN "
        "INSERT INTO seen VALUES (NEW.key); END",
        "trigger spy on items");
}

TEST_F(SchemaTest, AForeignTriggerIsSeenWhateverTheLettersOfTheTable) {
    expect_refused(
        "CREATE TABLE seen (key); CREATE TRIGGER spy AFTER INSERT ON ITEMS BEGIN "
        "INSERT INTO seen VALUES (NEW.key); END",
        "trigger spy on ITEMS");
}

TEST_F(SchemaTest, AForeignTriggerOnOurViewIsRefused) {
    expect_refused("CREATE TRIGGER spy INSTEAD OF DELETE ON ready BEGIN SELECT 1; END",
                   "trigger spy on ready");
}

TEST_F(SchemaTest, AnIndexIsAWarningOfTheCheckAlone) {
    by_hand("CREATE INDEX theirs ON items (source_tag)");
    Queue queue(options());
    EXPECT_EQ(put(queue, {"a"}).front(), Enqueued::stored);
    const CheckReport report = Admin(queue).check();
    EXPECT_TRUE(report.ok());
    ASSERT_EQ(report.findings.size(), 1U);
    EXPECT_EQ(report.findings[0].what, "schema");
    EXPECT_TRUE(report.findings[0].warning);
    EXPECT_THAT(report.findings[0].detail, HasSubstr("extra index theirs on items"));
    EXPECT_THAT(report.findings[0].detail, HasSubstr("DROP INDEX"));
}

TEST_F(SchemaTest, GuestsAreLeftAlone) {
    by_hand(
        "CREATE TABLE alerts (uuid TEXT PRIMARY KEY, title TEXT) STRICT;"
        "CREATE INDEX alerts_title ON alerts (title);"
        "CREATE TABLE log (line TEXT);"
        "CREATE TRIGGER alerts_logged AFTER INSERT ON alerts BEGIN "
        "INSERT INTO log VALUES (NEW.title); END;"
        "CREATE VIEW pending AS SELECT a.title FROM alerts a JOIN items i ON i.key = a.uuid;"
        "INSERT INTO alerts VALUES ('a', 'quake')");
    {
        Queue queue(options());
        put(queue, {"a"});
        EXPECT_THAT(Admin(queue).check().findings, ::testing::IsEmpty());
    }
    RawDatabase raw(dir / "queue.db");
    EXPECT_EQ(raw.text("SELECT title FROM pending"), "quake");
    EXPECT_EQ(raw.text("SELECT line FROM log"), "quake");
}

TEST_F(SchemaTest, TheKeyIndexComesBack) {
    by_hand("DROP INDEX items_key");
    Queue queue(options());
    EXPECT_THAT(put(queue, {"a", "a"}), ElementsAre(Enqueued::stored, Enqueued::duplicate));
}

TEST_F(SchemaTest, TheCheckSeesWhatChangedWhileTheQueueWasOpen) {
    Queue queue(options());
    by_hand("CREATE TRIGGER spy AFTER DELETE ON items BEGIN SELECT 1; END");
    const CheckReport report = Admin(queue).check();
    EXPECT_FALSE(report.ok());
    ASSERT_EQ(report.findings.size(), 1U);
    EXPECT_THAT(report.findings[0].detail, HasSubstr("trigger spy"));
}

}  // namespace
}  // namespace headpond::test
