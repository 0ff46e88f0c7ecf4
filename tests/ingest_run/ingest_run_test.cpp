// The ingest tool as a process: real feeds on real files, killed, doubled, stopped.
#include "support/program.h"
#include "support/temp_dir.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>

namespace headpond::test {
namespace {

using nlohmann::json;

// A feed of `count` alerts; half of them name a city, half name none.
std::string feed_of(const std::string& title, int count) {
    const std::vector<std::string> cities{"Jakarta", "Nairobi", "Lima", "Manila", "Oslo", "Perth"};
    std::string xml =
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>" + title + "</title>";
    for (int i = 0; i < count; ++i) {
        const auto& city = cities[static_cast<std::size_t>(i) % cities.size()];
        const std::string text = i % 2 == 0 ? "Flood in " + city : "Prices rise again";
        xml += "<item><title>" + text + " (" + std::to_string(i) +
               ")</title><link>http://a.example/" + title + "/" + std::to_string(i) +
               "</link></item>";
    }
    return xml + "</channel></rss>";
}

class IngestRun : public ::testing::Test {
  protected:
    IngestRun() : database((dir / "run.db").string()) {}

    std::string write_feed(const std::string& title, int count) {
        const std::string path = (dir / (title + ".xml")).string();
        std::ofstream(path) << feed_of(title, count);
        return path;
    }
    ProgramOptions start(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(),
                         {"--json", "--db", database, "--durability", "process_crash"});
        return {.arguments = std::move(arguments), .directory = dir.path()};
    }
    static ProgramResult run(const ProgramOptions& how, const std::string& input = {}) {
        return Program(ingest, how).finish(input);
    }
    static json summary_of(const ProgramResult& result) {
        EXPECT_EQ(result.exit, 0) << result.err;
        const auto end = result.out.find_last_not_of('\n');
        const auto begin = result.out.rfind('\n', end);
        return json::parse(result.out.substr(begin == std::string::npos ? 0 : begin + 1));
    }
    // The first column of the first row.
    long long query(const std::string& sql) {
        sqlite3* handle = nullptr;
        EXPECT_EQ(sqlite3_open_v2(database.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr),
                  SQLITE_OK);
        sqlite3_busy_timeout(handle, 5000);  // the tool may be making the file at this moment
        sqlite3_stmt* statement = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
            << sqlite3_errmsg(handle);
        EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW) << sql;
        const long long value = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        sqlite3_close(handle);
        return value;
    }
    void expect_whole(long long alerts) {
        EXPECT_EQ(query("SELECT count(*) FROM alerts"), alerts);
        EXPECT_EQ(query("SELECT count(*) FROM alerts WHERE location_method = 'batch_pending'"), 0);
        EXPECT_EQ(query("SELECT difference FROM ledger"), 0);
        EXPECT_EQ(query("SELECT count(*) FROM range_faults"), 0);
        EXPECT_EQ(query("SELECT edited FROM totals"), 0);
        EXPECT_EQ(query("SELECT enqueued FROM totals"), alerts);
        EXPECT_EQ(query("SELECT count(*) FROM outcomes"), 0);
    }

    static constexpr const char* ingest = HEADPOND_BUILD_DIR "/bin/headpond-ingest";
    TempDir dir;
    std::string database;
};

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
                                               {"http://a.example/feed"},
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
