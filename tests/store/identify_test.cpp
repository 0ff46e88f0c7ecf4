// What is not a queue is refused by name, and left as it was: byte for byte, without side files.
#include "store/sqlite/schema.h"
#include "support/child_process.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/store_errors.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

namespace headpond::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class IdentifyTest : public QueueTest {
  protected:
    [[nodiscard]] std::filesystem::path path() const { return dir / "queue.db"; }
    Options at(const std::filesystem::path& where) {
        Options open = options();
        open.path = where;
        return open;
    }
    // Opening `where` fails with this code and these words, and nothing in the folder changes.
    void expect_refused(const std::filesystem::path& where, ErrorCode code,
                        const std::string& words) {
        const auto names = names_in(dir.path());
        const bool readable = std::filesystem::is_regular_file(path());
        const std::string before = readable ? bytes_of(path()) : "";
        const Error error = error_of([&] { const Queue queue(at(where)); });
        EXPECT_EQ(to_string(error.code()), to_string(code)) << error.what();
        EXPECT_THAT(error.what(), HasSubstr(words));
        expect_helpful(error);
        EXPECT_EQ(names_in(dir.path()), names) << "side files were left behind";
        if (readable) {
            EXPECT_TRUE(bytes_of(path()) == before) << "the file was changed";
        }
    }
    void expect_file_refused(const std::string& bytes, const std::string& words) {
        write_bytes(path(), bytes);
        expect_refused(path(), ErrorCode::not_a_queue, words);
    }
    // A queue with three items, all in the main file, without side files.
    void make_alone() {
        {
            Queue queue(options());
            put(queue, {"a", "b", "c"});
        }
        RawDatabase(path()).exec("PRAGMA wal_checkpoint(TRUNCATE)");
        for (const char* side : {"-wal", "-shm", "-owners"}) {
            std::filesystem::remove(path().string() + side);
        }
    }
};

// --- other files ---------------------------------------------------------------------------------

TEST_F(IdentifyTest, Text) {
    expect_file_refused("key,value\na,1\n", "not an SQLite database");
}

TEST_F(IdentifyTest, OneByte) {
    expect_file_refused("x", "not an SQLite database");
}

TEST_F(IdentifyTest, Zeros) {
    expect_file_refused(std::string(8192, '\0'), "not an SQLite database");
}

TEST_F(IdentifyTest, Garbage) {
    std::string bytes;
    while (bytes.size() < 10'000) {
        const std::uint64_t word = random->next();
        bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    expect_file_refused(bytes, "not an SQLite database");
}

TEST_F(IdentifyTest, Image) {
    expect_file_refused(std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16) + std::string(600, 'x'),
                        "not an SQLite database");
}

TEST_F(IdentifyTest, TheMagicWordsAlone) {
    expect_file_refused(std::string("SQLite format 3\0", 16), "not an SQLite database");
}

TEST_F(IdentifyTest, AForeignDatabase) {
    write_bytes(path(), "");
    RawDatabase(path()).exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    expect_refused(path(), ErrorCode::not_a_queue, "application_id 0x00000000");
}

TEST_F(IdentifyTest, AForeignDatabaseInWalMode) {
    write_bytes(path(), "");
    RawDatabase(path()).exec("PRAGMA journal_mode=WAL; CREATE TABLE t (x)");
    expect_refused(path(), ErrorCode::not_a_queue, "application_id 0x00000000");
}

TEST_F(IdentifyTest, AnotherProgramsDatabase) {
    write_bytes(path(), "");
    RawDatabase(path()).exec("PRAGMA application_id=0x0f055112; CREATE TABLE t (x)");
    expect_refused(path(), ErrorCode::not_a_queue, "application_id 0x0f055112");
}

TEST_F(IdentifyTest, AQueueWhoseApplicationIdWasChanged) {
    make_alone();
    RawDatabase(path()).exec("PRAGMA application_id=7");
    // The change is in the log: the main file alone still says that it is ours.
    const Error logged = error_of([&] { const Queue queue(options()); });
    EXPECT_EQ(logged.code(), ErrorCode::not_a_queue);
    expect_helpful(logged);
    RawDatabase(path()).exec("PRAGMA wal_checkpoint(TRUNCATE)");
    expect_refused(path(), ErrorCode::not_a_queue, "application_id 0x00000007");
}

TEST_F(IdentifyTest, AnotherJournalMode) {
    make_alone();
    RawDatabase(path()).exec("PRAGMA journal_mode=DELETE");
    const std::string before = bytes_of(path());
    const Error error = error_of([&] { const Queue queue(options()); });
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_THAT(error.what(), HasSubstr("journal mode is delete"));
    EXPECT_THAT(error.what(), HasSubstr("PRAGMA journal_mode=WAL"));
    expect_helpful(error);
    EXPECT_TRUE(bytes_of(path()) == before);
    // And what the message says helps.
    RawDatabase(path()).exec("PRAGMA journal_mode=WAL");
    Queue queue(options());
    EXPECT_THAT(resident(queue), ElementsAre("a", "b", "c"));
}

// --- new files -----------------------------------------------------------------------------------

TEST_F(IdentifyTest, AZeroByteFileIsANewQueue) {
    write_bytes(path(), "");
    Queue queue(options());
    EXPECT_EQ(put(queue, {"a"}).front(), Enqueued::stored);
    expect_sound(queue);
}

TEST_F(IdentifyTest, WhereNothingMayBeCreatedAMissingOrEmptyFileIsAnError) {
    Options careful = options();
    careful.migrate = Migrate::require_newest;
    const Error missing = error_of([&] { const Queue queue(careful); });
    EXPECT_EQ(missing.code(), ErrorCode::io);
    expect_helpful(missing);
    EXPECT_THAT(names_in(dir.path()), IsEmpty());
    write_bytes(path(), "");
    const Error empty = error_of([&] { const Queue queue(careful); });
    EXPECT_EQ(empty.code(), ErrorCode::io);
    expect_helpful(empty);
    EXPECT_THAT(names_in(dir.path()), ElementsAre("queue.db"));
    EXPECT_EQ(std::filesystem::file_size(path()), 0U);
}

TEST_F(IdentifyTest, ANewFileTakesNothingFromALogThatLiesThere) {
    make_alone();
    {
        Queue queue(options());
        put(queue, {"d"});
    }
    for (const bool empty : {false, true}) {
        const TempDir other;
        if (empty) write_bytes(other / "queue.db", "");
        std::filesystem::copy(path().string() + "-wal", other / "queue.db-wal");
        Queue queue(at(other / "queue.db"));
        EXPECT_THAT(resident(queue), IsEmpty());
        expect_sound(queue);
    }
}

TEST_F(IdentifyTest, UnusualNamesAreFileNames) {
    for (const char* name :
         {"a b.db", "what?.db", "50%.db", "a#b.db", "queue%41.db", "küche.db", "new\nline.db",
          "file:x.db", ":memory:.db", "-queue.db", "it's \"quoted\".db"}) {
        const TempDir other;
        {
            Queue queue(at(other / name));
            put(queue, {"a"});
        }
        Queue again(at(other / name));
        EXPECT_THAT(resident(again), ElementsAre("a")) << name;
        EXPECT_TRUE(std::filesystem::exists(other / name)) << name;
    }
}

// --- paths ---------------------------------------------------------------------------------------

TEST_F(IdentifyTest, PathsThatAreNone) {
    expect_refused("", ErrorCode::misuse, "empty");
    expect_refused(":memory:", ErrorCode::misuse, "memory");
    expect_refused("-", ErrorCode::misuse, "./-");
    expect_refused("file:x", ErrorCode::misuse, "URI");
    expect_refused("file:" + path().string() + "?mode=rwc", ErrorCode::misuse, "URI");
    expect_refused(dir.path() / std::string("a\0b", 3), ErrorCode::misuse, "NUL");
    expect_refused(dir.path() / std::string(5000, 'x'), ErrorCode::misuse, "bytes");
    expect_refused(dir.path() / std::string(300, 'x'), ErrorCode::io, "too long");
    expect_refused(dir.path() / "", ErrorCode::misuse, "directory");
    expect_refused(dir.path() / ".", ErrorCode::misuse, "directory");
    expect_refused(dir / "missing" / "queue.db", ErrorCode::io, "missing");
    EXPECT_THAT(names_in(dir.path()), IsEmpty());
}

TEST_F(IdentifyTest, AFileWhereTheDirectoryShouldBe) {
    write_bytes(dir / "file", "x");
    expect_refused(dir / "file" / "queue.db", ErrorCode::io, "file");
}

TEST_F(IdentifyTest, ADirectory) {
    expect_refused(dir.path(), ErrorCode::misuse, "directory");
}

TEST_F(IdentifyTest, ADevice) {
    expect_refused("/dev/null", ErrorCode::misuse, "no regular file");
    EXPECT_FALSE(std::filesystem::exists("/dev/null-owners"));
}

TEST_F(IdentifyTest, AFifoIsNotWaitedFor) {
    ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
    expect_refused(dir / "fifo", ErrorCode::misuse, "no regular file");
}

TEST_F(IdentifyTest, ASymbolicLink) {
    make_alone();
    std::filesystem::create_symlink(path(), dir / "link");
    expect_refused(dir / "link", ErrorCode::misuse, "symbolic link");
    std::filesystem::create_symlink(dir / "nowhere", dir / "dangling");
    expect_refused(dir / "dangling", ErrorCode::misuse, "symbolic link");
}

TEST_F(IdentifyTest, ASymbolicLinkOnTheWayIsFollowed) {
    std::filesystem::create_directory(dir / "real");
    std::filesystem::create_directory_symlink(dir / "real", dir / "link");
    {
        Queue queue(at(dir / "link" / "queue.db"));
        put(queue, {"a"});
    }
    Queue queue(at(dir / "real" / "queue.db"));
    EXPECT_THAT(resident(queue), ElementsAre("a"));
}

TEST_F(IdentifyTest, AHardLink) {
    make_alone();
    std::filesystem::create_hard_link(path(), dir / "second");
    expect_refused(path(), ErrorCode::misuse, "2 hard links");
    expect_refused(dir / "second", ErrorCode::misuse, "2 hard links");
    std::filesystem::remove(dir / "second");
    EXPECT_NO_THROW(Queue{options()});
}

// --- rights --------------------------------------------------------------------------------------

// What a user without rights meets who opens the queue; "opened" where nothing is in the way.
class RightsTest : public IdentifyTest {
  protected:
    struct Answer {
        std::string code, what;
    };
    Answer open_as_nobody() {
        ChildProcess child([&](const ChildProcess::Parent& parent) {
            constexpr unsigned nobody = 65534;
            if (geteuid() == 0 && (setgid(nobody) != 0 || setuid(nobody) != 0)) _exit(2);
            try {
                const Queue queue(options());
                parent.send("opened");
                parent.send("");
            } catch (const Error& error) {
                parent.send(std::string(to_string(error.code())));
                parent.send(error.what());
            }
        });
        Answer answer;
        answer.code = child.receive();
        answer.what = child.receive();
        child.wait();
        return answer;
    }
    void expect_forbidden(const std::string& words) {
        const auto names = names_in(dir.path());
        const std::string before = bytes_of(path());
        const Answer answer = open_as_nobody();
        EXPECT_EQ(answer.code, "io") << answer.what;
        EXPECT_THAT(answer.what, HasSubstr(words));
        EXPECT_THAT(answer.what, HasSubstr("allowed: "));
        EXPECT_EQ(names_in(dir.path()), names);
        EXPECT_TRUE(bytes_of(path()) == before);
    }
    void rights(const std::filesystem::path& what, unsigned mode) {
        ASSERT_EQ(chmod(what.c_str(), mode), 0);
    }
};

TEST_F(RightsTest, AReadOnlyFile) {
    make_alone();
    rights(dir.path(), 0555);
    rights(path(), 0444);
    expect_forbidden("queue.db");
}

TEST_F(RightsTest, AReadOnlyFileInAWritableFolder) {
    make_alone();
    rights(dir.path(), 0777);
    rights(path(), 0444);
    const std::string before = bytes_of(path());
    const Answer answer = open_as_nobody();
    EXPECT_EQ(answer.code, "io") << answer.what;
    EXPECT_THAT(answer.what, HasSubstr("may not be written"));
    EXPECT_THAT(answer.what, HasSubstr("allowed: "));
    EXPECT_TRUE(bytes_of(path()) == before);
}

TEST_F(RightsTest, AFileThatMayNotBeRead) {
    make_alone();
    rights(dir.path(), 0777);
    rights(path(), 0000);
    if (geteuid() == 0) expect_forbidden("queue.db");
}

TEST_F(RightsTest, AReadOnlyFolder) {
    make_alone();
    rights(dir.path(), 0555);
    rights(path(), 0666);
    expect_forbidden("queue.db-owners");
}

TEST_F(RightsTest, ANewFileInAReadOnlyFolder) {
    rights(dir.path(), 0555);
    expect_forbidden("Permission denied");
    EXPECT_THAT(names_in(dir.path()), IsEmpty());
}

TEST_F(RightsTest, AnEmptyFileThatMayNotBeWritten) {
    write_bytes(path(), "");
    rights(dir.path(), 0777);
    rights(path(), 0444);
    const Answer answer = open_as_nobody();
    EXPECT_EQ(answer.code, "io") << answer.what;
    EXPECT_THAT(answer.what, HasSubstr("allowed: "));
    EXPECT_EQ(std::filesystem::file_size(path()), 0U);
}

TEST_F(RightsTest, AFolderThatMayNotBeEntered) {
    make_alone();
    rights(dir.path(), 0600);
    const Answer answer = open_as_nobody();
    rights(dir.path(), 0700);
    EXPECT_EQ(answer.code, "io") << answer.what;
    EXPECT_THAT(answer.what, HasSubstr("Permission denied"));
    EXPECT_THAT(answer.what, HasSubstr("allowed: "));
}

TEST_F(RightsTest, ASharedFileMayBeUsedByBoth) {
    const mode_t mask = umask(0);
    write_bytes(path(), "");
    umask(mask);
    rights(dir.path(), 0777);
    rights(path(), 0666);
    ChildProcess child([&](const ChildProcess::Parent& parent) {
        Queue queue(options());
        put(queue, {"theirs"});
        parent.send("done");
    });
    ASSERT_EQ(child.receive(), "done");
    child.wait();
    EXPECT_EQ(open_as_nobody().code, "opened") << "the side files have the database's mode";
}

}  // namespace
}  // namespace headpond::test
