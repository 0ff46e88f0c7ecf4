// The tool as a process with a real server of chat completions.
#include "ingest_run/ingest_run.h"
#include "support/chat_server.h"
#include "support/raw_server.h"

#include <atomic>
#include <fstream>

#include <signal.h>
#include <sys/stat.h>

namespace headpond::test {
namespace {

constexpr const char* secret = "sk-0123456789abcdefSECRETzyxwvut";

class MoonshotRun : public IngestRun {
  protected:
    ~MoonshotRun() override {
        for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
            if (entry.path().filename() == "key") continue;
            std::ifstream file(entry.path(), std::ios::binary);
            const std::string bytes((std::istreambuf_iterator<char>(file)), {});
            EXPECT_EQ(bytes.find(secret), std::string::npos) << entry.path();
        }
    }
    ProgramOptions asking(const std::string& address, std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), {"--resolver", "moonshot"});
        ProgramOptions how = start(std::move(arguments));
        how.environment["MOONSHOT_API_KEY"] = secret;
        how.environment["MOONSHOT_BASE_URL"] = address + "/v1";
        return how;
    }
    static void expect_no_key(const ProgramResult& result) {
        EXPECT_EQ(result.err.find(secret), std::string::npos) << result.err;
        EXPECT_EQ(result.out.find(secret), std::string::npos) << result.out;
    }
    // What another process makes of the queue.
    ProgramResult cli(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"--db", database});
        return Program(HEADPOND_BUILD_DIR "/bin/headpond",
                       {.arguments = std::move(arguments), .directory = dir.path()})
            .finish();
    }
};

TEST_F(MoonshotRun, EveryAlertIsLocatedByTheService) {
    HttpServer server(answer_well);
    auto how = asking(server.address(), {write_feed("one", 30)});
    how.environment["MOONSHOT_MODEL"] = "some-model";
    const auto result = run(how);
    const json summary = summary_of(result);
    EXPECT_EQ(summary["by_batch"], 30);
    EXPECT_EQ(summary["attempts"], static_cast<int>(server.requests().size()));
    expect_whole(30);
    EXPECT_EQ(query("SELECT count(*) FROM alerts WHERE location_method = 'moonshot_batch' AND "
                    "location_confidence = 'medium' AND location_country = 'ID'"),
              30);
    for (const auto& request : server.requests()) {
        EXPECT_EQ(request.get_header_value("Authorization"), std::string("Bearer ") + secret);
        EXPECT_EQ(json::parse(request.body)["model"], "some-model");
    }
    expect_no_key(result);
}

TEST_F(MoonshotRun, TheKeyFileCountsBeforeTheVariable) {
    const std::string path = (dir / "key").string();
    std::ofstream(path) << "sk-of-the-file\r\nsecond line\n";
    ::chmod(path.c_str(), 0644);
    HttpServer server(answer_well);
    const auto result =
        run(asking(server.address(), {write_feed("one", 3), "--moonshot-key-file", path}));
    (void)summary_of(result);
    EXPECT_EQ(server.requests().at(0).get_header_value("Authorization"), "Bearer sk-of-the-file");
    EXPECT_NE(result.err.find("may be read by others"), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find("sk-of-the-file"), std::string::npos);
}

TEST_F(MoonshotRun, BadSettingsAreRefusedBeforeAnythingIsMade) {
    const std::string feed = write_feed("one", 3);
    const auto refused = [&](const char* name, const std::string& value, const std::string& text) {
        auto how = asking("http://127.0.0.1:1", {feed});
        how.environment[name] = value;
        expect_refused(how, text);
    };
    refused("MOONSHOT_API_KEY", "", "MOONSHOT_API_KEY holds no key");
    refused("MOONSHOT_API_KEY", std::string(secret) + "\n", "MOONSHOT_API_KEY holds what is no");
    refused("MOONSHOT_BASE_URL", "ftp://a", "MOONSHOT_BASE_URL is 'ftp://a'");
    refused("MOONSHOT_BASE_URL", "https://me:password@a.example/v1", "credentials");
    refused("MOONSHOT_BASE_URL", "", "MOONSHOT_BASE_URL is ''");
    refused("MOONSHOT_MODEL", "a b", "MOONSHOT_MODEL is 'a b'");
    refused("MOONSHOT_CALL_TIMEOUT", "-1", "MOONSHOT_CALL_TIMEOUT is '-1'");
    refused("MOONSHOT_CONNECT_TIMEOUT", "soon", "MOONSHOT_CONNECT_TIMEOUT is 'soon'");
    expect_refused(start({feed, "--workers", "0"}), "--workers is '0'");
    expect_refused(start({feed, "--workers", "many"}), "--workers is 'many'");
    expect_refused(start({feed, "--resolver", "moonshot"}), "--resolver moonshot has no key");
    expect_refused(start({feed, "--resolver", "moonshot", "--moonshot-key-file", "missing"}),
                   "--moonshot-key-file 'missing'");
    expect_refused(start({feed, "--resolver", "moonshot", "--moonshot-key-file", "."}),
                   "Is a directory");
    expect_refused(start({feed, "--resolver", "moonshot", "--moonshot-key-file", "/dev/zero"}),
                   "holds what is no key");
}

TEST_F(MoonshotRun, AnAddressWithoutEncryptionIsWarnedOf) {
    auto how = asking("HTTP://service.example", {"--moonshot-key-file", "missing"});
    const auto result = run(how);
    EXPECT_EQ(result.exit, 3);
    EXPECT_NE(result.err.find("MOONSHOT_BASE_URL is not https"), std::string::npos) << result.err;
}

TEST_F(MoonshotRun, AWrongKeyLeavesTheAlertsPendingAndIsSeenByOthers) {
    HttpServer server([](const httplib::Request&, httplib::Response& response) {
        answer_error(response, 401, "invalid_authentication_error",
                     std::string("Incorrect API key ") + secret);
    });
    const auto result = run(asking(server.address(), {write_feed("one", 12)}));
    const json summary = summary_of(result);
    EXPECT_EQ(summary["pending"], 12);
    EXPECT_EQ(server.requests().size(), 1);
    EXPECT_EQ(query("SELECT attempts FROM totals"), 0);
    EXPECT_EQ(query("SELECT count(*) FROM gate WHERE state = 'closed' AND until IS NULL"), 1);
    EXPECT_NE(result.err.find("invalid_authentication_error"), std::string::npos);
    expect_no_key(result);
    EXPECT_EQ(cli({"lease"}).exit, 1);
    EXPECT_NE(cli({"health"}).out.find("invalid_auth"), std::string::npos) << cli({"health"}).out;
    // Mended: the operator opens the gate, and the next run goes on.
    EXPECT_EQ(cli({"resume"}).exit, 0);
    HttpServer good(answer_well);
    const json after = summary_of(run(asking(good.address(), {write_feed("one", 12)})));
    EXPECT_EQ(after["by_batch"], 12);
    expect_whole(12);
}

TEST_F(MoonshotRun, AnOutageTripsTheBreakerAndRecoveryCostsNoAttempts) {
    std::atomic<int> asked{0};
    std::atomic<bool> up{false};
    HttpServer server([&](const httplib::Request& request, httplib::Response& response) {
        ++asked;
        if (up) {
            answer_well(request, response);
        } else {
            response.status = 500;
        }
    });
    auto how = asking(server.address(), {write_feed("one", 60)});
    how.environment["MOONSHOT_BREAKER_FAILURES"] = "3";
    how.environment["MOONSHOT_BREAKER_CLOSED"] = "1";
    how.environment["MOONSHOT_RELEASE_DELAY_MIN"] = "0.01";
    how.environment["MOONSHOT_BACKOFF_BASE"] = "0.01";
    how.environment["MOONSHOT_BATCH_ITEMS_MAX"] = "10";
    Program program(ingest, how);
    while (asked < 3) std::this_thread::yield();
    while (query("SELECT count(*) FROM gate WHERE state = 'closed'") == 0) {
        std::this_thread::yield();
    }
    EXPECT_EQ(cli({"lease"}).exit, 1);
    while (asked < 4) std::this_thread::yield();  // the one trial, in vain
    up = true;
    const auto result = program.finish();
    EXPECT_EQ(summary_of(result)["by_batch"], 60);
    expect_whole(60);
    EXPECT_EQ(query("SELECT attempts FROM totals"), 6);
    EXPECT_EQ(query("SELECT count(*) FROM gate WHERE state = 'open'"), 1);
    EXPECT_EQ(query("SELECT count(*) FROM attempts WHERE outcome = 'released'"), 4);
}

TEST_F(MoonshotRun, WorkersAskAtTheSameTime) {
    std::atomic<int> inside{0};
    std::atomic<bool> together{false};
    HttpServer server([&](const httplib::Request& request, httplib::Response& response) {
        together = ++inside >= 3 || together;
        while (!together) std::this_thread::yield();
        --inside;
        answer_well(request, response);
    });
    const auto result = run(asking(server.address(), {write_feed("one", 100), "--workers", "3"}));
    const json summary = summary_of(result);
    EXPECT_EQ(summary["by_batch"], 100);
    EXPECT_EQ(summary["attempts"], 4);
    EXPECT_EQ(summary["batches"], 4);
    expect_whole(100);
}

TEST_F(MoonshotRun, ASlowServiceHoldsUpNoFeedThatIsFollowed) {
    std::atomic<bool> released{false};
    HttpServer server([&](const httplib::Request& request, httplib::Response& response) {
        while (!released) std::this_thread::yield();
        answer_well(request, response);
    });
    const std::string feed = write_feed("one", 30);
    Program program(ingest, asking(server.address(), {feed, "--follow", "1"}));
    while (server.requests().empty()) std::this_thread::yield();
    (void)write_feed("one", 60);
    // Stored while the first call still waits.
    while (query("SELECT count(*) FROM alerts") < 60) std::this_thread::yield();
    EXPECT_EQ(server.requests().size(), 1);
    released = true;
    while (query("SELECT count(*) FROM alerts WHERE location_method = 'moonshot_batch'") < 50) {
        std::this_thread::yield();
    }
    program.signal(SIGTERM);
    const json summary = summary_of(program.finish());
    EXPECT_EQ(summary["alerts"], 60);
    EXPECT_EQ(query("SELECT difference FROM ledger"), 0);
}

TEST_F(MoonshotRun, ASignalCutsACallThatNeverEnds) {
    const RawServer silent("", RawServer::Then::hold);
    Program program(ingest, asking(silent.address(), {write_feed("one", 12)}));
    while (silent.connections() == 0) std::this_thread::yield();
    program.signal(SIGTERM);
    const auto result = program.finish();
    const json summary = summary_of(result);
    EXPECT_EQ(summary["pending"], 12);
    EXPECT_LT(summary["seconds"], 30);
    EXPECT_EQ(query("SELECT attempts FROM totals"), 0);
    EXPECT_EQ(query("SELECT count(*) FROM attempts WHERE outcome = 'released'"), 1);
    EXPECT_EQ(query("SELECT difference FROM ledger"), 0);
}

}  // namespace
}  // namespace headpond::test
