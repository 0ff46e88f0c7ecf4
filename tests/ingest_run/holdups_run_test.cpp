// What the ingest tool does, and says, when it cannot go on: a signal, a gate, no room.
#include "ingest_run/ingest_run.h"

#include <iterator>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

namespace headpond::test {
namespace {

class HoldupsRun : public IngestRun {
  protected:
    // A file with the queue and one settled alert.
    void make_file() { (void)summary_of(run(start({write_feed("first", 1)}))); }

    std::string err_so_far() const {
        std::ifstream file(dir / "err");
        return {std::istreambuf_iterator<char>(file), {}};
    }
    // Its stderr goes to a file, which can be read while it runs.
    ProgramOptions start_with_err(const std::vector<std::string>& arguments) {
        auto how = start(arguments);
        how.arguments.insert(how.arguments.begin(),
                             {"-c", "exec \"$0\" \"$@\" 2>err", std::string(ingest)});
        return how;
    }
    static constexpr const char* close_for_good =
        "UPDATE gate SET state = 'closed', until = NULL, reason = 'quota', changed_by = 'ops'";
    static constexpr const char* close_for_an_hour =
        "UPDATE gate SET state = 'closed', until = 3600000 + CAST((julianday('now') - 2440587.5) * "
        "86400000 AS INTEGER), reason = 'rate' || char(10) || 'limit', changed_by = 'ops'";
    static constexpr const char* open_gate =
        "UPDATE gate SET state = 'open', until = NULL, reason = NULL, changed_by = 'ops'";
};

TEST_F(HoldupsRun, ASignalEndsTheReadingOfAnOpenPipe) {
    for (const int number : {SIGTERM, SIGINT}) {
        const auto pipe = dir / ("pipe" + std::to_string(number));
        ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
        const int held = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
        auto how = start({write_feed("one", 4), "-"});
        how.stdin_path = pipe;
        Program program(ingest, how);
        // More than a pipe holds: when it is written, the program reads.
        const std::string part = "<rss version='2.0'><channel><title>cut</title><item><title>" +
                                 std::string(300'000, 'x');
        EXPECT_EQ(::write(held, part.data(), part.size()), static_cast<ssize_t>(part.size()));
        program.signal(number);
        const auto result = program.finish();
        ::close(held);
        EXPECT_EQ(summary_of(result)["alerts"], 4);
        EXPECT_NE(result.err.find("Stopped by a signal"), std::string::npos) << result.err;
        EXPECT_EQ(result.err.find("standard input"), std::string::npos) << result.err;
        EXPECT_EQ(query("SELECT count(*) FROM owners"), 0);
    }
    (void)summary_of(run(start({write_feed("one", 4)})));
    expect_whole(4);
}

TEST_F(HoldupsRun, AGateThatIsClosedForGoodEndsTheRunWithALine) {
    make_file();
    execute(close_for_good);
    const auto result = run(start({write_feed("one", 4)}));
    EXPECT_EQ(summary_of(result)["pending"], 4);
    EXPECT_EQ(count_of("4 pending alerts wait: the gate is closed until it is reopened by ops: "
                       "quota\n",
                       result.err),
              1)
        << result.err;
    EXPECT_EQ(count_of("the gate is closed", result.err), 1) << result.err;
    execute(open_gate);
    (void)summary_of(run(start({write_feed("one", 4)})));
    expect_whole(5);
}

TEST_F(HoldupsRun, AGateThatReopensIsWaitedForWithALine) {
    make_file();
    execute(close_for_an_hour);
    Program program("/bin/sh", start_with_err({write_feed("one", 4)}));
    while (err_so_far().find("4 pending alerts wait: the gate is closed until 2") ==
           std::string::npos) {
        sched_yield();
    }
    execute(open_gate);
    EXPECT_EQ(summary_of(program.finish())["pending"], 0);
    EXPECT_EQ(count_of("Z by ops: rate?limit\n", err_so_far()), 1) << err_so_far();
    EXPECT_EQ(count_of("the gate is closed", err_so_far()), 1) << err_so_far();
    expect_whole(5);
}

TEST_F(HoldupsRun, AQueueThatStaysFullLeavesTheRestToTheNextRun) {
    make_file();
    execute(close_for_good);
    const auto result =
        run(start({write_feed("one", 20), "--items-max", "7", "--overflow", "refuse"}));
    EXPECT_EQ(result.exit, 3);
    EXPECT_EQ(count_of("The queue is full, and nothing in it may be processed: 13 alerts of ",
                       result.err),
              1)
        << result.err;
    EXPECT_EQ(count_of("the gate is closed", result.err), 1) << result.err;
    EXPECT_EQ(query("SELECT count(*) FROM alerts"), 8);
    EXPECT_EQ(query("SELECT count(*) FROM alerts WHERE location_method = 'batch_pending'"), 7);
    execute(open_gate);
    (void)summary_of(run(start({write_feed("one", 20)})));
    expect_whole(21);
}

TEST_F(HoldupsRun, AFullQueueIsWaitedForWhereItsGateReopens) {
    make_file();
    execute(close_for_an_hour);
    Program program("/bin/sh", start_with_err({write_feed("one", 20), "--items-max", "7",
                                               "--overflow", "refuse"}));
    while (err_so_far().find("7 pending alerts wait: the gate is closed until 2") ==
           std::string::npos) {
        sched_yield();
    }
    execute(open_gate);
    EXPECT_EQ(summary_of(program.finish())["pending"], 0);
    expect_whole(21);
}

TEST_F(HoldupsRun, NoRoomOnDiskEndsTheRunAndTheNextOneTakesTheRest) {
    const auto result = run(start({write_feed("one", 9), "--disk-free-min", "1099511627776"}));
    EXPECT_EQ(result.exit, 3);
    EXPECT_EQ(count_of("No room on disk, and nothing is left to process: 9 alerts of ", result.err),
              1)
        << result.err;
    EXPECT_EQ(query("SELECT count(*) FROM alerts"), 0);
    (void)summary_of(run(start({write_feed("one", 9), "--disk-free-min", "0"})));
    expect_whole(9);
}

TEST_F(HoldupsRun, AFileAtItsLimitDrainsFirstAndLosesNoAlert) {
    const std::string path = (dir / "long.xml").string();
    std::string xml = "<rss version='2.0'><channel><title>long</title>";
    for (int i = 0; i < 600; ++i) {
        xml += "<item><title>Flood " + std::to_string(i) + "</title><description>" +
               std::string(3000, 'x') + "</description></item>";
    }
    std::ofstream(path) << xml << "</channel></rss>";
    const auto result = run(start({path, "--file-bytes-max", "1048576"}));
    EXPECT_EQ(result.exit, 3);
    EXPECT_NE(result.err.find("(file_bytes_max 1048576)"), std::string::npos) << result.err;
    const auto taken = query("SELECT count(*) FROM alerts");
    EXPECT_GT(taken, 50);
    EXPECT_LT(taken, 600);
    expect_whole(taken);
    (void)summary_of(run(start({path, "--file-bytes-max", "1073741824"})));
    expect_whole(600);
    EXPECT_EQ(query("SELECT count(*) FROM alerts WHERE location_reason = 'refused'"), 0);
}

TEST_F(HoldupsRun, FewerOutcomesThanABatchAreWarnedOfAndCounted) {
    const auto result = run(start({write_feed("one", 25), "--outcomes-max", "5"}));
    const json summary = summary_of(result);
    EXPECT_EQ(count_of("outcomes_max is 5, less than the 25 of batch_items_max", result.err), 1)
        << result.err;
    const auto dropped = summary["outcomes_unclaimed"].get<int>();
    EXPECT_GT(dropped, 0);
    EXPECT_EQ(count_of(std::to_string(dropped) + " outcomes were dropped unread", result.err), 1)
        << result.err;
    EXPECT_EQ(query("SELECT outcomes_unclaimed FROM totals"), dropped);
    const auto enough = run(start({write_feed("one", 26), "--outcomes-max", "25"}));
    EXPECT_FALSE(summary_of(enough).contains("outcomes_unclaimed"));
    EXPECT_EQ(count_of("outcomes", enough.err), 1) << enough.err;  // the setting's change
}

}  // namespace
}  // namespace headpond::test
