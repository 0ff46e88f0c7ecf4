// What a forked child has of its parent's queues: nothing, and it may drop them.
#include "platform/side_file.h"
#include "support/queue_fixture.h"

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
            std::this_thread::sleep_for(1ms);
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
    auto* held = new Queue(options());  // dropped in the child alone, and here below
    std::vector<std::jthread> waiters;
    for (int i = 0; i < 2; ++i) {
        waiters.emplace_back(
            [&](const std::stop_token& stop) { (void)held->lease({.wait = Ms{30'000}}, stop); });
    }
    std::this_thread::sleep_for(100ms);  // both wait by now, or the test only shows less
    EXPECT_EQ(child([&] {
                  queue.close();
                  delete held;
                  return 7;
              }),
              7);
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
