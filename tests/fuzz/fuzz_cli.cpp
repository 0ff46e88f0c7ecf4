// Bytes as arguments, environment and stdin of the command line. The exit code is 0 to 3, a failure
// is one line on stderr, and with --json each line on stdout is JSON.
#include "fuzz_input.h"
#include "program.h"
#include "queue_file.h"

#include <headpond/options.h>

#include <array>
#include <chrono>
#include <csignal>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

namespace headpond::fuzz {
namespace {

constexpr std::array<std::string_view, 23> commands{
    "enqueue", "lease",   "ack",    "nack",    "release",   "split",  "extend",  "peek",
    "why",     "outcome", "cancel", "batches", "health",    "check",  "cleanup", "settings",
    "migrate", "dead",    "pause",  "resume",  "--version", "--help", ""};
constexpr std::array<std::string_view, 44> words{"--json",
                                                 "--key",
                                                 "--tag",
                                                 "--track",
                                                 "--published",
                                                 "--ndjson",
                                                 "--max",
                                                 "--when-due",
                                                 "--wait",
                                                 "--lease-seconds",
                                                 "--results",
                                                 "--error",
                                                 "--delay",
                                                 "--rest",
                                                 "--repair",
                                                 "--for",
                                                 "--reason",
                                                 "--yes",
                                                 "--after",
                                                 "--db",
                                                 "--help",
                                                 "--",
                                                 "-",
                                                 "ls",
                                                 "redrive",
                                                 "purge",
                                                 "set",
                                                 "key-1",
                                                 "k",
                                                 "0",
                                                 "1",
                                                 "2.5",
                                                 "1e3",
                                                 "-1",
                                                 "items_max",
                                                 "overflow",
                                                 "age_max",
                                                 "keep",
                                                 "results.ndjson",
                                                 "2026-11-24T08:42:57Z",
                                                 "queue.db",
                                                 "abandoned",
                                                 "--limit",
                                                 "9223372036854775807"};

// A real descriptor's place taken by a file in memory, and given back.
class Redirected {
  public:
    Redirected(int fd, std::string_view content) : fd_(fd), before_(::dup(fd)) {
        memory_ = ::memfd_create("fuzz", MFD_CLOEXEC);
        const auto written = ::write(memory_, content.data(), content.size());
        require(written == static_cast<ssize_t>(content.size()), "memfd takes everything");
        ::lseek(memory_, 0, SEEK_SET);
        ::dup2(memory_, fd);
    }
    Redirected(const Redirected&) = delete;
    Redirected& operator=(const Redirected&) = delete;
    ~Redirected() {
        if (before_ >= 0) ::dup2(before_, fd_);
        if (before_ >= 0) ::close(before_);
        ::close(memory_);
    }
    [[nodiscard]] std::string content() const {
        std::string text(static_cast<std::size_t>(::lseek(memory_, 0, SEEK_END)), '\0');
        const auto got = ::pread(memory_, text.data(), text.size(), 0);
        require(got == static_cast<ssize_t>(text.size()), "memfd gives everything back");
        return text;
    }

  private:
    int fd_;
    int before_;
    int memory_ = -1;
};

// std::cerr as a string while it lives.
class Captured {
  public:
    Captured() : before_(std::cerr.rdbuf(text_.rdbuf())) {}
    Captured(const Captured&) = delete;
    Captured& operator=(const Captured&) = delete;
    ~Captured() { std::cerr.rdbuf(before_); }
    [[nodiscard]] std::string text() const { return text_.str(); }

  private:
    std::ostringstream text_;
    std::streambuf* before_;
};

// Whatever waits for long is interrupted as by a user: SIGTERM, which is blocked all the time, so
// that only a waiting command sees it.
class Interruption {
  public:
    Interruption() {
        sigset_t wanted;
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGTERM);
        ::pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
        sigevent event{};
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = SIGTERM;
        require(::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0, "a timer");
    }
    void start() {
        constexpr long patience_ns = 50'000'000;
        set({.it_interval = {0, patience_ns}, .it_value = {0, patience_ns}});
    }
    void stop() {
        set({});
        sigset_t wanted;
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGTERM);
        const timespec now{};
        while (::sigtimedwait(&wanted, nullptr, &now) > 0) {
        }
    }

  private:
    void set(const itimerspec& when) {
        require(::timer_settime(timer_, 0, &when, nullptr) == 0, "the timer is set");
    }
    timer_t timer_{};
};

struct World {
    World() : file(lived_queue(folder, false)) {
        Queue queue(small_options(folder / "token.db"));
        file.store(folder / "queue.db");
        Queue lived(small_options(folder / "queue.db"));
        LeaseRequest request{.lease_time = Ms{3'600'000}, .detached = true};
        if (auto batch = lived.lease(request)) token = batch->token();
        lived.close();
        file = {.database = bytes_of(folder / "queue.db"),
                .log = bytes_of(folder / "queue.db-wal")};
    }
    Folder folder;
    QueueFile file;
    std::string token;  // of a lease in `file`
    Interruption interruption;
};

World& world() {
    static World one;
    return one;
}

// No argument leads out of the folder, and none holds a NUL.
std::string harmless(std::string text) {
    text.resize(std::min(text.size(), text.find('\0')));
    std::replace(text.begin(), text.end(), '/', '+');
    return text;
}

std::string argument(Input& input) {
    const std::uint8_t kind = input.byte();
    if (kind < 200) return std::string(words[kind % words.size()]);
    if (kind < 216) return world().token;
    if (kind >= 224) return harmless(input.text());
    const std::string name(input.one_of(words));
    return name + "=" + harmless(input.text());
}

// --- what must hold ------------------------------------------------------------------------------

void require_stderr(const std::string& text, int exit) {
    std::istringstream lines(text);
    int complaints = 0;
    for (std::string line; std::getline(lines, line);) {
        require_one_line(line);
        complaints += line.starts_with("headpond: ") ? 1 : 0;
    }
    require(text.empty() || text.ends_with('\n'), "stderr ends with a line's end");
    if (exit == 3) require(complaints == 1, "a failure is one line on stderr: " + text);
}

void require_json(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        require(nlohmann::json::accept(line), "--json, and this is none: " + line);
    }
}

void run_once(std::vector<std::string>& arguments, const std::string& input) {
    std::vector<char*> argv;
    for (std::string& one : arguments) argv.push_back(one.data());
    argv.push_back(nullptr);
    int exit = 0;
    std::string out;
    std::string complaint;
    {
        const Redirected in(STDIN_FILENO, input);
        const Redirected to(STDOUT_FILENO, "");
        const Captured errors;
        world().interruption.start();
        exit = cli::run(static_cast<int>(arguments.size()), argv.data());
        world().interruption.stop();
        out = to.content();
        complaint = errors.text();
    }
    require(exit >= 0 && exit <= 3, "an exit code from 0 to 3");
    require_stderr(complaint, exit);
    bool json = false;
    bool plain = false;
    for (const std::string& one : arguments) {
        json |= one == "--json";
        plain |= one == "--" || one == "--help" || one == "-h" || one == "--version";
    }
    if (json && !plain && exit != 3) require_json(out);
}

class Environment {
  public:
    explicit Environment(Input& input) {
        ::setenv("HEADPOND_DB", input.below(8) == 1 ? harmless(input.text()).c_str() : "queue.db",
                 1);
        const auto docs = option_docs();
        for (std::size_t i = 0, n = input.below(4) == 1 ? 2 : 0; i < n; ++i) {
            names_.push_back("HEADPOND_" + std::string(docs[input.below(docs.size())].variable));
            ::setenv(names_.back().c_str(), harmless(input.text()).c_str(), 1);
        }
        // Not interrupted: what they wait for is the fuzzer's time.
        for (const char* name : {"HEADPOND_TURN_TIMEOUT", "HEADPOND_ENQUEUE_TIMEOUT"}) {
            names_.emplace_back(name);
            ::setenv(name, "0.01", 1);
        }
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() {
        for (const std::string& name : names_) ::unsetenv(name.c_str());
    }

  private:
    std::vector<std::string> names_;
};

void run(Input input) {
    const Folder& folder = world().folder;
    folder.clear();
    if (input.below(8) != 1) world().file.store(folder / "queue.db");
    write_bytes(folder / "results.ndjson", R"({"key": "key-1", "result": "r"})");
    const int home = ::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    std::filesystem::current_path(folder.path());
    const Environment environment(input);
    for (std::size_t i = 0, n = 1 + input.below(3); i < n; ++i) {
        const std::string command(input.one_of(commands));
        std::vector<std::string> arguments{"headpond", command};
        for (std::size_t k = 0, count = input.below(7); k < count; ++k) {
            arguments.push_back(argument(input));
        }
        const bool last = i + 1 == n || command == "settings";
        run_once(arguments, last ? input.rest() : input.text());
        // A setting may ask for more room than a fuzzer has.
        if (command == "settings") break;
    }
    require(::fchdir(home) == 0, "the way home");
    ::close(home);
}

}  // namespace
}  // namespace headpond::fuzz

// Called before the fuzzer starts a thread: SIGTERM is blocked in all of them.
extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
    (void)headpond::fuzz::world();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    headpond::fuzz::run({bytes, count});
    return 0;
}
