// What the ingest tool puts out, as a process: whole files or the old ones, and the summary.
#include "ingest_run/ingest_run.h"

#include <chrono>
#include <iterator>
#include <set>

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

namespace headpond::test {
namespace {

std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

class OutputRun : public IngestRun {
  protected:
    std::string path(const std::string& name) const { return (dir / name).string(); }
    // Alerts whose feed says where: in Lima, with a title that names Oslo.
    std::string write_placed_feed(const std::string& title, int count) {
        std::string xml =
            "<rss version='2.0' xmlns:georss='http://www.georss.org/georss'><channel>"
            "<title>" +
            title + "</title>";
        for (int i = 0; i < count; ++i) {
            xml += "<item><title>Strike in Oslo " + std::to_string(i) +
                   "</title><georss:point>-12.05 -77.04</georss:point></item>";
        }
        std::ofstream(path(title + ".xml")) << xml << "</channel></rss>";
        return path(title + ".xml");
    }
    // In the page each takes six times what it takes in the table.
    std::string write_long_feed(int count) {
        std::string ands;
        for (int i = 0; i < 900; ++i) ands += "&amp;";
        std::string xml = "<rss version='2.0'><channel><title>long</title>";
        for (int i = 0; i < count; ++i) {
            xml += "<item><title>" + std::to_string(i) + ' ' + ands + "</title></item>";
        }
        std::ofstream(path("long.xml")) << xml << "</channel></rss>";
        return path("long.xml");
    }
    static std::string now() {
        const auto ms =
            std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
        const auto days = std::chrono::floor<std::chrono::days>(ms);
        const std::chrono::year_month_day date{days};
        const std::chrono::hh_mm_ss time{ms - days};
        char text[64];
        std::snprintf(
            text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
            static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
            static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
            static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
        return text;
    }
};

TEST_F(OutputRun, GeoJsonHasTheAlertsWithAPositionLongitudeFirst) {
    const json summary = summary_of(run(start(
        {write_placed_feed("placed", 3), write_feed("one", 9), "--geojson", path("a.json")})));
    const json read = json::parse(content_of(path("a.json")));
    EXPECT_EQ(read["type"], "FeatureCollection");
    EXPECT_FALSE(read.contains("crs"));
    EXPECT_EQ(read["features"].size(),
              summary["by_feed"].get<std::size_t>() + summary["by_batch"].get<std::size_t>());
    std::set<std::string> ids;
    for (const json& feature : read["features"]) {
        ids.insert(feature["id"]);
        EXPECT_EQ(feature["geometry"]["type"], "Point");
        const json& at = feature["geometry"]["coordinates"];
        const json& of = feature["properties"];
        EXPECT_TRUE(of["added_at"].is_string() && of["located_at"].is_string()) << of;
        if (of["source_tag"] == "placed") {
            EXPECT_EQ(at, json::parse("[-77.04,-12.05]"));
        } else if (of["location_name"] == "Oslo") {
            EXPECT_NEAR(at[0].get<double>(), 10.75, 0.5);
            EXPECT_NEAR(at[1].get<double>(), 59.91, 0.5);
        }
    }
    EXPECT_EQ(ids.size(), read["features"].size());
}

TEST_F(OutputRun, AKillLeavesTheOldFileOrTheWholeNewOne) {
    const std::string feed = write_long_feed(300);
    const std::vector<std::string> arguments{feed, "--map", path("a.html"), "--geojson",
                                             path("a.json")};
    (void)summary_of(run(start(arguments)));
    const auto expect_whole_files = [&] {
        EXPECT_TRUE(json::parse(content_of(path("a.json"))).contains("features"));
        EXPECT_TRUE(content_of(path("a.html")).ends_with("</html>\n"));
    };
    expect_whole_files();
    int inside = 0;
    for (int kill = 0; kill < 4; ++kill) {
        const std::string file = path(kill % 2 == 0 ? "a.html" : "a.json");
        std::filesystem::remove(file + ".new");
        const auto before = std::filesystem::last_write_time(file);
        Program program(ingest, start(arguments));
        // It is being written, or was in the moment between two looks.
        while (!std::filesystem::exists(file + ".new") &&
               std::filesystem::last_write_time(file) == before) {
            sched_yield();
        }
        program.signal(SIGKILL);
        inside += program.finish().exit == 128 + SIGKILL ? 1 : 0;
        expect_whole_files();
    }
    EXPECT_GT(inside, 0) << "no run was killed before its end";
    (void)summary_of(run(start(arguments)));
    expect_whole_files();
    EXPECT_FALSE(std::filesystem::exists(path("a.html.new")));
    EXPECT_FALSE(std::filesystem::exists(path("a.json.new")));
}

TEST_F(OutputRun, NoRoomForTheFileLeavesTheOldOne) {
    auto how = start({write_long_feed(700), "--map", path("a.html")});
    (void)summary_of(run(how));
    const std::string before = content_of(path("a.html"));
    EXPECT_GT(before.size(), 3'500'000U);
    how.arguments.insert(how.arguments.begin(),
                         {"-c", "ulimit -f 6400; exec \"$0\" \"$@\"", ingest});
    const auto result = Program("/bin/sh", how).finish();
    EXPECT_EQ(result.exit, 3);
    EXPECT_NE(result.err.find("--map " + path("a.html") + ": File too large"), std::string::npos)
        << result.err;
    EXPECT_EQ(content_of(path("a.html")), before);
    EXPECT_FALSE(std::filesystem::exists(path("a.html.new")));
    expect_whole(700);
}

TEST_F(OutputRun, SinceLeavesOutWhatWasAddedBefore) {
    (void)summary_of(run(start({write_feed("one", 5)})));
    const std::string between = now();
    const auto lines_since = [&](const std::string& since) {
        const auto result = run(start(
            {write_feed("two", 3), "--since", since, "--output", path("out"), "--map", path("m")}));
        (void)summary_of(result);
        const std::string lines = content_of(path("out"));
        EXPECT_EQ(count_of("\n", lines), count_of("http://a.example/", content_of(path("m"))));
        return count_of("\n", lines);
    };
    EXPECT_EQ(lines_since(between), 3);
    EXPECT_EQ(lines_since("1970-01-01"), 8);
    EXPECT_EQ(lines_since("1h"), 8);
    EXPECT_EQ(lines_since("9999-01-01"), 0);
}

TEST_F(OutputRun, ASinceThatIsNoneIsNamedWithWhatIsAllowed) {
    const std::string feed = write_feed("one", 1);
    for (const char* value : {"yesterday", "6", "-6h", "2026-02-30", "", "\xFF"}) {
        expect_refused(start({feed, "--map", "m.html", "--since", value}), "--since is '");
    }
    expect_refused(start({feed, "--map", "m.html", "--since", "soon"}), "2d)");
    expect_refused(start({feed, "--since", "6h"}), "--since is given without an output");
}

TEST_F(OutputRun, TwoOptionsForOneFileAreRefused) {
    const std::string feed = write_feed("one", 1);
    std::filesystem::create_symlink("a", dir / "soft");
    std::filesystem::create_directory_symlink(".", dir / "here");
    std::ofstream(dir / "there") << "kept";
    std::filesystem::create_hard_link(dir / "there", dir / "hard");
    const std::vector<std::pair<std::string, std::string>> pairs{
        {"a", "a"},        {"a", "./a"},           {"a", "soft"},  {"a", "here/a"},
        {"there", "hard"}, {"there", "here/hard"}, {"a", "a.new"}, {"a.new", "a"}};
    for (const auto& [one, other] : pairs) {
        expect_refused(start({feed, "--output", one, "--geojson", other}),
                       "--geojson " + other + ": is the file of --output " + one);
        expect_refused(start({feed, "--map", one, "--geojson", other}), "--map " + one);
    }
    expect_refused(start({feed, "--output", "-", "--map", "-"}),
                   "--map -: is standard output, as --output -, too");
    auto how = start({feed, "--output", "-", "--geojson", "there"});
    how.stdout_path = dir / "there";
    EXPECT_EQ(run(how).exit, 3);
    EXPECT_FALSE(std::filesystem::exists(database));
}

TEST_F(OutputRun, EveryOutputIsCheckedBeforeAnythingIsMade) {
    const std::string feed = write_feed("one", 1);
    for (const std::string option : {"--geojson", "--map"}) {
        expect_refused(start({feed, option, ""}), option + " is ''");
        expect_refused(start({feed, option, "run.db"}), "is the database");
        expect_refused(start({feed, option, "run.db-wal"}), "is the database's -wal");
        expect_refused(start({feed, option, "one.xml"}), "is the feed '");
        expect_refused(start({feed, option, "."}), "is a directory");
        expect_refused(start({feed, option, "none/out"}), "No such file or directory");
    }
}

TEST_F(OutputRun, ADocumentOnStandardOutputStandsAlone) {
    const auto result = run(start({write_feed("one", 4), "--geojson", "-"}));
    EXPECT_EQ(result.exit, 0) << result.err;
    EXPECT_TRUE(json::parse(result.out).contains("features")) << result.out;
    EXPECT_NE(result.err.find("\n{\"alerts\":4,"), std::string::npos) << result.err;
    // Lines are followed by one more, the summary.
    const auto lines = run(start({write_feed("one", 4), "--output", "-"}));
    EXPECT_EQ(count_of("\n", lines.out), 5);
    EXPECT_EQ(summary_of(lines)["alerts"], 4);
}

TEST_F(OutputRun, HostileTextStaysTextOnThePage) {
    (void)summary_of(run(start({write_feed("one", 3)})));
    execute(
        "UPDATE alerts SET title = '</script><script>alert(1)</script>', summary = "
        "'<!--' || char(8232) || '<script>', link = 'javascript:alert(2)', "
        "location_name = '<img src=x onerror=alert(3)>', source_tag = '&quot;\"''>'");
    (void)summary_of(run(start({write_feed("one", 3), "--map", path("m.html")})));
    const std::string page = content_of(path("m.html"));
    EXPECT_EQ(count_of("<script", page), 4);
    EXPECT_EQ(count_of("</script>", page), 4);
    EXPECT_EQ(count_of("<img", page) + count_of("<!--", page), 0);
    EXPECT_EQ(count_of("\\u003c/script\\u003e\\u003cscript\\u003ealert(1)", page), 3);
    EXPECT_EQ(count_of("\\u0026quot;", page), 3);
    EXPECT_EQ(count_of("\xE2\x80\xA8", page), 0);
}

TEST_F(OutputRun, AFileOfAnOlderReleaseGetsTheNewColumns) {
    (void)summary_of(run(start({write_feed("one", 3)})));
    execute("ALTER TABLE alerts DROP COLUMN added_at; ALTER TABLE alerts DROP COLUMN located_at");
    (void)summary_of(run(start({write_feed("two", 2), "--output", path("out")})));
    std::istringstream lines(content_of(path("out")));
    for (std::string line; std::getline(lines, line);) {
        const json alert = json::parse(line);
        EXPECT_EQ(alert["added_at"].is_null(), alert["source_tag"] == "one") << line;
        EXPECT_EQ(alert["located_at"].is_null(),
                  alert["source_tag"] == "one" || alert["latitude"].is_null())
            << line;
    }
    EXPECT_EQ(query("SELECT count(*) FROM alerts WHERE added_at > 1700000000000"), 2);
    expect_whole(5);
}

// --- the summary ---------------------------------------------------------------------------------

TEST_F(OutputRun, TheSummaryHasAPartForEachSource) {
    const std::vector<std::string> feeds{write_feed("one", 8), write_placed_feed("placed", 3)};
    const json summary = summary_of(run(start(feeds)));
    ASSERT_EQ(summary["sources"].size(), 2U);
    EXPECT_EQ(summary["sources"][0]["source"], "one");
    EXPECT_EQ(summary["sources"][1]["source"], "placed");
    EXPECT_EQ(summary["sources"][1]["by_feed"], 3);
    for (const char* part : {"alerts", "by_feed", "by_batch", "fallback", "pending", "evicted",
                             "expired", "abandoned", "rejected"}) {
        EXPECT_EQ(summary["sources"][0][part].get<int>() + summary["sources"][1][part].get<int>(),
                  summary[part].get<int>())
            << part;
    }
    EXPECT_FALSE(summary.contains("accuracy") || summary.contains("misses"));
    auto how = start(feeds);
    std::erase(how.arguments, "--json");
    const std::string table = run(how).out;
    EXPECT_NE(table.find("  placed                              3        3        0 "),
              std::string::npos)
        << table;
}

TEST_F(OutputRun, HiddenCoordinatesAreReportedBySourceWithTheWorstMisses) {
    auto how = start({write_feed("one", 4), write_placed_feed("placed", 12), "--hide-coordinates"});
    const json summary = summary_of(run(how));
    EXPECT_EQ(summary["accuracy"]["alerts"], 12);
    EXPECT_EQ(summary["accuracy"]["located"], 12);
    EXPECT_EQ(summary["accuracy"]["within_100_km"], 0);
    const json& placed = summary["sources"][0];
    EXPECT_EQ(placed["source"], "placed");
    EXPECT_EQ(placed["accuracy"]["located"], 12);
    EXPECT_EQ(placed["accuracy"]["right_country"], 0);
    EXPECT_NEAR(placed["accuracy"]["median_km"].get<double>(), 11'060, 150);
    EXPECT_EQ(summary["sources"][1]["accuracy"]["alerts"], 0);
    ASSERT_EQ(summary["misses"].size(), 10U);
    const json& miss = summary["misses"][0];
    EXPECT_EQ(miss["source"], "placed");
    EXPECT_EQ(miss["found_name"], "Oslo");
    EXPECT_EQ(miss["found_country"], "NO");
    EXPECT_EQ(miss["feed_country"], "PE");
    EXPECT_EQ(miss["method"], "gazetteer_batch");
    std::erase(how.arguments, "--json");
    const std::string table = run(how).out;
    EXPECT_NE(table.find("accuracy on 12 alerts with known coordinates"), std::string::npos);
    EXPECT_EQ(count_of("Oslo, NO                  PE", table), 10) << table;
}

TEST_F(OutputRun, ARunThatFollowsTakesNoPipe) {
    const std::string pipe = (dir / "pipe").string();
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const auto result = run(start({write_feed("one", 2), "--follow", "60", "--map", pipe}));
    EXPECT_EQ(result.exit, 3);
    EXPECT_NE(result.err.find("--map " + pipe + ": is a pipe"), std::string::npos) << result.err;
}

TEST_F(OutputRun, ARunThatFollowsKeepsItsFilesFresh) {
    const std::string feed = write_feed("one", 12);
    const std::string map = (dir / "alerts.geojson").string();
    ProgramOptions how = start({feed, "--follow", "1", "--geojson", map});
    how.environment["MOONSHOT_BATCH_TIME_THRESHOLD_SECONDS"] = "0.1";
    Program program(ingest, how);
    const auto features = [&]() -> std::size_t {
        std::ifstream file(map);
        if (!file) return 0;
        return json::parse(file).at("features").size();
    };
    while (features() < 6) std::this_thread::yield();
    (void)write_feed("one", 30);
    while (features() < 15) std::this_thread::yield();
    program.signal(SIGTERM);
    EXPECT_EQ(program.finish().exit, 0);
}

}  // namespace
}  // namespace headpond::test
