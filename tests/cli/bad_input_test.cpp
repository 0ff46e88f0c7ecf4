// Bad input at the command line, in the environment, and as files: one line, exit 3 (2 where the
// file is corrupt), nothing created, nothing changed.
#include "support/cli_fixture.h"

#include <fstream>

namespace headpond::test {
namespace {

const std::string token = "1-0123456789abcdef";

struct BadCall {
    std::vector<std::string> arguments;
    std::string words;
};
void PrintTo(const BadCall& bad, std::ostream* out) {
    *out << bad.words;
}

class BadCommandLine : public CliTest, public ::testing::WithParamInterface<BadCall> {};

TEST_P(BadCommandLine, IsOneLineAndCreatesNothing) {
    expect_refused(bare(GetParam().arguments), GetParam().words);
    EXPECT_TRUE(files().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Arguments, BadCommandLine,
    ::testing::Values(
        BadCall{{"health", "--json=abc"}, "--json takes no value; allowed: --json alone"},
        BadCall{{}, "headpond needs a command; allowed: enqueue, lease, ack"},
        BadCall{{"frob"}, "no command 'frob'; allowed: enqueue, lease"},
        BadCall{{"--frob"}, "no option '--frob'"}, BadCall{{"-"}, "no command '-'"},
        BadCall{{"--"}, "no command '--'"}, BadCall{{""}, "no command ''"},
        BadCall{{"health"}, "no database is named; allowed: --db FILE, or the variable"},
        BadCall{{"--db"}, "--db has no value"}, BadCall{{"health", "--db"}, "--db has no value"},
        BadCall{{"--db=", "health"}, "'--db=' has no value"},
        BadCall{{"--db", "x", "--db", "y", "health"}, "--db is given more than once"},
        BadCall{{"--db", "x", "health", "--db", "x"}, "--db is given twice; allowed: once"},
        BadCall{{"--db", "x", "health", "--json", "--json"}, "--json is given more than once"},
        BadCall{{"--db", "x", "health", "more"}, "unexpected argument 'more'"},
        BadCall{{"--db", "x", "health", "--more"}, "no option '--more'"},
        BadCall{{"--db", "x", "dead"}, "headpond dead needs a command; allowed: ls, redrive"},
        BadCall{{"--db", "x", "dead", "rm"}, "no command 'rm'; allowed: ls, redrive, purge"},
        BadCall{{"--db", "x", "settings", "rm"}, "no command 'rm'"},
        BadCall{{"--db", "x", "enqueue"}, "allowed: --key KEY, or --ndjson"},
        BadCall{{"--db", "x", "enqueue", "--key"}, "--key has no value"},
        BadCall{{"--db", "x", "enqueue", "--key="}, "'--key=' has no value"},
        BadCall{{"--db", "x", "enqueue", "--key", "--track"},
                "--key has no value, --track follows"},
        BadCall{{"--db", "x", "enqueue", "--key", ""}, "--key is empty; allowed: 1 to 1024 bytes"},
        BadCall{{"--db", "x", "enqueue", "--key", "\xff"}, "--key is not UTF-8"},
        BadCall{{"--db", "x", "enqueue", "--key", std::string(1025, 'k')}, "has 1025 bytes"},
        BadCall{{"--db", "x", "enqueue", "--key", "a", "--tag", std::string(257, 't')},
                "257 bytes"},
        BadCall{{"--db", "x", "enqueue", "--key", "a", "--key", "b"}, "--key is given more than"},
        BadCall{{"--db", "x", "enqueue", "--key", "a", "--ndjson"}, "excludes"},
        BadCall{{"--db", "x", "enqueue", "--key", "a", "--published", "today"},
                "'today'; allowed:"},
        BadCall{{"--db", "x", "ack"}, "TOKEN is required"},
        BadCall{{"--db", "x", "ack", "-"}, "TOKEN is '-'; allowed: a batch id, a dash and 16"},
        BadCall{{"--db", "x", "ack", ""}, "TOKEN is ''"},
        BadCall{{"--db", "x", "ack", "1-0123456789ABCDEF"}, "TOKEN is"},
        BadCall{{"--db", "x", "ack", "1-0123456789abcdef0"}, "TOKEN is"},
        BadCall{{"--db", "x", "ack", "0-0123456789abcdef"}, "TOKEN is"},
        BadCall{{"--db", "x", "ack", "99999999999999999999-0123456789abcdef"}, "TOKEN is"},
        BadCall{{"--db", "x", "ack", token, "--rest", "ack"}, "--rest requires --results"},
        BadCall{{"--db", "x", "nack", token}, "--error is required"},
        BadCall{{"--db", "x", "why"}, "KEY is required"},
        BadCall{{"--db", "x", "why", "-x"}, "no option '-x'"},
        BadCall{{"--db", "x", "cancel", ""}, "KEY is empty"},
        BadCall{{"--db", "x", "batches", "--limit", "0"},
                "--limit is '0'; allowed: a whole number from 1 to"},
        BadCall{{"--db", "x", "batches", "--after", "-1"},
                "--after is '-1'; allowed: a whole number from 1"},
        BadCall{{"--db", "x", "peek", "--after", "a"},
                "--after is 'a'; allowed: a whole number from 1"},
        BadCall{{"--db", "x", "dead", "ls", "--after", "0"},
                "--after is '0'; allowed: a whole number from 1"},
        BadCall{{"--db", "x", "backup"}, "FILE is required"},
        BadCall{{"--db", "x", "pause", "--reason", "\xff"}, "--reason is not UTF-8"},
        BadCall{{"--db", "x", "settings", "set", "items_max"}, "VALUE is required"},
        BadCall{{"--db", "x", "settings", "set", "nope", "5"}, "'nope'; allowed: items_max, bytes"},
        BadCall{{"--db", "x", "settings", "set", "lease_time", "5"}, "the variable HEADPOND_LEASE"},
        BadCall{{"--db", "x", "settings", "set", "overflow", "drop"},
                "allowed: evict_oldest, ref"}));

INSTANTIATE_TEST_SUITE_P(
    Paths, BadCommandLine,
    ::testing::Values(
        BadCall{{"--db", "", "enqueue", "--key", "a"}, "the path is empty"},
        BadCall{{"--db", "-", "enqueue", "--key", "a"}, "--db has the value '-'"},
        BadCall{{"--db", "--", "enqueue", "--key", "a"}, "--db has the value '--'"},
        BadCall{{"--db", "--json", "enqueue", "--key", "a"}, "--db has the value '--json'"},
        BadCall{{"--db", ":memory:", "enqueue", "--key", "a"}, "a queue in memory would be lost"},
        BadCall{{"--db", "file:x.db", "enqueue", "--ndjson"}, "URIs are not taken"},
        BadCall{{"--db", "file:x.db?mode=memory", "migrate"}, "URIs are not taken"},
        BadCall{{"--db", std::string(5000, 'a'), "migrate"}, "the path has 5000 bytes, over 4095"},
        BadCall{{"--db", std::string(300, 'a'), "migrate"}, "File name too long"},
        BadCall{{"--db", ".", "migrate"}, "this names a directory"},
        BadCall{{"--db", "/", "enqueue", "--ndjson"}, "this names a directory"},
        BadCall{{"--db", "/tmp", "settings", "set", "items_max", "5"}, "this is a directory"},
        BadCall{{"--db", "/dev/null", "enqueue", "--ndjson"}, "this is no regular file"},
        BadCall{{"--db", "/dev/null", "health"}, "this is no regular file"},
        BadCall{{"--db", "no/where/x.db", "migrate"}, "the directory no/where"},
        BadCall{{"--db", "new\nline/x", "migrate"}, "the directory new?line"}));

class BadNumber : public CliTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(BadNumber, IsNamedWithWhatIsAllowed) {
    const std::string& value = GetParam();
    const std::string whole = "is '" + value + "'; allowed: a whole number from 1 to ";
    const std::string seconds = "is '" + value + "'; allowed: seconds from 0";
    expect_refused(cli({"lease", "--max", value}), "--max " + whole);
    expect_refused(cli({"peek", value}), "N " + whole);
    expect_refused(cli({"dead", "ls", "--limit", value}), "--limit " + whole);
    expect_refused(cli({"settings", "set", "items_max", value}), "items_max " + whole);
    expect_refused(cli({"lease", "--lease-seconds", value}), "--lease-seconds " + seconds);
    expect_refused(cli({"extend", token, value}), "S " + seconds);
    expect_refused(cli({"pause", "--for", value}), "--for " + seconds);
    expect_refused(cli({"settings", "set", "age_max", value}), "age_max " + seconds);
    if (value != "0") {
        expect_refused(cli({"lease", "--wait", value}), "--wait " + seconds);
        expect_refused(cli({"release", token, "--delay", value}), "--delay " + seconds);
    }
    EXPECT_TRUE(files().empty());
}

INSTANTIATE_TEST_SUITE_P(All, BadNumber,
                         ::testing::Values("0", "-1", "9223372036854775807", "-9223372036854775808",
                                           "99999999999999999999", "NaN", "inf", "1e3", "0x10",
                                           "5x", " 5", "5 ", "+5", "", ".", ".5", "5.", "1.5.5",
                                           "1,5"));

TEST_F(CliTest, SecondsFinerThanAMillisecondAreRefusedNotRounded) {
    expect_refused(cli({"pause", "--for", "0.0005"}), "up to three decimals");
    expect_refused(cli({"pause", "--for", "0.000"}), "seconds from 0.001");
    put({"a"});
    expect_ok({"pause", "--for", "0.0010"});
}

// --- environment ---------------------------------------------------------------------------------

class BadVariable : public CliTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(BadVariable, IsNamedWithItsValueAndWhatIsAllowed) {
    const std::map<std::string, std::string> allowed = {
        {"HEADPOND_LEASE_TIME", "seconds from 0.001 to 86400"},
        {"HEADPOND_MAX_BUFFER_SIZE", "a whole number from 1 to 1000000000"},
        {"HEADPOND_DURABILITY", "power_loss, process_crash"}};
    for (const auto& [name, words] : allowed) {
        environment = {{name, GetParam()}};
        const auto result = cli({"enqueue", "--key", "a"});
        expect_refused(result, name + " is '");
        expect_refused(result, "; allowed: " + words);
    }
    EXPECT_TRUE(files().empty());
}

INSTANTIATE_TEST_SUITE_P(All, BadVariable,
                         ::testing::Values("", "NaN", "-1", "1e9", "99999999999999999999", "5x",
                                           " 5", "\xff\xfe", "0"));

TEST_F(CliTest, AnEmptyDatabaseVariableIsAnEmptyPath) {
    environment["HEADPOND_DB"] = "";
    expect_refused(bare({"migrate"}), "the path is empty");
    environment["HEADPOND_DB"] = "by-variable.db";
    EXPECT_EQ(bare({"migrate"}).exit, 0);
    EXPECT_TRUE(files().contains("by-variable.db"));
}

TEST_F(CliTest, ALogTagIsTakenAndABadOneRefused) {
    environment["HEADPOND_LOG_TAG"] = "Ingest";
    EXPECT_TRUE(cli({"migrate"}).err.starts_with("[Ingest] Created queue "));
    environment["HEADPOND_LOG_TAG"] = "";
    expect_refused(cli({"health"}), "HEADPOND_LOG_TAG is ''");
}

// --- streams -------------------------------------------------------------------------------------

TEST_F(CliTest, AClosedStdoutIsToldBeforeAnythingChanges) {
    for (const auto& command :
         std::vector<std::vector<std::string>>{{"enqueue", "--key", "a"}, {"migrate"}, {"lease"}}) {
        auto one = options(with_database(command));
        one.closed = {1};
        expect_refused(Program(HEADPOND_PROGRAM, one).finish(), "stdout is closed");
    }
    EXPECT_TRUE(files().empty());
}

TEST_F(CliTest, AFullStdoutIsAFailure) {
    put({"a"});
    for (const auto& command : std::vector<std::vector<std::string>>{
             {"health"}, {"peek", "--json"}, {"--help"}, {"--version"}}) {
        auto one = options(with_database(command));
        one.stdout_path = "/dev/full";
        expect_refused(Program(HEADPOND_PROGRAM, one).finish(), "stdout: No space left on device");
    }
}

TEST_F(CliTest, ABrokenPipeIsAFailure) {
    expect_ok({"migrate"});
    Program program(HEADPOND_PROGRAM, options(with_database({"enqueue", "--ndjson"})));
    program.close_output();
    expect_refused(program.finish("{\"key\":\"a\"}\n"), "stdout: Broken pipe");
    EXPECT_EQ(cli({"why", "a"}).exit, 0) << "it was stored before its word was lost";
}

TEST_F(CliTest, AStdinThatCanNotBeReadCreatesNothing) {
    for (const auto& command : std::vector<std::vector<std::string>>{{"enqueue", "--key", "a"},
                                                                     {"enqueue", "--ndjson"}}) {
        auto closed = options(with_database(command));
        closed.closed = {0};
        expect_refused(Program(HEADPOND_PROGRAM, closed).finish(), "stdin: Bad file descriptor");
        auto folder = options(with_database(command));
        folder.stdin_path = "/";
        expect_refused(Program(HEADPOND_PROGRAM, folder).finish(), "stdin: Is a directory");
    }
    EXPECT_TRUE(files().empty());
}

TEST_F(CliTest, WithoutAnyStandardStreamTheDatabaseStaysWhole) {
    put({"a"});
    auto none = options(with_database({"health"}));
    none.closed = {0, 1, 2};
    EXPECT_EQ(Program(HEADPOND_PROGRAM, none).finish().exit, 3);
    auto quiet = options(with_database({"pause", "--reason", "x"}));
    quiet.closed = {0, 2};
    EXPECT_EQ(Program(HEADPOND_PROGRAM, quiet).finish().exit, 0);
    EXPECT_EQ(cli({"check"}).exit, 0);
}

// --- limits and files that move ------------------------------------------------------------------

TEST_F(CliTest, AFileOverTheLimitOfItsSizeIsAFailureAndNotASignal) {
    put({"a"});
    const auto limited = [&](const std::string& blocks, const std::vector<std::string>& command) {
        std::vector<std::string> arguments{"-c", "ulimit -f " + blocks + "; exec \"$0\" \"$@\"",
                                           HEADPOND_PROGRAM};
        const auto more = with_database(command);
        arguments.insert(arguments.end(), more.begin(), more.end());
        return Program("/bin/sh", options(arguments)).finish(std::string(900'000, 'x'));
    };
    constexpr const char* least = "5000";  // blocks of 512 bytes: just above the log's reserve
    ProgramResult result;
    int stored = 0;
    while ((result = limited(least, {"enqueue", "--key", std::to_string(stored)})).exit == 0) {
        ++stored;
        ASSERT_LT(stored, 10);
    }
    expect_refused(result, "ulimit -f");
    EXPECT_EQ(cli_json({"peek"}).size(), 1U + static_cast<unsigned>(stored));
    EXPECT_EQ(cli({"check"}).exit, 0);
    database = dir / "new.db";
    const auto created = limited("100", {"enqueue", "--key", "a"});
    EXPECT_EQ(created.exit, 3);
    EXPECT_NE(created.err.find("ulimit -f"), std::string::npos) << created.err;
    expect_ok({"enqueue", "--key", "a"});
}

TEST_F(CliTest, AStreamIntoAFileThatWasRemovedSaysSo) {
    expect_ok({"migrate"});
    Program program(HEADPOND_PROGRAM, options(with_database({"enqueue", "--ndjson"})));
    program.write("{\"key\":\"a\"}\n");
    EXPECT_EQ(program.read_line(), "stored");
    std::filesystem::rename(database, dir / "elsewhere.db");
    std::string lines;
    for (int i = 0; i < 20'000; ++i) lines += R"({"key":"k)" + std::to_string(i) + "\"}\n";
    const auto result = program.finish(lines);
    EXPECT_EQ(result.exit, 3);
    // The library's own line about its end may stand before.
    const auto at = result.err.find("headpond: enqueue ");
    ASSERT_NE(at, std::string::npos) << result.err;
    EXPECT_NE(result.err.find("queue.db: the file was moved, removed or replaced", at),
              std::string::npos)
        << result.err;
    EXPECT_EQ(
        std::count(result.err.begin() + static_cast<std::ptrdiff_t>(at), result.err.end(), '\n'), 1)
        << result.err;
}

// --- files ---------------------------------------------------------------------------------------

class BadFile : public CliTest {
  protected:
    std::string bytes() const {
        std::ifstream in(database, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    // Every kind of command refuses, and the file stays as it is, without side files.
    void expect_untouched(const std::string& words) {
        const std::string before = bytes();
        for (const auto& command :
             std::vector<std::vector<std::string>>{{"health"},
                                                   {"enqueue", "--key", "a"},
                                                   {"migrate"},
                                                   {"settings", "set", "items_max", "5"},
                                                   {"check", "--repair"}}) {
            expect_refused(cli(command), words);
        }
        EXPECT_EQ(bytes(), before);
        EXPECT_EQ(files(), std::set<std::string>{"queue.db"});
    }
};

TEST_F(BadFile, TextIsNoQueue) {
    std::ofstream(database) << "this is text, and long enough not to be taken for a header\n";
    expect_untouched("not an SQLite database; allowed: a missing or empty file, or a queue");
}

TEST_F(BadFile, AForeignDatabaseIsNoQueue) {
    std::ofstream{database};
    RawDatabase(database).exec("CREATE TABLE mine (x); PRAGMA application_id = 42");
    expect_untouched("an SQLite database with application_id 0x0000002a");
}

TEST_F(BadFile, ASymbolicLinkIsRefused) {
    std::filesystem::create_symlink("elsewhere.db", database);
    expect_refused(cli({"migrate"}), "the file is a symbolic link");
    EXPECT_EQ(files(), std::set<std::string>{"queue.db"});
}

TEST_F(BadFile, ANewerSchemaIsRefusedAndAnOlderOneLeftToMigrate) {
    put({"a"});
    RawDatabase(database).exec("PRAGMA user_version = 999");
    expect_refused(cli({"enqueue", "--key", "b"}), "schema 999 is newer than this release");
    expect_refused(cli({"migrate"}), "schema 999 is newer than this release");
    EXPECT_EQ(RawDatabase(database).integer("SELECT count(*) FROM items"), 1);
}

TEST_F(BadFile, ACopyWithoutItsLogIsNotTakenForANewQueue) {
    // What the database file holds while all of a young queue is in its -wal.
    std::ofstream(dir / "copy.db").flush();
    RawDatabase(dir / "copy.db")
        .exec(
            "PRAGMA page_size=4096; BEGIN; PRAGMA auto_vacuum=INCREMENTAL; "
            "PRAGMA application_id=" +
            std::to_string(0x48504E44) + "; COMMIT");
    for (const std::string command : {"health", "check", "peek"}) {
        expect_refused(bare({"--db", "copy.db", command}), "it is a copy without its -wal");
    }
}

TEST_F(BadFile, DamageIsTwo) {
    put({"a", "b"});
    expect_ok({"backup", "copy.db"});
    database = dir / "copy.db";
    RawDatabase raw(database);
    const auto root = raw.integer("SELECT rootpage FROM sqlite_schema WHERE name = 'items'");
    const auto page_bytes = raw.integer("PRAGMA page_size");
    ASSERT_GT(root, 1);
    {
        std::fstream file(database, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp((root - 1) * page_bytes);
        file << std::string(static_cast<std::size_t>(page_bytes), '\xee');
    }
    const auto checked = cli({"check"});
    EXPECT_EQ(checked.exit, 2) << checked.out << checked.err;
    const auto peeked = cli({"peek"});
    EXPECT_EQ(peeked.exit, 2) << peeked.out << peeked.err;
    EXPECT_EQ(std::count(peeked.err.begin(), peeked.err.end(), '\n'), 1) << peeked.err;
    std::filesystem::resize_file(database, 5000);
    EXPECT_EQ(cli({"health"}).exit, 2);
}

}  // namespace
}  // namespace headpond::test
