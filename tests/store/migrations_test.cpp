// Migrations: frozen once landed, committed with their record, told apart from those of a newer
// release.
#include "store/sqlite/embedded.h"
#include "store/sqlite/schema.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/store_errors.h"

#include <headpond/version.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include <gmock/gmock.h>

namespace headpond::test {
namespace {

using store::sqlite::embedded_migrations;
using store::sqlite::embedded_views;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A landed migration never changes: files out there were made by it. A new one adds a row here.
const std::map<std::string, std::string> landed{
    {"0001_initial", "6a290fd88a5fb7094c1ba9b104ae15e86c6e0af87a3c8a702faf97b3432d614f"},
    {"0002_ids_and_attempts", "df03afc5e36a8c8e3558d52ab7e0833525fc79bf4149a3324b63e1589454179d"},
};

std::string release() {
    return std::to_string(HEADPOND_VERSION_MAJOR) + "." + std::to_string(HEADPOND_VERSION_MINOR) +
           "." + std::to_string(HEADPOND_VERSION_PATCH);
}

std::filesystem::path source(std::string_view name) {
    return std::filesystem::path(HEADPOND_SOURCE_DIR) / "migrations" / (std::string(name) + ".sql");
}

// By coreutils, so that the digest is not checked by the code that made it.
std::string sha256(const std::filesystem::path& path) {
    const std::string command = "sha256sum '" + path.string() + "'";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    char digest[65] = {};
    if (!pipe || std::fread(digest, 1, 64, pipe.get()) != 64) return "sha256sum failed";
    return digest;
}

TEST(Migrations, LandedOnesNeverChange) {
    for (const auto& migration : embedded_migrations()) {
        const std::string name(migration.name);
        const auto it = landed.find(name);
        ASSERT_NE(it, landed.end())
            << name << " is new: add it to `landed` in this test with the digest "
            << migration.digest;
        EXPECT_EQ(it->second, migration.digest)
            << name << ".sql was changed after it landed. Undo that, and write a new migration "
            << "that makes the change. (Before the first release that holds it: put the new digest "
            << "into this test.)";
    }
    EXPECT_EQ(landed.size(), embedded_migrations().size()) << "a landed migration was removed";
}

TEST(Migrations, TheEmbeddedOnesAreTheFiles) {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(source("views").parent_path())) {
        files += entry.path().extension() == ".sql" ? 1 : 0;
    }
    EXPECT_EQ(files, embedded_migrations().size() + 1);
    int version = 0;
    for (const auto& migration : embedded_migrations()) {
        EXPECT_EQ(migration.version, ++version) << "numbered without gaps";
        EXPECT_EQ(migration.sql, bytes_of(source(migration.name)));
        EXPECT_EQ(migration.digest, sha256(source(migration.name)));
        EXPECT_NE(migration.oldest_release(), "0.0.0")
            << "the first line is -- oldest_release: X.Y.Z";
    }
    EXPECT_EQ(embedded_views().sql, bytes_of(source("views")));
    EXPECT_EQ(embedded_views().digest, sha256(source("views")));
}

class MigrationFile : public QueueTest {
  protected:
    [[nodiscard]] std::filesystem::path path() const { return dir / "queue.db"; }
    void make() { const Queue queue(options()); }
    void by_hand(const std::string& sql) { RawDatabase(path()).exec(sql); }
    std::string ask(const std::string& sql) { return RawDatabase(path()).text(sql); }
    Error refusal() {
        return error_of([this] { const Queue queue(options()); });
    }
    void newer(int version, const std::string& oldest) {
        by_hand("INSERT INTO migrations VALUES (" + std::to_string(version) + ", 'future', 'd', '" +
                oldest + "', 1, '99.0.0'); PRAGMA user_version=" + std::to_string(version));
    }
};

TEST_F(MigrationFile, EachIsCommittedWithItsRecord) {
    make();
    const auto& first = embedded_migrations().front();
    EXPECT_EQ(ask("PRAGMA user_version"), std::to_string(store::sqlite::newest_schema()));
    EXPECT_EQ(ask("SELECT name || ' ' || digest || ' ' || oldest_release || ' ' || applied_by "
                  "FROM migrations WHERE version = 1"),
              std::string(first.name) + " " + std::string(first.digest) + " " +
                  std::string(first.oldest_release()) + " " + release());
    EXPECT_EQ(ask("SELECT name || ' ' || digest FROM migrations WHERE version = 0"),
              "views " + std::string(embedded_views().digest));
    EXPECT_EQ(ask("SELECT applied_at FROM migrations WHERE version = 1"), "1800000000000");
}

TEST_F(MigrationFile, OneThatFailsLeavesNothingBehind) {
    {
        write_bytes(path(), "");
        RawDatabase raw(path());
        raw.exec(
            "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=0x48504E44;"
            "PRAGMA journal_mode=WAL; CREATE TABLE outcomes (theirs)");
    }
    const Error error = refusal();
    EXPECT_THAT(error.what(), HasSubstr("outcomes"));
    EXPECT_EQ(ask("SELECT count(*) FROM sqlite_schema"), "1");
    EXPECT_EQ(ask("PRAGMA user_version"), "0");
    by_hand("DROP TABLE outcomes");
    make();
    EXPECT_EQ(ask("PRAGMA user_version"), std::to_string(store::sqlite::newest_schema()));
}

// As each release left it: the first migrations alone, no views, a resident item.
TEST_F(MigrationFile, AFileOfEverySchemaOpens) {
    for (const auto& last : embedded_migrations()) {
        std::filesystem::remove(path());
        {
            write_bytes(path(), "");
            RawDatabase raw(path());
            raw.exec(
                "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=0x48504E44;"
                "PRAGMA journal_mode=WAL");
            for (const auto& migration : embedded_migrations()) {
                if (migration.version > last.version) break;
                raw.exec(std::string(migration.sql));
                raw.exec("INSERT INTO migrations VALUES (" + std::to_string(migration.version) +
                         ", '', '', '0.1.0', 1, '0.1.0'); PRAGMA user_version=" +
                         std::to_string(migration.version));
            }
            raw.exec(
                "INSERT INTO items (key, payload, enqueued_at) VALUES ('old', x'00', 5);"
                "UPDATE totals SET enqueued = 1, items = 1, bytes = 1, age_sum = 5");
        }
        Queue queue(options());
        EXPECT_THAT(resident(queue), ElementsAre("old"));
        EXPECT_EQ(put(queue, {"new"}).front(), Enqueued::stored);
        expect_sound(queue);
    }
}

TEST_F(MigrationFile, ANewerSchemaOpensWhereItLetsThisReleaseWrite) {
    make();
    by_hand(
        "ALTER TABLE items ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;"
        "CREATE TABLE tags (id INTEGER PRIMARY KEY);"
        "CREATE INDEX items_priority ON items (priority)");
    newer(store::sqlite::newest_schema() + 1, release());
    Queue queue(options());
    EXPECT_EQ(put(queue, {"a"}).front(), Enqueued::stored);
    EXPECT_THAT(resident(queue), ElementsAre("a"));
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->ack().acked, 1);
}

TEST_F(MigrationFile, ANewerSchemaThatForbidsItIsRefused) {
    make();
    newer(store::sqlite::newest_schema() + 1, release());
    newer(store::sqlite::newest_schema() + 2, "99.1.0");
    const std::string before = bytes_of(path());
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::schema_newer);
    EXPECT_THAT(error.what(), HasSubstr("99.1.0"));
    EXPECT_THAT(error.what(), HasSubstr(release()));
    expect_helpful(error);
    EXPECT_TRUE(bytes_of(path()) == before);
}

TEST_F(MigrationFile, ReleasesCompareAsNumbers) {
    make();
    newer(store::sqlite::newest_schema() + 1, "0.0.99");
    EXPECT_NO_THROW(Queue{options()});
    by_hand("UPDATE migrations SET oldest_release = '0.10.0' WHERE name = 'future'");
    EXPECT_EQ(refusal().code(), ErrorCode::schema_newer);
}

TEST_F(MigrationFile, ANewerSchemaWithoutARecordIsRefused) {
    make();
    by_hand("PRAGMA user_version=99");
    const Error unrecorded = refusal();
    EXPECT_EQ(unrecorded.code(), ErrorCode::schema_newer);
    EXPECT_THAT(unrecorded.what(), HasSubstr("schema 99"));
    expect_helpful(unrecorded);
    by_hand("DROP TABLE migrations");
    EXPECT_EQ(refusal().code(), ErrorCode::schema_newer);
}

// --- views ---------------------------------------------------------------------------------------

TEST_F(MigrationFile, ViewsAreMadeAnewWhenTheirDigestDiffers) {
    make();
    by_hand(
        "DROP VIEW ready; CREATE VIEW ready AS SELECT 'old' AS old; DROP VIEW help;"
        "UPDATE migrations SET digest = 'older' WHERE version = 0");
    Queue queue(options());
    EXPECT_THAT(Admin(queue).view("ready").columns,
                ElementsAre("id", "key", "source", "bytes", "age_s", "expires_in"));
    EXPECT_THAT(Admin(queue).view("help").rows, ::testing::Not(IsEmpty()));
    EXPECT_EQ(ask("SELECT digest FROM migrations WHERE version = 0"),
              std::string(embedded_views().digest));
}

TEST_F(MigrationFile, ViewsOfANewerReleaseAreLeftAloneAndNotRun) {
    make();
    by_hand(
        "DROP VIEW ready; CREATE VIEW ready AS SELECT 'newer' AS newer; DROP VIEW help;"
        "UPDATE migrations SET digest = 'newer', applied_by = '99.0.0' WHERE version = 0");
    Queue queue(options());
    EXPECT_THAT(Admin(queue).view("ready").columns,
                ElementsAre("id", "key", "source", "bytes", "age_s", "expires_in"));
    EXPECT_THAT(Admin(queue).view("help").rows, ::testing::Not(IsEmpty()));
    EXPECT_EQ(ask("SELECT newer FROM ready"), "newer") << "in the file they stay";
    EXPECT_EQ(ask("SELECT digest FROM migrations WHERE version = 0"), "newer");
    expect_sound(queue);
}

TEST_F(MigrationFile, ARequiredSchemaIsNotTouched) {
    make();
    by_hand("UPDATE migrations SET digest = 'older' WHERE version = 0");
    auto careful = options();
    careful.migrate = Migrate::require_newest;
    EXPECT_NO_THROW(Queue{careful});
    EXPECT_EQ(ask("SELECT digest FROM migrations WHERE version = 0"), "older");
}

// --- the public list -----------------------------------------------------------------------------

TEST_F(MigrationFile, TheListOpensNothingForWriting) {
    for (const Migration& one : migrations(path())) EXPECT_FALSE(one.applied);
    EXPECT_THAT(names_in(dir.path()), IsEmpty());
    const auto applied = migrate(path());
    EXPECT_THAT(applied, SizeIs(embedded_migrations().size()));
    EXPECT_EQ(applied.front().name, "0001_initial");
    for (const Migration& one : migrations(path())) EXPECT_TRUE(one.applied);
    EXPECT_THAT(migrate(path()), IsEmpty()) << "nothing is left to apply";
}

}  // namespace
}  // namespace headpond::test
