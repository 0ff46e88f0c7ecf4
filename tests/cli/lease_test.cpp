#include "support/cli_fixture.h"

#include <array>

#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace headpond::test {
namespace {

using Lease = CliTest;

TEST_F(Lease, JsonHasExactlyTheContractsFields) {
    put({"a", "b"});
    expect_ok({"enqueue", "--key", "c", "--tag", "wire"}, "\xff\xfe");
    const json batch = cli_json({"lease", "--max", "3"});
    const auto fields = [](const json& object) {
        std::set<std::string> names;
        for (const auto& [name, value] : object.items()) names.insert(name);
        return names;
    };
    EXPECT_EQ(fields(batch), (std::set<std::string>{"batch", "token", "attempt", "attempts_max",
                                                    "expires_at", "items"}));
    EXPECT_EQ(batch["batch"], 1);
    EXPECT_EQ(batch["attempt"], 1);
    EXPECT_EQ(batch["attempts_max"], 3);
    ASSERT_EQ(batch["items"].size(), 3U);
    EXPECT_EQ(fields(batch["items"][0]),
              (std::set<std::string>{"id", "key", "tag", "payload", "enqueued_at"}));
    EXPECT_EQ(batch["items"][1]["payload"], "payload of b");
    EXPECT_EQ(fields(batch["items"][2]),
              (std::set<std::string>{"id", "key", "tag", "payload_base64", "enqueued_at"}));
    EXPECT_EQ(batch["items"][2]["payload_base64"], "//4=");
    for (const std::string time : {batch["expires_at"], batch["items"][0]["enqueued_at"]}) {
        EXPECT_EQ(time.size(), std::string("2026-11-24T08:42:57.250Z").size());
        EXPECT_EQ(time.back(), 'Z');
        EXPECT_EQ(time[19], '.');
    }
}

TEST_F(Lease, TextHasTheTokenFirst) {
    put({"a"});
    const auto result = cli({"lease"});
    EXPECT_EQ(result.exit, 0);
    EXPECT_TRUE(result.out.starts_with("token    1-")) << result.out;
    EXPECT_NE(result.out.find("payload of a"), std::string::npos);
}

TEST_F(Lease, IsDetachedSoThatTheEndOfTheProgramChangesNothing) {
    put({"a"});
    const std::string token = lease();
    const json batches = cli_json({"batches"});
    ASSERT_EQ(batches.size(), 1U);
    EXPECT_EQ(batches[0]["state"], "leased");
    EXPECT_EQ(batches[0]["owner"], "detached");
    EXPECT_EQ(cli({"ack", token}).exit, 0);
}

TEST_F(Lease, NothingToLeaseSaysWhy) {
    put({"a", "b"});
    const auto reason = [&](std::vector<std::string> more) {
        more.insert(more.begin(), "lease");
        const json answer = cli_json(std::move(more), 1);
        EXPECT_EQ(answer["batch"], nullptr);
        return answer["reason"].get<std::string>();
    };
    EXPECT_EQ(reason({"--when-due"}), "2 ready but not due");
    expect_ok({"pause", "--reason", "quota"});
    EXPECT_EQ(reason({}), "the gate is closed until it is reopened (quota)");
    expect_ok({"pause", "--for", "3600"});
    EXPECT_TRUE(reason({}).starts_with("the gate is closed until 2"));
    expect_ok({"resume"});
    expect_ok({"nack", lease({"--max", "1"}), "--error", "x", "--delay", "3600"});
    const std::string token = lease();
    EXPECT_EQ(reason({}), "1 waiting for their retry, 1 leased");
    expect_ok({"ack", token});
    expect_ok({"cancel", "a"});
    EXPECT_EQ(reason({}), "the queue is empty");
    const auto text = cli({"lease"});
    EXPECT_EQ(text.exit, 1);
    EXPECT_EQ(text.out, "");
    EXPECT_EQ(text.err, "headpond: nothing to lease: the queue is empty\n");
}

TEST_F(Lease, WhenDueTakesWhatIsDue) {
    put({"a", "b"});
    expect_ok({"settings", "set", "batch_items_due", "2"});
    EXPECT_EQ(cli_json({"lease", "--when-due"})["items"].size(), 2U);
}

TEST_F(Lease, LeaseSecondsAndTheVariableSetTheLapse) {
    put({"a", "b"});
    environment["HEADPOND_LEASE_TIME"] = "0.001";
    lease({"--max", "1", "--lease-seconds", "3600"});
    lease({"--max", "1"});
    const json batches = cli_json({"batches"});
    ASSERT_EQ(batches.size(), 2U);
    EXPECT_EQ(batches[0]["why"], "lease running") << "the option counts before the variable";
    EXPECT_EQ(batches[1]["why"], "lease overdue");
}

TEST_F(Lease, WaitReturnsWithAnItemThatComesMeanwhile) {
    put({"seed"});
    expect_ok({"ack", lease()});
    Program waiting(HEADPOND_PROGRAM,
                    options(with_database({"lease", "--wait", "3600", "--json"})));
    put({"late"});
    EXPECT_EQ(json::parse(waiting.read_line())["items"][0]["key"], "late");
    EXPECT_EQ(waiting.finish().exit, 0);
}

// Returns when a program has registered in the file, which it does before it leases. The log's last
// write comes before the commit can be seen: hence the backstop beside the event.
void await_owner(const std::filesystem::path& database, int watch) {
    RawDatabase raw(database);
    while (raw.integer("SELECT count(*) FROM owners") == 0) {
        constexpr int backstop_ms = 50;
        pollfd one{.fd = watch, .events = POLLIN, .revents = 0};
        if (::poll(&one, 1, backstop_ms) <= 0) continue;
        std::array<char, 4096> events{};
        if (::read(watch, events.data(), events.size()) < 0) throw std::runtime_error("inotify");
    }
}

class LeaseInterrupt : public CliTest, public ::testing::WithParamInterface<int> {};

TEST_P(LeaseInterrupt, EndsTheWaitWithNothingLeased) {
    put({"seed"});
    expect_ok({"ack", lease()});
    const int watch = inotify_init1(IN_CLOEXEC);
    ASSERT_GE(inotify_add_watch(watch, (database.string() + "-wal").c_str(), IN_MODIFY), 0);
    Program waiting(HEADPOND_PROGRAM,
                    options(with_database({"lease", "--wait", "3600", "--json"})));
    await_owner(database, watch);
    ::close(watch);
    waiting.signal(GetParam());
    const auto result = waiting.finish();
    EXPECT_EQ(result.exit, 1);
    EXPECT_EQ(json::parse(result.out)["batch"], nullptr);
    EXPECT_EQ(result.err, "headpond: nothing to lease: interrupted\n");
    put({"later"});
    EXPECT_EQ(cli_json({"peek"})[0]["state"], "ready");
}

INSTANTIATE_TEST_SUITE_P(Signals, LeaseInterrupt, ::testing::Values(SIGINT, SIGTERM));

TEST_F(Lease, ABatchThatCouldNotBePrintedIsGivenBack) {
    put({"a"});
    without_delays();
    auto full = options(with_database({"lease", "--json"}));
    full.stdout_path = "/dev/full";
    const auto result = Program(HEADPOND_PROGRAM, full).finish();
    EXPECT_EQ(result.exit, 3);
    EXPECT_EQ(result.err, "headpond: stdout: No space left on device\n");
    const json batch = cli_json({"lease"});
    EXPECT_EQ(batch["attempt"], 1) << "the attempt was refunded";
}

}  // namespace
}  // namespace headpond::test
