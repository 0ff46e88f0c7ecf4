// What a forked child has of its parent's queues: nothing, and it may drop them.
#include "platform/side_file.h"
#include "support/queue_fixture.h"
#include "support/watched_clock.h"

#include <array>
#include <atomic>
#include <string_view>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace headpond::test {
namespace {

using namespace std::chrono_literals;

class ForkTest : public QueueTest {
  protected:
    // The exit code of a child that does this; -1 when it hung. Nothing that needs a lock of
    // another thread may happen in it.
    template <class Fn>
    int child(Fn fn) {
        const pid_t pid = fork();
        if (pid == 0) _exit(fn());
        const auto until = std::chrono::steady_clock::now() + 10s;
        for (int status = 0;;) {
            if (waitpid(pid, &status, WNOHANG) == pid) return WEXITSTATUS(status);
            if (std::chrono::steady_clock::now() > until) {
                kill(pid, SIGKILL);
                waitpid(pid, &status, 0);
                return -1;
            }
            std::this_thread::yield();
        }
    }
    static int side_files_open() {
        int open = 0;
        for (int fd = 3; fd < 64; ++fd) {
            const std::string link = "/proc/self/fd/" + std::to_string(fd);
            std::array<char, 512> target{};
            const auto length = readlink(link.c_str(), target.data(), target.size());
            if (length <= 0) continue;
            const std::string_view name(target.data(), static_cast<std::size_t>(length));
            open += name.ends_with("-owners") ? 1 : 0;
        }
        return open;
    }
};

// With a descriptor the child would have the locks that its parent takes, for as long as it lives.
TEST_F(ForkTest, NoChildKeepsASideFileThatAnotherThreadWasOpening) {
    std::atomic<bool> stop = false;
    std::jthread opener([&] {
        const std::string path = (dir / "queue.db").string();
        while (!stop) const platform::SideFile side(path, 0600, getuid(), getgid());
    });
    int kept = 0;
    for (int i = 0; i < 300; ++i) kept += child(side_files_open);
    stop = true;
    EXPECT_EQ(kept, 0);
}

TEST_F(ForkTest, AChildMayCloseAndDropWhatItsParentWaitsOn) {
    Queue queue(options());
    const auto watched = std::make_shared<WatchedClock>(clock);
    Options waited_on = options();
    waited_on.clock = watched;
    auto* held = new Queue(waited_on);  // dropped in the child alone, and here below
    std::vector<std::jthread> waiters;
    for (int i = 0; i < 3; ++i) {
        waiters.emplace_back(
            [&](const std::stop_token& stop) { (void)held->lease({.wait = Ms{30'000}}, stop); });
    }
    watched->wait_for_looks(3);  // all have found nothing
    const auto drop = [&] {
        queue.close();
        delete held;
        return 7;
    };
    // Between their looks they wait: in most of these forks all do.
    for (int i = 0; i < 20; ++i) ASSERT_EQ(child(drop), 7);
    for (auto& waiter : waiters) waiter.request_stop();
    waiters.clear();
    delete held;
    put(queue, {"a"});
    expect_sound(queue);
}

TEST_F(ForkTest, AChildMayDropAProcessorThatRunsInItsParent) {
    Queue queue(options());
    auto* processor = new Processor(queue, [](auto, auto) { return Settlement{.rest = Rest::ack}; },
                                    {.workers = 2});
    processor->start();
    EXPECT_EQ(child([&] {
                  delete processor;
                  return 7;
              }),
              7);
    put(queue, {"a"});
    processor->stop(Drain::everything);
    EXPECT_EQ(queue.health().items, 0);
    delete processor;
}

}  // namespace
}  // namespace headpond::test
