#include "support/queue_fixture.h"
#include "support/raw_database.h"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <latch>
#include <set>
#include <stdexcept>
#include <thread>

namespace headpond::test {
namespace {

class ProcessorTest : public QueueTest {
  protected:
    Options quick() {
        Options all = options();
        all.backoff_base = Ms{0};
        all.batch_items_due = 2;
        return all;
    }
    bool busy_was_logged() {
        const std::lock_guard lock(lines_mutex);
        return std::ranges::any_of(
            lines, [](const auto& line) { return line.find("Processor: ") != std::string::npos; });
    }
    // What a handler that heeds its token does: whether it was asked to stop in time.
    static bool asked_to_stop(const std::stop_token& stop, Ms patience) {
        std::mutex mutex;
        std::condition_variable_any changed;
        std::unique_lock lock(mutex);
        changed.wait_for(lock, stop, patience, [] { return false; });
        return stop.stop_requested();
    }
    static Settlement ack(std::span<const Item> /*items*/, const std::stop_token& /*stop*/) {
        return {.rest = Rest::ack};
    }
};

TEST_F(ProcessorTest, RunOnceLeavesWhatIsNotDue) {
    Queue queue(quick());
    put(queue, {"a"});
    Processor processor(queue, ack);
    EXPECT_FALSE(processor.run_once().processed);
    put(queue, {"b"});
    const RunReport report = processor.run_once();
    EXPECT_TRUE(report.processed);
    EXPECT_EQ(report.items, 2);
    EXPECT_EQ(report.settled.acked, 2);
    expect_sound(queue);
}

TEST_F(ProcessorTest, RunOnceTakesALingeringItem) {
    Options all = quick();
    all.batch_linger = Ms{300'000};
    Queue queue(all);
    put(queue, {"a"});
    Processor processor(queue, ack);
    clock->advance(Ms{299'999});
    EXPECT_FALSE(processor.run_once().processed);
    clock->advance(Ms{1});
    EXPECT_TRUE(processor.run_once().processed);
}

TEST_F(ProcessorTest, RunOnceImmediateTakesWhatIsReady) {
    Queue queue(quick());
    put(queue, {"a"});
    Processor processor(queue, ack);
    EXPECT_TRUE(processor.run_once(When::immediate).processed);
}

TEST_F(ProcessorTest, AThrowIsANackWithItsText) {
    Queue queue(quick());
    put(queue, {"a", "b"});
    Processor processor(queue,
                        [](auto, auto) -> Settlement { throw std::runtime_error("no luck"); });
    EXPECT_TRUE(processor.run_once().processed);
    const Table errors = Admin(queue).view("errors");
    ASSERT_EQ(errors.rows.size(), 1U);
    EXPECT_EQ(errors.rows[0][0], "no luck");
    EXPECT_EQ(errors.rows[0][1], "nacked");
}

TEST_F(ProcessorTest, KeepIsTakenAsANack) {
    Queue queue(quick());
    put(queue, {"a", "b"});
    Processor processor(queue, [](auto, auto) { return Settlement{.rest = Rest::keep}; });
    EXPECT_TRUE(processor.run_once().processed);
    EXPECT_EQ(Admin(queue).view("leases").rows.size(), 0U);
    EXPECT_EQ(Admin(queue).view("errors").rows[0][1], "nacked");
}

TEST_F(ProcessorTest, FailsThreeTimesThenIsAbandoned) {
    Queue queue(quick());
    put(queue, {"a", "b"});
    int calls = 0;
    Processor processor(queue, [&](auto, auto) -> Settlement {
        ++calls;
        throw std::runtime_error("down");
    });
    while (processor.run_once().processed) {
    }
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(queue.outcomes(10).size(), 2U);
    EXPECT_TRUE(logged("[Moonshot] Batch batch_1 permanently failed, cleared 2 items"));
}

TEST_F(ProcessorTest, ThreadsProcessWhatArrivesAndDrainTheRest) {
    Queue queue(quick());
    std::mutex mutex;
    std::set<std::string> seen;
    std::latch first(1);
    Processor processor(queue,
                        [&](std::span<const Item> items, auto) {
                            const std::lock_guard lock(mutex);
                            if (seen.empty()) first.count_down();
                            for (const Item& item : items) seen.insert(item.key);
                            return Settlement{.rest = Rest::ack};
                        },
                        {.workers = 3});
    processor.start();
    put(queue, {"a", "b", "c"});
    first.wait();
    put(queue, {"d"});  // alone it is not due: the drain takes it
    processor.stop(Drain::everything);
    processor.wait();
    EXPECT_EQ(seen, (std::set<std::string>{"a", "b", "c", "d"}));
    EXPECT_EQ(queue.health().items, 0);
    expect_sound(queue);
}

TEST_F(ProcessorTest, StopNoneAsksTheHandlerToStop) {
    Queue queue(quick());
    put(queue, {"a", "b"});
    std::promise<void> begun;
    Processor processor(queue, [&](auto, const std::stop_token& stop) {
        begun.set_value();
        const bool asked = asked_to_stop(stop, Ms{30'000});
        return Settlement{.rest = asked ? Rest::release : Rest::ack, .error = "stopping"};
    });
    processor.start();
    begun.get_future().wait();
    processor.stop(Drain::none);
    EXPECT_EQ(queue.health().waiting, 2);
    EXPECT_EQ(queue.health().attempts, 0);  // a release refunds
}

TEST_F(ProcessorTest, ALongHandlersLeaseIsExtended) {
    Options all = quick();
    all.clock = nullptr;  // real time: the extension is the real clock's affair
    all.lease_time = Ms{900};
    Queue queue(all);
    put(queue, {"a", "b"});
    Queue other(all);
    bool stolen = false;
    Processor processor(queue, [&](auto, auto) {
        // Longer than the lease: another queue waits for it in vain.
        stolen = other.lease({.wait = Ms{1800}}).has_value();
        return Settlement{.rest = Rest::ack};
    });
    const RunReport report = processor.run_once();
    EXPECT_FALSE(stolen);
    EXPECT_EQ(report.settled.acked, 2);
}

TEST_F(ProcessorTest, HandlingTimeMaxEndsTheExtension) {
    Options all = quick();
    all.clock = nullptr;
    all.lease_time = Ms{100};
    Queue queue(all);
    put(queue, {"a", "b"});
    Queue other(all);
    bool asked_to_stop = false;
    bool taken = false;
    Processor processor(queue,
                        [&](auto, const std::stop_token& stop) {
                            auto batch = other.lease({.wait = Ms{5000}});
                            taken = batch.has_value();
                            if (batch) batch->ack();
                            std::mutex mutex;
                            std::condition_variable_any changed;
                            std::unique_lock lock(mutex);
                            changed.wait_for(lock, stop, std::chrono::seconds(20),
                                             [] { return false; });
                            asked_to_stop = stop.stop_requested();
                            return Settlement{.rest = Rest::ack};
                        },
                        {.handling_time_max = Ms{150}});
    const RunReport report = processor.run_once();
    EXPECT_TRUE(taken);
    EXPECT_TRUE(asked_to_stop);
    EXPECT_TRUE(report.settled.fenced);
    expect_sound(queue);
}

TEST_F(ProcessorTest, AnErrorEndsTheThreadsAndIsHandedOut) {
    Queue queue(quick());
    std::promise<void> begun;
    Processor processor(queue, [&](auto, auto) {
        begun.set_value();
        return Settlement{.acked = {{.item_id = 1}, {.item_id = 1}}};  // named twice: misuse
    });
    put(queue, {"a", "b"});
    processor.start();
    begun.get_future().wait();
    try {
        processor.wait();
        FAIL() << "wait() did not throw";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::misuse);
    }
}

TEST_F(ProcessorTest, OnErrorMayRetry) {
    Queue queue(quick());
    put(queue, {"a", "b"});
    std::atomic<int> calls = 0;
    std::atomic<int> errors = 0;
    std::promise<void> settled;
    Processor processor(queue,
                        [&](auto, auto) {
                            if (++calls == 1)
                                return Settlement{.acked = {{.item_id = 1}, {.item_id = 1}}};
                            settled.set_value();
                            return Settlement{.rest = Rest::ack};
                        },
                        {.on_error = [&](const Error&) {
                            ++errors;
                            return OnError::retry;
                        }});
    processor.start();
    settled.get_future().wait();
    processor.stop();
    processor.wait();
    EXPECT_EQ(errors, 1);
    EXPECT_EQ(calls, 2);
}

TEST_F(ProcessorTest, WhatOnErrorThrowsEndsTheThreadsAndIsHandedOut) {
    Queue queue(quick());
    put(queue, {"a", "b"});
    Processor processor(queue,
                        [](auto, auto) {
                            return Settlement{.acked = {{.item_id = 1}, {.item_id = 1}}};  // misuse
                        },
                        {.on_error = [](const Error&) -> OnError {
                            throw std::runtime_error("on_error is lost");
                        }});
    processor.start();
    EXPECT_THROW(processor.wait(), std::runtime_error);
}

// A worker may be between its lease and its handler when stop() asks those that run.
TEST_F(ProcessorTest, StopNoneReachesAHandlerThatBeginsMeanwhile) {
    Queue queue(quick());
    std::atomic<int> unasked = 0;
    for (int round = 0; round < 60; ++round) {
        put(queue, {std::to_string(round), std::to_string(round) + "b"});
        Processor processor(queue, [&](auto, const std::stop_token& stop) {
            if (!asked_to_stop(stop, Ms{300})) ++unasked;
            return Settlement{.rest = Rest::ack};
        });
        processor.start();
        for (int i = 0; i < 100 * (round % 10); ++i) std::this_thread::yield();
        processor.stop(Drain::none);
    }
    EXPECT_EQ(unasked, 0);
}

TEST_F(ProcessorTest, WhatIsAssignedOverStopsAsIfDestroyed) {
    Queue queue(quick());
    put(queue, {"a", "b"});
    std::promise<void> begun;
    std::promise<bool> asked;
    Processor processor(queue, [&](auto, const std::stop_token& stop) {
        begun.set_value();
        asked.set_value(asked_to_stop(stop, Ms{5000}));
        return Settlement{.rest = Rest::release};
    });
    processor.start();
    begun.get_future().wait();
    processor = Processor(queue, ack);
    EXPECT_TRUE(asked.get_future().get());
    put(queue, {"c", "d"});
    EXPECT_TRUE(processor.run_once().processed);
}

TEST_F(ProcessorTest, StopInAHandlerIsRefused) {
    Queue queue(quick());
    put(queue, {"a", "b"});
    Processor* self = nullptr;
    std::promise<ErrorCode> told;
    Processor processor(queue, [&](auto, auto) {
        try {
            self->stop();
        } catch (const Error& error) {
            told.set_value(error.code());
        }
        return Settlement{.rest = Rest::ack};
    });
    self = &processor;
    processor.start();
    EXPECT_EQ(told.get_future().get(), ErrorCode::misuse);
    processor.stop(Drain::running);
    EXPECT_EQ(queue.health().items, 0);
}

TEST_F(ProcessorTest, WhatAHandlerDoesAtItsStopMayCallTheProcessor) {
    Queue queue(quick());
    put(queue, {"a", "b"});
    Processor* self = nullptr;
    std::promise<void> begun;
    std::promise<ErrorCode> told;
    Processor processor(queue, [&](auto, const std::stop_token& stop) {
        const std::stop_callback at_stop(stop, [&] {
            try {
                self->start();  // needs the lock of all that stop() needs
            } catch (const Error& error) {
                told.set_value(error.code());
            }
        });
        begun.set_value();
        while (!stop.stop_requested()) std::this_thread::yield();
        return Settlement{.rest = Rest::release};
    });
    self = &processor;
    processor.start();
    begun.get_future().wait();
    processor.stop(Drain::none);
    EXPECT_EQ(told.get_future().get(), ErrorCode::misuse);
}

// Nobody catches what a thread throws: the program would end.
TEST_F(ProcessorTest, AnExtensionThatThrowsWhateverIsLoggedAndTriedAgain) {
    class Failing final : public Clock {
      public:
        explicit Failing(std::shared_ptr<FakeClock> given) : clock(std::move(given)) {}
        Ms since_boot() const override { return clock->since_boot(); }
        WallTime wall() const override { return clock->wall(); }
        std::string boot_identity() const override {
            if (std::this_thread::get_id() != caller && ++thrown == 1) throw std::bad_alloc();
            return clock->boot_identity();
        }
        std::shared_ptr<FakeClock> clock;
        const std::thread::id caller = std::this_thread::get_id();
        mutable std::atomic<int> thrown = 0;
    };
    const auto failing = std::make_shared<Failing>(clock);
    Options all = quick();
    all.clock = failing;
    all.lease_time = Ms{60};
    Queue queue(all);
    put(queue, {"a", "b"});
    Processor processor(queue, [&](auto, auto) {
        while (failing->thrown < 2) std::this_thread::yield();  // thrown once, then asked again
        return Settlement{.rest = Rest::ack};
    });
    EXPECT_EQ(processor.run_once().settled.acked, 2);
    const std::lock_guard lock(lines_mutex);
    EXPECT_TRUE(std::ranges::any_of(lines, [](const auto& line) {
        return line.find("A lease was not extended: ") != std::string::npos;
    }));
}

TEST_F(ProcessorTest, BadOptionsAreNamed) {
    Queue queue(quick());
    EXPECT_THROW(Processor(queue, Handler{}), Error);
    EXPECT_THROW(Processor(queue, ack, {.workers = 0}), Error);
    EXPECT_THROW(Processor(queue, ack, {.handling_time_max = Ms{0}}), Error);
    Processor processor(queue, ack);
    processor.start();
    EXPECT_THROW(processor.start(), Error);
}

TEST_F(ProcessorTest, AFinishedAnswerIsKeptWhileTheFileIsBusy) {
    Options all = quick();
    all.turn_timeout = Ms{20};
    Queue queue(all);
    put(queue, {"a", "b"});
    RawDatabase foreign(dir / "queue.db");
    int calls = 0;
    Processor processor(queue, [&](auto, auto) {
        ++calls;
        foreign.exec("BEGIN IMMEDIATE");
        return Settlement{.rest = Rest::ack};
    });
    const std::jthread release([&] {
        // The first refusal is logged.
        while (!busy_was_logged()) std::this_thread::yield();
        foreign.exec("ROLLBACK");
    });
    EXPECT_EQ(processor.run_once().settled.acked, 2);
    EXPECT_EQ(calls, 1);
    expect_sound(queue);
}

}  // namespace
}  // namespace headpond::test
