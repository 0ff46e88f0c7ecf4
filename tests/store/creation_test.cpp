// Creating a queue: several at once, killed half-way, and what the files are afterwards.
#include "store/sqlite/schema.h"
#include "support/child_process.h"
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/store_errors.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <sys/inotify.h>
#include <sys/stat.h>

namespace headpond::test {
namespace {

class CreationTest : public QueueTest {
  protected:
    Options at(const std::filesystem::path& path) {
        Options open = options();
        open.path = path;
        return open;
    }
    static unsigned mode_of(const std::filesystem::path& path) {
        struct stat facts {};
        EXPECT_EQ(stat(path.c_str(), &facts), 0) << path;
        return facts.st_mode & 0777U;
    }
    // Sound, with exactly these keys, whoever finished it.
    void expect_whole(const std::filesystem::path& path, std::size_t items) {
        Queue queue(at(path));
        EXPECT_EQ(resident(queue).size(), items) << path;
        expect_sound(queue);
    }
};

// --- several at once -----------------------------------------------------------------------------

TEST_F(CreationTest, FourProcessesOpenANewFileAtOnce) {
    constexpr int processes = 4;
    constexpr int rounds = 50;
    int failures = 0;
    for (int round = 0; round < rounds; ++round) {
        const auto path = dir / ("queue-" + std::to_string(round) + ".db");
        std::vector<std::unique_ptr<ChildProcess>> children;
        for (int i = 0; i < processes; ++i) {
            children.push_back(
                std::make_unique<ChildProcess>([&](const ChildProcess::Parent& parent) {
                    parent.receive();
                    Queue queue(at(path));
                    put(queue, {"key-" + std::to_string(i)});
                    parent.send("done");
                }));
        }
        for (const auto& child : children) child->send("go");
        for (const auto& child : children) {
            const std::string answer = child->receive();
            EXPECT_EQ(answer, "done") << "round " << round;
            failures += answer == "done" ? 0 : 1;
            child->wait();
        }
    }
    EXPECT_EQ(failures, 0);
    // Here, behind the last fork: a queue must not be open across one.
    for (int round = 0; round < rounds; ++round) {
        expect_whole(dir / ("queue-" + std::to_string(round) + ".db"), processes);
    }
}

// --- killed half-way -----------------------------------------------------------------------------

// What happens in a folder, event by event.
class Watch {
  public:
    explicit Watch(const std::filesystem::path& folder) : fd_(inotify_init1(IN_CLOEXEC)) {
        if (inotify_add_watch(fd_, folder.c_str(), IN_CREATE | IN_MODIFY | IN_DELETE) < 0) {
            throw std::runtime_error("inotify_add_watch failed");
        }
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { close(fd_); }

    // Blocks until `count` more events have happened.
    void wait(int count) const {
        alignas(inotify_event) std::array<char, 4096> events{};
        while (count > 0) {
            const auto got = static_cast<std::size_t>(read(fd_, events.data(), events.size()));
            for (std::size_t at = 0; at < got; --count) {
                const auto* event = reinterpret_cast<const inotify_event*>(events.data() + at);
                at += sizeof(inotify_event) + event->len;
            }
        }
    }

  private:
    int fd_;
};

// Each round is killed at a later change of the folder: the side file, the empty file, its first
// page, WAL mode, the tables, the views, the settings, the reserve of the log.
TEST_F(CreationTest, WhoIsKilledWhileCreatingLeavesSomethingThatTheNextFinishes) {
    std::vector<std::filesystem::path> paths;
    bool finished = false;
    for (int event = 1; !finished; event += event < 30 ? 1 : 17) {
        const auto folder = dir / std::to_string(event);
        std::filesystem::create_directory(folder);
        const auto path = folder / "queue.db";
        const Watch watch(folder);
        ChildProcess first([&](const ChildProcess::Parent& parent) {
            const Queue queue(at(path));
            // As many events as the round may still wait for, and a word that it came so far.
            for (int i = 0; i <= event; ++i) write_bytes(folder / "created", "yes");
            parent.hold();
        });
        watch.wait(event);
        first.kill();
        finished = std::filesystem::exists(folder / "created");
        ChildProcess second([&](const ChildProcess::Parent& parent) {
            Queue queue(at(path));
            put(queue, {"a"});
            parent.send("done");
        });
        EXPECT_EQ(second.receive(), "done") << "killed at event " << event;
        second.wait();
        paths.push_back(path);
        ASSERT_LT(event, 10'000);
    }
    EXPECT_GT(paths.size(), 10U);
    for (const auto& path : paths) expect_whole(path, 1);
}

TEST_F(CreationTest, EveryStageOfACreationIsFinished) {
    const std::vector<std::string> stages{
        "",
        "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=0x48504E44",
        "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=0x48504E44;"
        "PRAGMA journal_mode=WAL",
    };
    for (std::size_t i = 0; i < stages.size(); ++i) {
        const auto path = dir / ("stage-" + std::to_string(i) + ".db");
        write_bytes(path, "");
        if (!stages[i].empty()) RawDatabase(path).exec(stages[i]);
        {
            Queue queue(at(path));
            put(queue, {"a"});
        }
        expect_whole(path, 1);
    }
}

// The first page is written and its journal not yet gone: SQLite rolls back to an empty file.
TEST_F(CreationTest, AFirstPageThatIsRolledBackIsWrittenAgain) {
    const auto path = dir / "queue.db";
    write_bytes(path, "");
    RawDatabase(path).exec(
        "PRAGMA auto_vacuum=INCREMENTAL; "
        "PRAGMA application_id=0x48504E44; CREATE TABLE t (x)");
    // The header of a journal (sqlite.org/fileformat.html): no pages, from a file of 0 pages.
    std::string journal("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8);
    for (const unsigned word : {0U, 1U, 0U, 512U, 4096U}) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            journal += static_cast<char>((word >> static_cast<unsigned>(shift)) & 0xffU);
        }
    }
    journal.resize(512);
    write_bytes(path.string() + "-journal", journal);
    {
        Queue queue(options());
        put(queue, {"a"});
    }
    expect_whole(path, 1);
    EXPECT_EQ(RawDatabase(path).integer("SELECT count(*) FROM sqlite_schema WHERE name = 't'"), 0)
        << "the journal was rolled back";
}

// --- what was made -------------------------------------------------------------------------------

TEST_F(CreationTest, TheFileIsMadeAsDecided) {
    const Queue queue(options());
    RawDatabase raw(dir / "queue.db");
    EXPECT_EQ(raw.integer("PRAGMA application_id"), store::sqlite::application_id);
    EXPECT_EQ(raw.integer("PRAGMA user_version"), store::sqlite::newest_schema());
    EXPECT_EQ(raw.integer("PRAGMA auto_vacuum"), 2);
    EXPECT_EQ(raw.integer("PRAGMA page_size"), 4096);
    EXPECT_EQ(raw.text("PRAGMA journal_mode"), "wal");
    EXPECT_EQ(raw.text("PRAGMA encoding"), "UTF-8");
}

TEST_F(CreationTest, ANewQueueBelongsToItsUserAlone) {
    const mode_t mask = umask(0);
    const Queue queue(options());
    umask(mask);
    for (const char* side : {"", "-owners", "-wal", "-shm"}) {
        EXPECT_EQ(mode_of((dir / "queue.db").string() + side), 0600U) << side;
    }
}

TEST_F(CreationTest, SideFilesHaveTheModeOfTheDatabase) {
    const auto path = dir / "queue.db";
    write_bytes(path, "");
    ASSERT_EQ(chmod(path.c_str(), 0660), 0);
    const mode_t mask = umask(077);
    const Queue queue(options());
    umask(mask);
    for (const char* side : {"", "-owners", "-wal", "-shm"}) {
        EXPECT_EQ(mode_of(path.string() + side), 0660U) << side;
    }
}

TEST_F(CreationTest, TheLogHasItsReserveAndKeepsItWhenTheLastCloses) {
    const auto log = (dir / "queue.db-wal").string();
    constexpr std::uintmax_t mebibyte = 1 << 20;
    { const Queue queue(options()); }
    EXPECT_GE(std::filesystem::file_size(log), 2 * mebibyte) << "2 x payload_bytes_max";
    const auto grown = std::filesystem::file_size(log);
    { const Queue queue(options()); }
    EXPECT_EQ(std::filesystem::file_size(log), grown) << "it is not grown again";
    const TempDir other;
    Options small = at(other / "queue.db");
    small.payload_bytes_max = 1000;
    { const Queue queue(small); }
    EXPECT_GE(std::filesystem::file_size(other / "queue.db-wal"), mebibyte) << "never less";
    EXPECT_LT(std::filesystem::file_size(other / "queue.db-wal"), 2 * mebibyte);
    EXPECT_LE(std::filesystem::file_size(other / "queue.db"), mebibyte / 2)
        << "the reserve was rolled back";
}

}  // namespace
}  // namespace headpond::test
