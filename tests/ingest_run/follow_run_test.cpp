// A run that reads its feeds again and again, until a signal.
#include "ingest_run/feeds_run.h"
#include "support/raw_server.h"

#include <signal.h>

namespace headpond::test {
namespace {

class FollowRun : public FeedsRun {
  protected:
    // Batches are due at once, so that alerts end while it runs.
    ProgramOptions follow(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), {"--follow", "1", "--batch-items-due", "1"});
        return start_with_err(std::move(arguments));
    }
    void wait_for_alerts(long long count) {
        wait_until([&] {
            return query("SELECT count(*) FROM sqlite_schema WHERE name = 'alerts'") == 1 &&
                   query("SELECT count(*) FROM alerts WHERE location_method <> 'batch_pending'") ==
                       count;
        });
    }
    json stop(Program& program, int number = SIGTERM) {
        program.signal(number);
        const auto result = program.finish();
        EXPECT_EQ(count_of("Stopped by a signal", err_so_far()), 1) << err_so_far();
        EXPECT_EQ(query("SELECT difference FROM ledger"), 0);
        EXPECT_EQ(query("SELECT count(*) FROM owners"), 0);
        return summary_of(result);
    }
};

TEST_F(FollowRun, NewAlertsAreTakenWhileItRunsAndASignalEndsItWhole) {
    FeedServer server;
    server.set("/feed", {.body = feed_of("one", 12), .etag = "\"v1\""});
    const std::string file = write_feed("file", 3);
    Program program("/bin/sh", follow({server.address("/feed"), file}));
    wait_until([&] { return server.count("/feed") > 0; });
    wait_for_alerts(15);
    wait_until([&] { return server.count("/feed") > 1; });
    server.set("/feed", {.body = feed_of("one", 14), .etag = "\"v2\""});
    wait_for_alerts(17);
    write_feed("file", 5);
    wait_for_alerts(19);
    const json summary = stop(program);
    EXPECT_EQ(summary["alerts"], 19);
    EXPECT_EQ(summary["pending"], 0);
    const auto requests = server.requests();
    EXPECT_FALSE(requests[0].has_header("If-None-Match"));
    EXPECT_EQ(requests[1].get_header_value("If-None-Match"), "\"v1\"");
    expect_whole(19);
}

TEST_F(FollowRun, AServerThatIsDownAndComesBackIsToldTwice) {
    FeedServer server;
    const std::string url = server.address("/feed");
    Program program("/bin/sh", follow({url}));
    wait_until([&] { return server.count("/feed") >= 2; });
    server.set("/feed", {.body = feed_of("one", 4)});
    wait_for_alerts(4);
    const auto asked = server.count("/feed");
    wait_until([&] { return server.count("/feed") >= asked + 2; });
    EXPECT_EQ(stop(program, SIGINT)["alerts"], 4);
    EXPECT_EQ(count_of(url + ": answered 404", err_so_far()), 1) << err_so_far();
    EXPECT_EQ(count_of(url + " works again after ", err_so_far()), 1) << err_so_far();
    expect_whole(4);
}

TEST_F(FollowRun, ARestartGoesOnWithTheBackoff) {
    FeedServer server;
    const std::string failing = server.address("/failing");
    server.set("/good", {.body = feed_of("one", 4)});
    const auto run_while = [&](const std::function<bool()>& condition) {
        Program program("/bin/sh", follow({failing, server.address("/good")}));
        wait_until([&] { return !condition(); });
        program.signal(SIGTERM);
        EXPECT_EQ(program.finish().exit, 0) << err_so_far();
    };
    run_while([&] {
        return server.count("/failing") == 0 || server.count("/good") < 2 ||
               query("SELECT max(failures) FROM feeds") < 1;
    });
    execute("UPDATE feeds SET failures = 9, next_at = checked_at + 3600000 WHERE failures > 0");
    const auto failed = server.count("/failing");
    const auto asked = server.count("/good");
    run_while([&] { return server.count("/good") < asked + 2; });
    EXPECT_EQ(server.count("/failing"), failed);
    EXPECT_EQ(feed_column("failures", failing), "9");
    execute("UPDATE feeds SET next_at = 0 WHERE failures > 0");
    run_while([&] { return query("SELECT max(failures) FROM feeds") < 10; });
    EXPECT_EQ(server.count("/failing"), failed + 1);
    // 1024 s, less at most half of it.
    EXPECT_EQ(feed_column("next_at - checked_at BETWEEN 511000 AND 1025000", failing), "1");
}

TEST_F(FollowRun, WhatAHostAsksForHoldsForAllItsFeedsAndAfterARestart) {
    FeedServer server;
    server.set("/1", {.body = "", .status = 429, .headers = {{"Retry-After", "3600"}}});
    server.set("/2", {.body = feed_of("two", 4)});
    for (int run = 0; run < 2; ++run) {
        Program program("/bin/sh", follow({server.address("/1"), server.address("/2"),
                                           write_feed("file", 1 + run)}));
        if (run == 0) wait_until([&] { return server.count("/1") > 0; });
        wait_for_alerts(1 + run);
        wait_until([&] { return query("SELECT min(next_at - checked_at > 0) FROM feeds") == 1; });
        program.signal(SIGTERM);
        EXPECT_EQ(program.finish().exit, 0) << err_so_far();
    }
    EXPECT_EQ(server.requests().size(), 1U);
    EXPECT_EQ(feed_column("last_error", server.address("/2")), "its host asked for a pause");
}

TEST_F(FollowRun, AlertsWithoutRoomComeInWhenThereIsSomeAndAreToldOnce) {
    FeedServer server;
    server.set("/feed", {.body = feed_of("one", 1)});
    (void)summary_of(run(start({server.address("/feed")})));
    execute("UPDATE gate SET state = 'closed', until = NULL, reason = 'x', changed_by = 'ops'");
    server.set("/feed", {.body = feed_of("one", 21), .etag = "\"v2\""});
    Program program("/bin/sh",
                    follow({server.address("/feed"), "--items-max", "7", "--overflow", "refuse"}));
    wait_until([&] { return server.count("/feed") >= 4; });
    EXPECT_EQ(count_of(" alerts of " + server.address("/feed") + " are not taken", err_so_far()), 1)
        << err_so_far();
    execute("UPDATE gate SET state = 'open', until = NULL, reason = NULL, changed_by = 'ops'");
    wait_for_alerts(21);
    wait_until([&] { return err_so_far().find(" are taken again") != std::string::npos; });
    for (const auto& request : server.requests()) {
        if (request.has_header("If-None-Match")) {
            EXPECT_EQ(query("SELECT count(*) FROM alerts"), 21);
        }
    }
    (void)stop(program);
    EXPECT_EQ(count_of(" are taken again", err_so_far()), 1) << err_so_far();
    expect_whole(21);
}

TEST_F(FollowRun, ADatabaseThatIsBusyForAWhileEndsNothing) {
    FeedServer server;
    server.set("/feed", {.body = feed_of("one", 4), .etag = "\"v1\""});
    Program program("/bin/sh", follow({server.address("/feed"), "--turn-timeout", "0.1"}));
    wait_until([&] { return server.count("/feed") > 0; });
    wait_for_alerts(4);
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open_v2(database.c_str(), &other, SQLITE_OPEN_READWRITE, nullptr), SQLITE_OK);
    sqlite3_busy_timeout(other, 5000);
    ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    server.set("/feed", {.body = feed_of("one", 9), .etag = "\"v2\""});
    wait_until([&] { return count_of(" error ", err_so_far()) == 1; });
    const auto asked = server.count("/feed");
    wait_until([&] { return server.count("/feed") > asked; });
    EXPECT_EQ(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(other);
    wait_for_alerts(9);
    wait_until([&] { return err_so_far().find("The database works again") != std::string::npos; });
    (void)stop(program);
    EXPECT_EQ(count_of(" error ", err_so_far()), 1) << err_so_far();
    expect_whole(9);
}

TEST_F(FollowRun, ASignalDoesNotWaitForARequestNorForWhatIsNotDue) {
    const RawServer silent("", RawServer::Then::hold);
    FeedServer server;
    server.set("/feed", {.body = feed_of("one", 4)});
    auto how = start_with_err({silent.address("/"), server.address("/feed"), "--follow", "60"});
    Program program("/bin/sh", how);
    wait_until([&] { return silent.connections() > 0 && server.count("/feed") > 0; });
    wait_until([&] { return query("SELECT count(*) FROM alerts") == 4; });
    const json summary = stop(program);
    EXPECT_EQ(summary["pending"], 4);
    EXPECT_LT(summary["seconds"], 25);  // a request may take 30, the batch lingers for 300
    (void)summary_of(run(start({write_feed("one", 4)})));
    expect_whole(4);
}

TEST_F(FollowRun, AFileThatIsGoneForAWhileIsReadWhenItIsBack) {
    const std::string file = write_feed("one", 4);
    Program program("/bin/sh", follow({file}));
    wait_until([&] { return std::filesystem::exists(database); });
    wait_for_alerts(4);
    std::filesystem::remove(file);
    wait_until([&] { return count_of(file + ": cannot be read", err_so_far()) == 1; });
    write_feed("one", 6);
    wait_for_alerts(6);
    (void)stop(program);
    EXPECT_EQ(count_of(file + ": cannot be read", err_so_far()), 1) << err_so_far();
    EXPECT_EQ(count_of(file + " works again after ", err_so_far()), 1) << err_so_far();
    expect_whole(6);
}

}  // namespace
}  // namespace headpond::test
