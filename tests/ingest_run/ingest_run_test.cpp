// The ingest tool as a process: real feeds on real files, killed, doubled, stopped.
#include "ingest_run/ingest_run.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <set>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

namespace headpond::test {
namespace {

TEST_F(IngestRun, EveryAlertEndsAndTheCountersAgree) {
    const auto result = run(start({write_feed("one", 71)}));
    const json summary = summary_of(result);
    EXPECT_EQ(summary["alerts"], 71);
    EXPECT_EQ(summary["by_feed"], 0);
    EXPECT_EQ(summary["by_batch"].get<int>() + summary["fallback"].get<int>(), 71);
    EXPECT_GE(summary["by_batch"], 36);
    EXPECT_EQ(summary["pending"], 0);
    expect_whole(71);
    EXPECT_EQ(query("SELECT acked FROM totals"), 71);
    EXPECT_EQ(query("SELECT sum(items) FROM attempts WHERE outcome = 'acked'"), 71);
    EXPECT_NE(result.err.find("[Moonshot] Buffer health: size=0/1000, utilization=0.0%, "
                              "max_age=0.0s, failed_batches=0"),
              std::string::npos)
        << result.err;
}

TEST_F(IngestRun, ResolverNoneAbandonsEveryBatchAfterThreeAttempts) {
    auto how = start({write_feed("one", 30), "--resolver", "none"});
    how.environment["MOONSHOT_BACKOFF_BASE"] = "0.01";
    const auto result = run(how);
    const json summary = summary_of(result);
    EXPECT_EQ(summary["fallback"], 30);
    EXPECT_EQ(summary["abandoned"], 30);
    EXPECT_EQ(summary["attempts"].get<int>(), 3 * summary["batches"].get<int>());
    expect_whole(30);
    EXPECT_EQ(query("SELECT count(*) FROM (SELECT batch_id FROM attempts GROUP BY batch_id HAVING "
                    "count(*) <> 3 OR max(attempt) <> 3)"),
              0);
    EXPECT_EQ(query("SELECT count(*) FROM alerts WHERE location_confidence <> 'none'"), 0);
    EXPECT_NE(result.err.find("[Moonshot] Batch batch_1 permanently failed, cleared 25 items"),
              std::string::npos)
        << result.err;
}

TEST_F(IngestRun, ASecondRunSaysWhatItAlreadyHad) {
    const std::string feed = write_feed("one", 12);
    (void)run(start({feed}));
    const auto result = run(start({feed}));
    const json summary = summary_of(result);
    EXPECT_EQ(summary["alerts"], 12);
    EXPECT_EQ(summary["known"], 12);
    EXPECT_EQ(summary["batches"], 0);
    EXPECT_NE(result.err.find("12 alerts were known already"), std::string::npos) << result.err;
    expect_whole(12);
}

TEST_F(IngestRun, KilledAtRandomInstantsItGoesOn) {
    const std::string feed = write_feed("one", 400);
    const unsigned seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937 random(seed);
    int inside = 0;
    for (int kill = 0; kill < 10; ++kill) {
        Program program(ingest, start({feed, "--batch-items-max", "5"}));
        // A random part of what a run takes.
        poll(nullptr, 0, static_cast<int>(random() % 400));
        program.signal(SIGKILL);
        inside += program.finish().exit == 128 + SIGKILL ? 1 : 0;
    }
    const auto result = run(start({feed, "--batch-items-max", "5"}));
    (void)summary_of(result);
    EXPECT_GT(inside, 0) << "no run was killed before its end";
    expect_whole(400);
}

TEST_F(IngestRun, TwoProcessesOnOneFileMakeTheSum) {
    const std::string one = write_feed("one", 150);
    const std::string two = write_feed("two", 130);
    Program first(ingest, start({one}));
    Program second(ingest, start({two}));
    const auto a = first.finish();
    const auto b = second.finish();
    // A run also counts what it found pending, be it of a process that still runs.
    const auto own = [](const json& summary) {
        return summary["alerts"].get<int>() - summary["resumed"].get<int>();
    };
    EXPECT_EQ(own(summary_of(a)), 150);
    EXPECT_EQ(own(summary_of(b)), 130);
    EXPECT_EQ((a.err + b.err).find("locked"), std::string::npos) << a.err << b.err;
    expect_whole(280);
}

TEST_F(IngestRun, ASignalEndsItCleanlyAndTheNextRunResumes) {
    auto how = start({write_feed("one", 60), "--resolver", "none", "--attempts-max", "1000"});
    Program program(ingest, how);
    // Its first failed batch is on the way when the file has attempts.
    while (!std::filesystem::exists(database + "-wal")) sched_yield();
    while (query("SELECT count(*) FROM sqlite_schema WHERE name = 'alerts'") == 0 ||
           query("SELECT count(*) FROM attempts WHERE outcome = 'nacked'") == 0) {
        sched_yield();
    }
    program.signal(SIGTERM);
    const auto stopped = program.finish();
    EXPECT_EQ(stopped.exit, 0) << stopped.err;
    EXPECT_NE(stopped.err.find("Stopped by a signal"), std::string::npos);
    EXPECT_EQ(query("SELECT count(*) FROM batches WHERE state = 'leased'"), 0);
    EXPECT_EQ(query("SELECT count(*) FROM owners"), 0);
    auto again = start({write_feed("one", 60)});
    again.environment["MOONSHOT_BACKOFF_MAX"] = "0";
    const auto resumed = run(again);
    EXPECT_GT(summary_of(resumed)["resumed"], 0);
    expect_whole(60);
}

TEST_F(IngestRun, BadVariablesAreNamedAndNothingIsCreated) {
    const std::string feed = write_feed("one", 3);
    for (const char* name :
         {"MAX_BUFFER_SIZE", "MAX_BUFFER_AGE", "CLEANUP_INTERVAL", "MAX_RETRIES",
          "MAX_ALERT_BATCH_AGE", "LOCATION_BATCH_THRESHOLD", "BATCH_TIME_THRESHOLD_SECONDS"}) {
        for (const char* value : {"abc", "-1", "", "1e99", "NaN", "12x", "\xff"}) {
            auto how = start({feed});
            how.environment[std::string("MOONSHOT_") + name] = value;
            const auto result = run(how);
            EXPECT_EQ(result.exit, 3) << name << "=" << value;
            EXPECT_NE(result.err.find(std::string("MOONSHOT_") + name), std::string::npos);
            EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
            EXPECT_FALSE(std::filesystem::exists(database));
        }
    }
}

TEST_F(IngestRun, BadArgumentsAreNamedAndNothingIsCreated) {
    const std::string feed = write_feed("one", 3);
    for (const std::vector<std::string>& arguments :
         std::vector<std::vector<std::string>>{{"missing.xml"},
                                               {"http://user:password@a.example/feed"},
                                               {feed, "--resolver", "oracle"},
                                               {feed, "--items-max", "0"},
                                               {feed, "--age-max", "-5"},
                                               {feed, "--no-such-flag"},
                                               {feed, "--overflow", "sometimes"}}) {
        const auto result = run(start(arguments));
        EXPECT_EQ(result.exit, 3) << arguments.back();
        EXPECT_NE(result.err.find("allowed"), std::string::npos) << result.err;
        EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
        EXPECT_FALSE(std::filesystem::exists(database));
    }
}

TEST_F(IngestRun, AFeedThatIsNoneDoesNotKeepTheOthersOut) {
    const std::string html = (dir / "page.html").string();
    std::ofstream(html) << "<!doctype html><html><body>no feed</body></html>";
    const auto result = run(start({html, write_feed("one", 4)}));
    EXPECT_EQ(result.exit, 3);
    EXPECT_NE(result.err.find("page.html"), std::string::npos) << result.err;
    expect_whole(4);
}

TEST_F(IngestRun, AnEndlessFeedIsReadNoFurtherThanItsLimit) {
    auto how = start({"-", write_feed("one", 4)});
    how.stdin_path = "/dev/zero";
    const auto result = run(how);
    EXPECT_EQ(result.exit, 3);
    EXPECT_NE(result.err.find("standard input: holds more than 67108864 bytes"), std::string::npos)
        << result.err;
    expect_whole(4);
}

TEST_F(IngestRun, FeedsThatAreNoneAreNamedWithWhatIsAllowed) {
    std::vector<std::string> names;
    const auto add = [&](const std::string& name, const std::string& bytes) {
        names.push_back((dir / name).string());
        std::ofstream(names.back(), std::ios::binary) << bytes;
    };
    add("empty.xml", "");
    add("cut.xml", "<rss version='2.0'><channel><item><title>Flood in Lima");
    add("binary.xml", std::string("\x1F\x8B\x08\x00\x00", 5));
    add("laughs.xml", "<!DOCTYPE lolz [<!ENTITY a 'lol'><!ENTITY b '&a;&a;'>]><lolz>&b;</lolz>");
    names.push_back(dir.path().string());
    names.push_back(write_feed("one", 4));
    const auto result = run(start(names));
    EXPECT_EQ(result.exit, 3);
    names.pop_back();
    for (const std::string& name : names) {
        const auto at = result.err.find(name + ": ");
        ASSERT_NE(at, std::string::npos) << name << " in " << result.err;
        const std::string line = result.err.substr(at, result.err.find('\n', at) - at);
        EXPECT_NE(line.find("allowed"), std::string::npos) << line;
    }
    expect_whole(4);
}

// --- streams and limits --------------------------------------------------------------------------

TEST_F(IngestRun, AClosedStandardOutputIsToldBeforeAnythingIsCreated) {
    auto how = start({write_feed("one", 3)});
    how.closed = {1};
    const auto result = run(how);
    EXPECT_EQ(result.exit, 3);
    EXPECT_EQ(result.err, "headpond-ingest: standard output is closed; allowed: an open one\n");
    EXPECT_FALSE(std::filesystem::exists(database));
    EXPECT_FALSE(std::filesystem::exists(database + "-owners"));
    how.arguments = {"--help"};
    EXPECT_EQ(run(how).exit, 3);
}

TEST_F(IngestRun, AFullStandardOutputIsAFailureAndTheAlertsAreKept) {
    auto how = start({write_feed("one", 3)});
    how.stdout_path = "/dev/full";
    const auto result = run(how);
    EXPECT_EQ(result.exit, 3);
    EXPECT_NE(result.err.find("standard output could not be written"), std::string::npos);
    expect_whole(3);
}

TEST_F(IngestRun, AClosedStandardInputIsNamed) {
    auto how = start({"-", write_feed("one", 3)});
    how.closed = {0};
    const auto result = run(how);
    EXPECT_EQ(result.exit, 3);
    EXPECT_NE(result.err.find("standard input: cannot be read: Bad file descriptor"),
              std::string::npos)
        << result.err;
    expect_whole(3);
}

TEST_F(IngestRun, AFileOverTheLimitOfItsSizeIsAFailureAndNotASignal) {
    auto how = start({write_feed("one", 3)});
    how.arguments.insert(how.arguments.begin(),
                         {"-c", "ulimit -f 100; exec \"$0\" \"$@\"", ingest});
    const auto result = Program("/bin/sh", how).finish();
    EXPECT_EQ(result.exit, 3) << result.err;
    EXPECT_NE(result.err.find("ulimit -f"), std::string::npos) << result.err;
    (void)summary_of(run(start({write_feed("one", 3)})));
    expect_whole(3);
}

TEST_F(IngestRun, StandardInputIsAFeed) {
    EXPECT_EQ(summary_of(run(start({"-"}), feed_of("piped", 7)))["alerts"], 7);
    expect_whole(7);
}

TEST_F(IngestRun, OutputIsNdjsonOfAllAlerts) {
    const auto result =
        run(start({write_feed("one", 9), "--output", (dir / "alerts.ndjson").string()}));
    EXPECT_EQ(summary_of(result)["alerts"], 9);
    std::ifstream file(dir / "alerts.ndjson");
    std::set<std::string> uuids;
    for (std::string line; std::getline(file, line);) {
        const json alert = json::parse(line);
        uuids.insert(alert["uuid"]);
        EXPECT_EQ(alert["source_tag"], "one");
        EXPECT_EQ(alert["latitude"].is_null(), alert["location_method"] == "fallback");
    }
    EXPECT_EQ(uuids.size(), 9U);
    EXPECT_FALSE(std::filesystem::exists(dir / "alerts.ndjson.new"));
}

TEST_F(IngestRun, OutputGoesIntoAPipeAndThroughALinkAndReplacesNeither) {
    const auto pipe = dir / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const int fd = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_EQ(run(start({write_feed("one", 2), "--output", pipe.string()})).exit, 0);
    EXPECT_TRUE(std::filesystem::is_fifo(pipe));
    std::string text(65'536, ' ');
    text.resize(
        static_cast<std::size_t>(std::max<ssize_t>(::read(fd, text.data(), text.size()), 0)));
    ::close(fd);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);

    const auto link = dir / "link";
    std::filesystem::create_symlink("file", link);
    EXPECT_EQ(run(start({write_feed("one", 2), "--output", link.string()})).exit, 0);
    EXPECT_TRUE(std::filesystem::is_symlink(link));
    EXPECT_TRUE(std::filesystem::is_regular_file(dir / "file"));
}

TEST_F(IngestRun, ASmallQueueThatRefusesLosesNoAlert) {
    const auto result =
        run(start({write_feed("one", 90), "--items-max", "7", "--overflow", "refuse"}));
    const json summary = summary_of(result);
    EXPECT_EQ(summary["alerts"], 90);
    EXPECT_EQ(summary["pending"], 0);
    EXPECT_EQ(query("SELECT count(*) FROM alerts"), 90);
    EXPECT_EQ(query("SELECT count(*) FROM alerts WHERE location_reason = 'refused'"), 0);
    EXPECT_EQ(query("SELECT difference FROM ledger"), 0);
}

}  // namespace
}  // namespace headpond::test
