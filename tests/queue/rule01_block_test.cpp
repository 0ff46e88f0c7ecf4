// Rule 1, overflow = block: newcomers wait for room until a deadline.
#include "support/queue_fixture.h"
#include "support/raw_database.h"
#include "support/watched_clock.h"

#include <chrono>
#include <future>
#include <string>
#include <vector>

namespace headpond::test {
namespace {

class Rule01Block : public QueueTest {
  protected:
    Options blocking(Ms timeout) {
        Options small = options();
        small.items_max = 2;
        small.overflow = Overflow::block;
        small.enqueue_timeout = timeout;
        small.clock = watched;
        return small;
    }
    std::shared_ptr<WatchedClock> watched = std::make_shared<WatchedClock>(clock);
};

TEST_F(Rule01Block, RefusesWhenTheDeadlinePassesWithoutRoom) {
    Queue queue(blocking(Ms{20}));
    EXPECT_EQ(put(queue, {"a", "b", "c"}),
              (std::vector{Enqueued::stored, Enqueued::stored, Enqueued::refused}));
    EXPECT_EQ(counter(queue, "refused"), 1);
    EXPECT_EQ(counter(queue, "evicted"), 0);
    expect_sound(queue);
}

TEST_F(Rule01Block, WaitsForRoomThatAnotherThreadMakes) {
    Queue queue(blocking(Ms{60'000}));
    put(queue, {"a", "b"});
    auto batch = queue.lease();
    ASSERT_TRUE(batch);
    auto answer = std::async(std::launch::async, [&] { return put(queue, {"c", "d"}); });
    watched->wait_for_looks(1);
    EXPECT_EQ(batch->ack().acked, 2);
    EXPECT_EQ(answer.get(), std::vector(2, Enqueued::stored));
    EXPECT_EQ(resident(queue), (std::vector<std::string>{"c", "d"}));
    EXPECT_EQ(counter(queue, "refused"), 0);
    expect_sound(queue);
}

TEST_F(Rule01Block, WaitsForRoomThatAnotherQueueOfTheFileMakes) {
    Queue queue(blocking(Ms{60'000}));
    Queue other(options());
    put(queue, {"a", "b"});
    auto answer = std::async(std::launch::async, [&] { return put(queue, {"c"}); });
    watched->wait_for_looks(1);
    EXPECT_TRUE(other.cancel("a"));
    EXPECT_EQ(answer.get(), std::vector{Enqueued::stored});
    expect_sound(queue);
}

TEST_F(Rule01Block, StoresWhatFitsAtOnceAndTheRestInOrder) {
    Queue queue(blocking(Ms{60'000}));
    put(queue, {"a"});
    auto answer = std::async(std::launch::async, [&] { return put(queue, {"b", "c", "d"}); });
    watched->wait_for_looks(1);
    std::vector<std::string> seen;
    while (seen.size() < 4) {
        auto batch = queue.lease({.wait = Ms{60'000}});
        ASSERT_TRUE(batch);
        for (const auto& key : keys_of(*batch)) seen.push_back(key);
        batch->ack();
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "b", "c", "d"}));
    EXPECT_EQ(answer.get(), std::vector(3, Enqueued::stored));
    expect_sound(queue);
}

// Told of the error alone, the caller would store them again.
TEST_F(Rule01Block, WhatIsStoredIsToldThoughTheWaitForTheRestFails) {
    Options small = blocking(Ms{60'000});
    small.turn_timeout = Ms{20};
    Queue queue(small);
    RawDatabase foreign(dir / "queue.db");
    auto answer = std::async(std::launch::async, [&] { return put(queue, {"a", "b", "c"}); });
    watched->wait_for_looks(1);  // the first two are committed
    foreign.exec("BEGIN IMMEDIATE");
    EXPECT_EQ(answer.get(), (std::vector{Enqueued::stored, Enqueued::stored, Enqueued::refused}));
    auto nothing = std::async(std::launch::async, [&] { return put(queue, {"d"}); });
    EXPECT_THROW((void)nothing.get(), Error);
    foreign.exec("ROLLBACK");
    EXPECT_EQ(resident(queue), (std::vector<std::string>{"a", "b"}));
    expect_sound(queue);
}

TEST_F(Rule01Block, DuplicatesAndTooLargeAreToldWithoutWaiting) {
    Options small = blocking(Ms{60'000});
    small.payload_bytes_max = 100;
    Queue queue(small);
    put(queue, {"a", "b"});
    const std::string big(101, 'x');
    EXPECT_EQ(put(queue, {"b"}), std::vector{Enqueued::duplicate});
    EXPECT_EQ(queue.enqueue({.key = "big", .payload = big}), Enqueued::too_large);
    expect_sound(queue);
}

TEST_F(Rule01Block, AStopTokenEndsTheWait) {
    Queue queue(blocking(Ms{60'000}));
    put(queue, {"a", "b"});
    std::stop_source stop;
    auto answer = std::async(std::launch::async, [&] {
        return queue.enqueue({.key = "c", .payload = "x"}, stop.get_token());
    });
    watched->wait_for_looks(1);
    stop.request_stop();
    EXPECT_EQ(answer.get(), Enqueued::refused);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
