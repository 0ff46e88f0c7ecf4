// What the ingest tool refuses before it makes or destroys anything, and with what line.
#include "ingest_run/ingest_run.h"

#include <iterator>

namespace headpond::test {
namespace {

using Refusals = IngestRun;

std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(Refusals, OutputThatIsAFeedIsRefused) {
    const std::string feed = write_feed("one", 3);
    const std::string before = content_of(feed);
    std::filesystem::create_symlink("one.xml", dir / "soft");
    std::filesystem::create_hard_link(feed, dir / "hard");
    for (const std::string output : {"one.xml", "./one.xml", "soft", "hard"}) {
        expect_refused(start({feed, "--output", output}), "is the feed '");
    }
    auto how = start({"-", "--output", "one.xml"});
    how.stdin_path = feed;
    expect_refused(how, "is standard input");
    EXPECT_EQ(content_of(feed), before);
}

TEST_F(Refusals, OutputThatIsADatabaseIsRefused) {
    const std::string feed = write_feed("one", 3);
    std::filesystem::create_symlink("run.db", dir / "soft");
    std::filesystem::create_directory_symlink(".", dir / "here");
    for (const std::string output : {"run.db", "./run.db", "soft", "here/run.db", "run.db-wal",
                                     "run.db-shm", "run.db-owners"}) {
        expect_refused(start({feed, "--output", output}), "is the database");
    }
    (void)summary_of(run(start({feed})));
    for (const std::string output : {"run.db", "soft", "here/run.db-owners"}) {
        EXPECT_EQ(run(start({feed, "--output", output})).exit, 3) << output;
    }
    expect_whole(3);
    // It is written beside its place, and renamed.
    database = (dir / "out.new").string();
    expect_refused(start({feed, "--output", "out"}), "out.new, which is the database");
}

TEST_F(Refusals, OutputThatCanNotBeWrittenIsRefused) {
    const std::string feed = write_feed("one", 3);
    expect_refused(start({feed, "--output", ""}), "--output is ''");
    expect_refused(start({"--output=", feed}), "--output=");
    expect_refused(start({feed, "--output", "."}), "is a directory");
    expect_refused(start({feed, "--output", "none/out"}), "No such file or directory");
    expect_refused(start({feed, "--output", "one.xml/out"}), "one.xml");
    std::filesystem::create_directory(dir / "out.new");
    expect_refused(start({feed, "--output", "out"}), "is no file");
}

TEST_F(Refusals, ValuesAreNamedByTheFlagThatWasTyped) {
    const std::string feed = write_feed("one", 3);
    expect_refused(start({feed, "--max-buffer-size", "abc"}), "--max-buffer-size is 'abc'");
    expect_refused(start({feed, "--items-max=abc"}), "--items-max is 'abc'");
    auto how = start({feed, "--json=5"});
    expect_refused(how, "--json takes no value");
    expect_refused(start({feed, "--hide-coordinates=no"}), "--hide-coordinates takes no value");
    expect_refused(start({"-", feed, "-"}), "the feed - is given more than once");
}

TEST_F(Refusals, NamesAndValuesBreakNoLineAndSteerNoTerminal) {
    const std::string feed = write_feed("one", 3);
    const std::string nasty = "a\n\x1b[31mb";
    expect_refused(start({nasty}), "a??[31mb");
    expect_refused(start({feed, "--resolver", nasty}), "a??[31mb");
    expect_refused(start({feed, "--log-tag", nasty}), "--log-tag is 'a??[31mb'");
    expect_refused(start({feed, "--output", nasty + "/b"}), "a??[31mb");
    auto how = start({feed});
    how.environment["MOONSHOT_LOG_TAG"] = nasty;
    expect_refused(how, "MOONSHOT_LOG_TAG is 'a??[31mb'");
    expect_one_line(run(start({feed, "--" + nasty})).err);
}

TEST_F(Refusals, WhereNoFeedIsOneNothingIsMade) {
    std::ofstream(dir / "empty.xml") << "";
    std::ofstream(dir / "page.html") << "<!doctype html><html><body>no feed</body></html>";
    std::ofstream(dir / "data.json") << "{}";
    auto how = start({"empty.xml", "page.html", ".", "-"});
    how.stdin_path = dir / "data.json";
    for (int zero_bytes = 0; zero_bytes < 2; ++zero_bytes) {
        const auto result = run(how);
        EXPECT_EQ(result.exit, 3);
        EXPECT_EQ(result.out, "");
        for (const char* name : {"empty.xml: ", "page.html: ", ".: ", "standard input: "}) {
            EXPECT_NE(result.err.find(name), std::string::npos) << name << " in " << result.err;
        }
        EXPECT_EQ(count_of("\n", result.err), 4) << result.err;
        EXPECT_EQ(std::filesystem::exists(database), zero_bytes == 1);
        EXPECT_FALSE(std::filesystem::exists(database + "-owners"));
        std::ofstream{database};
    }
    EXPECT_EQ(std::filesystem::file_size(database), 0U);
}

TEST_F(Refusals, ADamagedDatabaseIsExitCode2) {
    const std::string feed = write_feed("one", 3);
    (void)summary_of(run(start({feed})));
    std::string bytes = content_of(database);
    constexpr std::size_t first_page = 4096;
    ASSERT_GT(bytes.size(), 2 * first_page);
    std::fill(bytes.begin() + first_page, bytes.end(), '\xFF');
    database = (dir / "damaged.db").string();
    std::ofstream(database, std::ios::binary) << bytes;
    const auto result = run(start({feed}));
    EXPECT_EQ(result.exit, 2) << result.err;
    EXPECT_NE(result.err.find("damaged"), std::string::npos) << result.err;
    const auto help = run({.arguments = {"--help"}});
    for (const char* code : {"0 the input is drained", "2 the database is corrupt", "3 usage"}) {
        EXPECT_NE(help.out.find(code), std::string::npos) << help.out;
    }
}

TEST_F(Refusals, AForeignTableOfOurNameIsNamed) {
    const std::string feed = write_feed("one", 3);
    (void)summary_of(run(start({feed})));
    const auto expect_found = [&](const std::string& sql, const std::string& found) {
        execute(sql);
        const auto result = run(start({feed}));
        EXPECT_EQ(result.exit, 3);
        EXPECT_NE(result.err.find(found), std::string::npos) << result.err;
        EXPECT_NE(result.err.find("allowed"), std::string::npos) << result.err;
        expect_one_line(result.err);
    };
    expect_found("DROP TABLE alerts; CREATE VIEW alerts AS SELECT 1",
                 "a view under the name alerts");
    expect_found("DROP VIEW alerts; CREATE TABLE Alerts (uuid TEXT PRIMARY KEY, title TEXT)",
                 "a table without summary, link, source_tag, published_at,");
    execute("DROP TABLE Alerts");
    (void)summary_of(run(start({feed})));
    expect_found("ALTER TABLE alerts RENAME TO old; CREATE TABLE alerts AS SELECT * FROM old",
                 "a table whose primary key is not uuid");
}

}  // namespace
}  // namespace headpond::test
