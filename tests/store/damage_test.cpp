// Damaged files: an Error or a finding of the check, never a crash and never silence.
#include "store/sqlite/schema.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/store_errors.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace headpond::test {
namespace {

using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::UnorderedElementsAre;

constexpr std::size_t page = store::sqlite::page_bytes;

class DamageTest : public QueueTest {
  protected:
    // A queue that knew some life, wholly in the main file.
    DamageTest() {
        live_through(options());
        RawDatabase(path()).exec("PRAGMA wal_checkpoint(TRUNCATE)");
        remove_sides(path());
        whole = bytes_of(path());
    }
    void live_through(const Options& where) {
        Queue queue(where);
        std::vector<std::string> keys;
        for (int i = 0; i < 120; ++i) keys.push_back("key-" + std::to_string(i));
        put(queue, keys);
        (void)queue.lease()->ack();
        (void)queue.lease()->nack("boom");
        Settlement mixed;
        auto batch = queue.lease();
        mixed.rejected.push_back({.item_id = batch->items()[0].id, .reason = "bad"});
        (void)batch->settle(mixed);
    }
    [[nodiscard]] std::filesystem::path path() const { return dir / "queue.db"; }
    static void remove_sides(const std::filesystem::path& file) {
        for (const char* side : {"-wal", "-shm", "-owners"}) {
            std::filesystem::remove(file.string() + side);
        }
    }

    enum class Met { nothing, finding, error };
    // Opens the file and works with it: what is wrong is met as an Error or found by the check.
    Met work(std::string* code = nullptr) {
        try {
            Queue queue(options());
            put(queue, {"new-1", "new-2"});
            if (auto batch = queue.lease()) (void)batch->ack();
            clock->advance(Ms{1000});
            (void)queue.cleanup();
            (void)Admin(queue).view("resident");
            (void)queue.health();
            return Admin(queue).check().ok() ? Met::nothing : Met::finding;
        } catch (const Error& error) {
            expect_one_line(error);
            if (code != nullptr) *code = to_string(error.code());
            return Met::error;
        }
    }
    static void expect_one_line(const Error& error) {
        const std::string what = error.what();
        EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    }
    void store_bytes(const std::string& bytes) {
        remove_sides(path());
        write_bytes(path(), bytes);
    }

    std::string whole;
};

TEST_F(DamageTest, TheWholeFileIsSound) {
    EXPECT_EQ(work(), Met::nothing);
    EXPECT_GT(whole.size(), 10 * page);
}

TEST_F(DamageTest, ATruncatedFileIsRefusedAndLeftAlone) {
    for (const std::size_t left :
         {std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{99}, std::size_t{100},
          std::size_t{511}, std::size_t{512}, std::size_t{1000}, page - 1, page, page + 1,
          whole.size() / 2, whole.size() - page}) {
        store_bytes(whole.substr(0, left));
        const auto names = names_in(dir.path());
        const Error error = error_of([&] { const Queue queue(options()); });
        EXPECT_THAT(error.code(), AnyOf(Eq(ErrorCode::corrupt), Eq(ErrorCode::not_a_queue)))
            << left << " " << error.what();
        if (left >= 512) {
            EXPECT_EQ(error.code(), ErrorCode::corrupt) << left;
        }
        expect_helpful(error);
        EXPECT_EQ(names_in(dir.path()), names) << left;
        EXPECT_TRUE(bytes_of(path()) == whole.substr(0, left)) << left;
    }
}

TEST_F(DamageTest, ATruncatedFileWithALogIsMet) {
    for (const std::size_t left : {std::size_t{100}, page, 3 * page, whole.size() / 2}) {
        store_bytes(whole);
        {
            Queue queue(options());
            put(queue, {"in the log"});
        }
        ASSERT_GT(std::filesystem::file_size(path().string() + "-wal"), 0U);
        std::filesystem::remove(path().string() + "-shm");
        write_bytes(path(), whole.substr(0, left));
        EXPECT_NE(work(), Met::nothing) << left;
    }
}

// The kind of every page is in its first byte (or, for the map of pages, a parent's).
TEST_F(DamageTest, AFlippedBitAtTheHeadOfAPageIsMet) {
    int met = 0;
    for (std::size_t at = page; at < whole.size(); at += page) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
        store_bytes(bytes);
        std::string code = "corrupt";
        const Met how = work(&code);
        met += how != Met::nothing ? 1 : 0;
        EXPECT_EQ(code, "corrupt") << "page " << at / page + 1;
    }
    // Free pages hold nothing that could be wrong.
    EXPECT_GE(met, static_cast<int>(whole.size() / page) - 1 - 8);
}

TEST_F(DamageTest, ABackupOfADamagedFileSaysThatItsCopyIsDamaged) {
    std::string bytes = whole;
    // A page that opening does not read.
    const auto root = RawDatabase(path()).integer(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'dead_letters_key'");
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(page) * (root - 1), page, '\x7f');
    store_bytes(bytes);
    Queue queue(options());
    try {
        Admin(queue).backup(dir / "copy.db");
        ADD_FAILURE() << "was taken for a backup";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::corrupt) << error.what();
        expect_one_line(error);
    }
}

TEST_F(DamageTest, FlippedBitsAnywhereNeverCrash) {
    const std::uint64_t seed = 20261124;
    SCOPED_TRACE("seed " + std::to_string(seed));
    FakeRandom bits(seed);
    for (int round = 0; round < 60; ++round) {
        std::string bytes = whole;
        for (std::uint64_t flips = 1 + bits.next() % 64; flips > 0; --flips) {
            // Behind the magic words, where it would be no database.
            const std::size_t at = 16 + bits.next() % (bytes.size() - 16);
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << bits.next() % 8));
        }
        store_bytes(bytes);
        work();
    }
}

TEST_F(DamageTest, FlippedBitsInTheHeaderAreMetOrHarmless) {
    for (std::size_t at = 16; at < 100; ++at) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x04);
        store_bytes(bytes);
        work();
    }
}

// --- side files ----------------------------------------------------------------------------------

TEST_F(DamageTest, GarbageInTheSharedMemoryFileIsHarmless) {
    std::string garbage;
    while (garbage.size() < 32768) garbage += "garbage ";
    write_bytes(path().string() + "-shm", garbage);
    EXPECT_EQ(work(), Met::nothing);
}

TEST_F(DamageTest, GarbageInTheLogIsIgnored) {
    write_bytes(path().string() + "-wal", std::string(100'000, 'g'));
    EXPECT_EQ(work(), Met::nothing);
}

TEST_F(DamageTest, ADamagedLogLosesItsTailAndNoMore) {
    {
        Queue queue(options());
        for (int i = 0; i < 20; ++i) put(queue, {"late-" + std::to_string(i)});
    }
    std::string log = bytes_of(path().string() + "-wal");
    const std::size_t used = 32 + 10 * (page + 24);
    ASSERT_GT(log.size(), used);
    log[used] = static_cast<char>(log[used] ^ 1);
    write_bytes(path().string() + "-wal", log);
    std::filesystem::remove(path().string() + "-shm");
    Queue queue(options());
    expect_sound(queue);
    const auto keys = resident(queue);
    EXPECT_TRUE(std::find(keys.begin(), keys.end(), "key-119") != keys.end());
    EXPECT_TRUE(std::find(keys.begin(), keys.end(), "late-19") == keys.end());
}

// SQLite's log does not say to which database it belongs: a foreign one is played back.
TEST_F(DamageTest, ALogOfAnotherProgramIsRefusedAndNotWritten) {
    const TempDir other;
    write_bytes(other / "theirs.db", "");
    {
        RawDatabase theirs(other / "theirs.db");
        theirs.exec("PRAGMA journal_mode=WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)");
        std::filesystem::copy(other / "theirs.db-wal", path().string() + "-wal");
    }
    const std::string log = bytes_of(path().string() + "-wal");
    const Error error = error_of([&] { const Queue queue(options()); });
    EXPECT_EQ(error.code(), ErrorCode::not_a_queue) << error.what();
    expect_helpful(error);
    EXPECT_TRUE(bytes_of(path()) == whole) << "a checkpoint would have ruined the queue";
    EXPECT_TRUE(bytes_of(path().string() + "-wal") == log);
    std::filesystem::remove(path().string() + "-wal");
    EXPECT_EQ(work(), Met::nothing);
}

// Another queue, and its log laid beside ours.
class ForeignLogTest : public DamageTest {
  protected:
    ForeignLogTest() {
        there.path = other / "queue.db";
        clock->advance(Ms{1});  // queues are told apart by when they were made
    }

    void expect_refusal(ErrorCode expected) {
        std::filesystem::copy(there.path.string() + "-wal", path().string() + "-wal");
        const std::string log = bytes_of(path().string() + "-wal");
        const Error error = error_of([&] { const Queue queue(options()); });
        EXPECT_EQ(error.code(), expected) << error.what();
        EXPECT_THAT(error.what(), ::testing::HasSubstr("the -wal beside the file "));
        expect_helpful(error);
        EXPECT_TRUE(bytes_of(path()) == whole);
        EXPECT_TRUE(bytes_of(path().string() + "-wal") == log);
        remove_sides(path());
        EXPECT_EQ(work(), Met::nothing);
    }

    const TempDir other;
    Options there = options();
};

TEST_F(ForeignLogTest, AWholeOneIsRefusedAndNotWritten) {
    {
        Queue queue(there);
        put(queue, {"theirs"});
    }
    RawDatabase(there.path).exec("VACUUM");  // every page of theirs is in their log
    expect_refusal(ErrorCode::not_a_queue);
}

TEST_F(ForeignLogTest, APartIsRefusedAndNotWritten) {
    { const Queue queue(there); }
    RawDatabase(there.path).exec("PRAGMA wal_checkpoint(TRUNCATE)");
    {
        Queue queue(there);
        put(queue, {"theirs"});
    }
    expect_refusal(ErrorCode::corrupt);  // pages of two files
}

TEST_F(ForeignLogTest, APartOfATwinsIsRefusedAndNotWritten) {
    live_through(there);  // as many pages as ours has
    RawDatabase(there.path).exec("PRAGMA wal_checkpoint(TRUNCATE)");
    {
        Queue queue(there);
        put(queue, {"theirs"});
    }
    expect_refusal(ErrorCode::not_a_queue);
}

TEST_F(DamageTest, AnOwnersFileWithContentIsHarmless) {
    write_bytes(path().string() + "-owners", std::string(10'000, 'o'));
    EXPECT_EQ(work(), Met::nothing);
}

TEST_F(DamageTest, AnOwnersFileThatIsNoFileIsRefused) {
    std::filesystem::create_directory(path().string() + "-owners");
    const Error directory = error_of([&] { const Queue queue(options()); });
    EXPECT_EQ(directory.code(), ErrorCode::io);
    EXPECT_THAT(directory.what(), ::testing::HasSubstr("-owners"));
    expect_helpful(directory);
    std::filesystem::remove(path().string() + "-owners");
    std::filesystem::create_symlink(path(), path().string() + "-owners");
    const Error link = error_of([&] { const Queue queue(options()); });
    EXPECT_EQ(link.code(), ErrorCode::io);
    expect_helpful(link);
    EXPECT_TRUE(bytes_of(path()) == whole);
}

}  // namespace
}  // namespace headpond::test
