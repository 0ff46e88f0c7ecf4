// Rule 20: who creates, who migrates, and who may still write.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

class Rule20Schema : public QueueTest {
  protected:
    Options with(Migrate migrate) {
        Options options = QueueTest::options();
        options.migrate = migrate;
        return options;
    }
    ErrorCode code_of_opening(const Options& options) {
        try {
            const Queue queue(options);
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find("allowed:"), std::string::npos)
                << error.what();
            return error.code();
        }
        ADD_FAILURE() << "it opened";
        return {};
    }
    [[nodiscard]] bool exists() const { return std::filesystem::exists(dir / "queue.db"); }
};

TEST_F(Rule20Schema, ALibraryOpenCreatesAndRecordsTheMigrations) {
    {
        Queue queue(options());
        put(queue, {"a"});
        expect_sound(queue);
    }
    RawDatabase raw(dir / "queue.db");
    EXPECT_NE(raw.integer("PRAGMA application_id"), 0);
    EXPECT_EQ(raw.integer("PRAGMA user_version"),
              raw.integer("SELECT max(version) FROM migrations"));
    EXPECT_EQ(
        raw.integer("SELECT count(*) FROM migrations WHERE oldest_release = '' OR digest = ''"), 0);
    EXPECT_EQ(raw.text("PRAGMA journal_mode"), "wal");
    EXPECT_EQ(raw.integer("PRAGMA auto_vacuum"), 2);
    for (const Migration& migration : migrations(dir / "queue.db")) EXPECT_TRUE(migration.applied);
}

TEST_F(Rule20Schema, RequireNewestOpensOnlyAnExistingQueue) {
    EXPECT_EQ(code_of_opening(with(Migrate::require_newest)), ErrorCode::io);
    EXPECT_FALSE(exists());
    EXPECT_FALSE(std::filesystem::exists((dir / "queue.db").string() + "-owners"));
    std::ofstream(dir / "queue.db").flush();
    EXPECT_EQ(code_of_opening(with(Migrate::require_newest)), ErrorCode::io);
    EXPECT_EQ(std::filesystem::file_size(dir / "queue.db"), 0U);
    { const Queue creates(options()); }
    Queue queue(with(Migrate::require_newest));
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    expect_sound(queue);
}

TEST_F(Rule20Schema, CreateOnlyCreatesAMissingOrZeroByteFile) {
    { const Queue queue(with(Migrate::create_only)); }
    EXPECT_TRUE(exists());
    Options zero = with(Migrate::create_only);
    zero.path = dir / "zero.db";
    std::ofstream(zero.path).flush();
    Queue queue(zero);
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    expect_sound(queue);
}

TEST_F(Rule20Schema, AZeroByteFileOfAKilledCreationIsFinished) {
    std::ofstream(dir / "queue.db").flush();
    Queue queue(options());
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    expect_sound(queue);
}

TEST_F(Rule20Schema, MigrateCreatesAMissingFileAndHasNothingToDoTheSecondTime) {
    EXPECT_EQ(migrate(dir / "queue.db").size(), migrations(dir / "queue.db").size());
    EXPECT_TRUE(migrate(dir / "queue.db").empty());
    Queue queue(with(Migrate::require_newest));
    expect_sound(queue);
}

TEST_F(Rule20Schema, ANewerFileIsOpenedOnlyByReleasesItStillAllows) {
    { const Queue queue(options()); }
    {
        RawDatabase raw(dir / "queue.db");
        raw.exec("PRAGMA user_version = 99");
        raw.exec("INSERT INTO migrations VALUES (99, 'later', 'd', '999.0.0', 0, '999.0.0')");
    }
    EXPECT_EQ(code_of_opening(options()), ErrorCode::schema_newer);
    RawDatabase(dir / "queue.db")
        .exec(
            "UPDATE migrations SET oldest_release = '0.0.1' "
            "WHERE version = 99");
    Queue queue(options());  // a rolled-back binary is not locked out
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::stored});
    expect_sound(queue);
}

TEST_F(Rule20Schema, ViewsThatDifferAreMadeAnewAtOpen) {
    { const Queue queue(options()); }
    {
        RawDatabase raw(dir / "queue.db");
        raw.exec("DROP VIEW health; CREATE VIEW health AS SELECT 'old' AS metric, 1 AS value");
        raw.exec("UPDATE migrations SET digest = 'older' WHERE version = 0");
    }
    Queue queue(options());
    EXPECT_GT(queue.health().rows.size(), 10U);
    expect_sound(queue);
}

TEST_F(Rule20Schema, AnAlteredSchemaIsCorrupt) {
    { const Queue queue(options()); }
    RawDatabase(dir / "queue.db").exec("DROP INDEX batches_due");
    EXPECT_EQ(code_of_opening(options()), ErrorCode::corrupt);
}

TEST_F(Rule20Schema, AFileThatIsNoLongerInWalModeIsUnsupported) {
    { const Queue queue(options()); }
    {
        RawDatabase raw(dir / "queue.db");
        ASSERT_EQ(raw.text("PRAGMA journal_mode=DELETE"), "delete");
    }
    EXPECT_EQ(code_of_opening(options()), ErrorCode::unsupported);
}

TEST_F(Rule20Schema, OurFilesAreForTheirOwnerAlone) {
    const Queue queue(options());
    const auto mode = [&](const char* suffix) {
        return std::filesystem::status((dir / "queue.db").string() + suffix).permissions();
    };
    using std::filesystem::perms;
    for (const char* suffix : {"", "-wal", "-shm", "-owners"}) {
        EXPECT_EQ(mode(suffix), perms::owner_read | perms::owner_write) << suffix;
    }
}

}  // namespace
}  // namespace headpond::test
