// Rule 13: what the queue takes of the disk, and gives back.
#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <filesystem>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

constexpr std::uintmax_t mebibyte = 1 << 20;

class Rule13Disk : public QueueTest {
  protected:
    [[nodiscard]] std::uintmax_t bytes(const char* suffix = "") const {
        return std::filesystem::file_size((dir / "queue.db").string() + suffix);
    }
    static Enqueued put_bytes(Queue& queue, const std::string& key, std::size_t size) {
        const std::string payload(size, 'x');
        return queue.enqueue({.key = key, .payload = payload});
    }
};

TEST_F(Rule13Disk, TheLogIsGrownToItsReserveAndKeptAfterClose) {
    {
        Options options = QueueTest::options();
        options.payload_bytes_max = 3 << 20;
        Queue queue(options);
        EXPECT_GE(bytes("-wal"), 6 * mebibyte);
        EXPECT_LT(bytes(), mebibyte);
        put(queue, {"a"});
        queue.cleanup();
    }
    EXPECT_GE(bytes("-wal"), 6 * mebibyte);
    Queue queue(options());
    EXPECT_EQ(resident(queue), (std::vector<std::string>{"a"}));
    expect_sound(queue);
}

TEST_F(Rule13Disk, TheReserveIsTheGreaterOfOneMebibyteAndTwicePayloadBytesMax) {
    Options options = QueueTest::options();
    options.payload_bytes_max = 1000;
    Queue queue(options);
    EXPECT_GE(bytes("-wal"), mebibyte);
    EXPECT_LT(bytes("-wal"), 2 * mebibyte);
    expect_sound(queue);
}

TEST_F(Rule13Disk, AWriterThatFindsTheLogOverItsLimitCheckpoints) {
    Options options = QueueTest::options();
    options.wal_bytes_max = 2 << 20;
    options.bytes_max = 1 << 20;
    Queue queue(options);
    for (int i = 0; i < 400; ++i) put_bytes(queue, "k" + std::to_string(i), 100'000);  // 40 MB
    EXPECT_LE(bytes("-wal"), 4 * mebibyte);
    EXPECT_GE(bytes("-wal"), 2 * mebibyte);  // the reserve
    EXPECT_LE(bytes(), 4 * mebibyte);
    expect_sound(queue);
}

// A full disk then does not stop the checkpoint that begins the log anew.
TEST_F(Rule13Disk, WhatIsInTheLogHasItsPlaceInTheFile) {
    Queue queue(options());
    for (int i = 0; i < 40; ++i) {
        put_bytes(queue, "k" + std::to_string(i), 10'000);
        RawDatabase raw(dir / "queue.db");
        const auto needed = raw.integer("PRAGMA page_count") * raw.integer("PRAGMA page_size");
        ASSERT_GE(bytes(), static_cast<std::uintmax_t>(needed));
    }
    EXPECT_LT(bytes(), mebibyte);  // grown by a little ahead, not more
    expect_sound(queue);
}

TEST_F(Rule13Disk, TheFileShrinksAfterABurst) {
    Options options = QueueTest::options();
    options.wal_bytes_max = 64 << 10;
    options.payload_bytes_max = 100'000;
    Queue queue(options);
    for (int i = 0; i < 100; ++i) put_bytes(queue, "k" + std::to_string(i), 100'000);
    ASSERT_GT(bytes(), 9 * mebibyte);
    while (auto batch = queue.lease()) batch->ack();
    const CleanupReport report = queue.cleanup();
    EXPECT_GT(report.pages_freed, 2'000);
    EXPECT_LT(RawDatabase(dir / "queue.db").integer("PRAGMA freelist_count"), 10);
    EXPECT_LT(bytes(), mebibyte);
    expect_sound(queue);
}

TEST_F(Rule13Disk, WhoWroteBeforeAnotherGoesByTheFileAsItIs) {
    Options options = QueueTest::options();
    options.file_bytes_max = 2 << 20;
    options.payload_bytes_max = 100'000;
    Queue first(options);
    Queue second(options);
    put_bytes(first, "first", 10'000);
    int stored = 0;
    while (put_bytes(second, "k" + std::to_string(stored), 50'000) == Enqueued::stored) ++stored;
    EXPECT_GT(stored, 20);
    EXPECT_EQ(put_bytes(first, "one more", 50'000), Enqueued::no_room);

    put_bytes(second, "small", 10);
    while (auto batch = second.lease()) batch->ack();
    (void)second.cleanup();
    const auto cut = bytes();
    EXPECT_LT(cut, mebibyte);
    Admin(first).set("wal_bytes_max", "65536", "test");  // a checkpoint at nearly every commit
    EXPECT_FALSE(first.lease());
    put_bytes(first, "again", 10'000);
    EXPECT_EQ(bytes(), cut) << "not as large as it was when this one wrote last";
    expect_sound(second);
}

TEST_F(Rule13Disk, AFileOverItsLimitTakesNoNewcomersAndDrains) {
    Options options = QueueTest::options();
    options.file_bytes_max = 1 << 20;
    options.attempts_max = 1;
    Queue queue(options);
    int stored = 0;
    Enqueued last = Enqueued::stored;
    while (last == Enqueued::stored && stored < 100) {
        last = put_bytes(queue, "k" + std::to_string(stored), 50'000);
        stored += last == Enqueued::stored;
    }
    EXPECT_EQ(last, Enqueued::no_room);
    EXPECT_GT(stored, 5);
    EXPECT_LT(stored, 21);
    EXPECT_EQ(put_bytes(queue, "k0", 50'000), Enqueued::duplicate);
    EXPECT_EQ(counter(queue, "refused"), 1);
    EXPECT_EQ(counter(queue, "evicted"), 0);  // the disk's limit evicts nothing
    queue.lease({.items_max = 5})->ack();
    EXPECT_EQ(put_bytes(queue, "again", 50'000), Enqueued::stored);
    queue.lease()->nack("abandoned");
    expect_sound(queue);
}

TEST_F(Rule13Disk, TooLittleFreeDiskTakesNoNewcomersButEvictionStillMakesRoom) {
    Options options = QueueTest::options();
    options.disk_free_min = 1024LL << 30;  // more than any test machine has free
    options.items_max = 2;
    Queue queue(options);
    EXPECT_EQ(put(queue, {"a"}), std::vector{Enqueued::no_room});
    Admin(queue).set("disk_free_min", "0", "test");
    EXPECT_EQ(put(queue, {"a", "b"}), std::vector(2, Enqueued::stored));
    Admin(queue).set("disk_free_min", std::to_string(1024LL << 30), "test");
    // What is evicted first leaves its pages to the newcomer.
    EXPECT_EQ(put(queue, {"c"}), std::vector{Enqueued::stored});
    EXPECT_EQ(queue.lease()->ack().acked, 2);
    EXPECT_EQ(put(queue, {"d"}), std::vector{Enqueued::no_room});
    expect_sound(queue);
}

TEST_F(Rule13Disk, AReaderThatStaysDoesNotStopWriters) {
    Options options = QueueTest::options();
    options.wal_bytes_max = 64 << 10;
    options.bytes_max = 200'000;
    options.payload_bytes_max = 100'000;
    Queue queue(options);
    put(queue, {"a"});
    RawDatabase reader(dir / "queue.db");
    reader.exec("BEGIN");
    ASSERT_EQ(reader.integer("SELECT count(*) FROM items"), 1);
    for (int i = 0; i < 50; ++i) {
        ASSERT_EQ(put_bytes(queue, "k" + std::to_string(i), 50'000), Enqueued::stored);
    }
    EXPECT_EQ(reader.integer("SELECT count(*) FROM items"), 1);
    reader.exec("COMMIT");
    for (int i = 0; i < 50; ++i) put_bytes(queue, "m" + std::to_string(i), 50'000);
    EXPECT_LE(bytes("-wal"), 4 * mebibyte);
    expect_sound(queue);
}

TEST_F(Rule13Disk, ALargerPayloadLimitEnlargesTheLogsReserveWhileOpen) {
    Queue queue(options());
    const auto before = bytes("-wal");
    Admin(queue).set("payload_bytes_max", "4194304", "test");
    put(queue, {"a"});
    EXPECT_LT(before, 8'388'608U);
    EXPECT_GE(bytes("-wal"), 8'388'608U);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
