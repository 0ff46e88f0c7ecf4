// peek, why, outcome, cancel, batches, health, check, cleanup, backup, version.
#include "support/cli_fixture.h"

#include <fstream>
#include <sstream>

namespace headpond::test {
namespace {

using Look = CliTest;

std::size_t widest_line(const std::string& text) {
    std::size_t widest = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto characters = std::count_if(line.begin(), line.end(), [](char c) {
            return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
        });
        widest = std::max(widest, static_cast<std::size_t>(characters));
    }
    return widest;
}

TEST_F(Look, PeekShowsTheOldestAndTouchesNothing) {
    put({"a", "b", "c"});
    lease({"--max", "1"});
    const json items = cli_json({"peek", "2"});
    ASSERT_EQ(items.size(), 2U);
    EXPECT_EQ(items[0]["state"], "leased");
    EXPECT_EQ(items[0]["batch"], 1);
    EXPECT_EQ(items[1]["state"], "ready");
    EXPECT_EQ(items[1]["batch"], nullptr);
    EXPECT_EQ(items[1]["bytes"], 12);
}

TEST_F(Look, PeekGoesOnAfterAnId) {
    put({"a", "b", "c"});
    const auto first = cli({"peek", "2", "--json"});
    EXPECT_EQ(first.exit, 0);
    EXPECT_EQ(json::parse(first.out).size(), 2U);
    EXPECT_EQ(first.err, "headpond: more items follow; go on with --after 2\n");
    const auto rest = cli({"peek", "2", "--after", "2", "--json"});
    EXPECT_EQ(json::parse(rest.out)[0]["key"], "c");
    EXPECT_EQ(rest.err, "");
    EXPECT_EQ(cli({"peek", "3"}).err, "") << "as many as there are";
}

TEST_F(Look, AnEmptyListingIsNoWarning) {
    expect_ok({"migrate"});
    EXPECT_EQ(cli_json({"peek"}), json::array());
    EXPECT_EQ(cli_json({"batches"}), json::array());
    EXPECT_EQ(cli_json({"dead", "ls"}), json::array());
}

TEST_F(Look, TablesFitEightyColumnsAndKeepTheTerminalSafe) {
    const std::string key = "k\x1b[2J\n" + std::string(200, 'x');
    const std::string line = json{{"key", key}, {"tag", std::string(200, 't')}}.dump();
    const std::string wide = json{{"key", "\u65e5\u672c\u8a9e"}, {"tag", "\u65e5"}}.dump();
    expect_ok({"enqueue", "--ndjson"}, line + "\n" + wide + "\n");
    for (const std::string command : {"peek", "lease", "batches", "health", "settings"}) {
        const auto result = cli({command});
        EXPECT_LE(widest_line(result.out), 80U) << result.out;
        EXPECT_EQ(result.out.find('\x1b'), std::string::npos) << command;
    }
}

TEST_F(Look, WhyTellsWhereAKeyIs) {
    put({"a", "b"});
    const std::string token = lease({"--max", "1"});
    const json why = cli_json({"why", "a"});
    EXPECT_EQ(why["key"], "a");
    EXPECT_EQ(why["known"], true);
    EXPECT_TRUE(why["summary"].get<std::string>().starts_with("leased: in batch 1"));
    EXPECT_GE(why["trail"].size(), 2U);
    EXPECT_EQ(why["trail"][0]["event"], "enqueued");
    EXPECT_EQ(cli_json({"why", "nobody"}, 1)["known"], false);
    EXPECT_TRUE(cli({"why", "b"}).out.starts_with("ready: "));
}

TEST_F(Look, WhyHasItsSentenceWhereKeysAreFree) {
    expect_ok({"settings", "set", "keys", "free"});
    put({"a"});
    put({"a"});
    const json why = cli_json({"why", "a"});
    EXPECT_EQ(why["known"], true);
    EXPECT_TRUE(why["summary"].get<std::string>().starts_with("ready: ")) << why;
    EXPECT_TRUE(why["summary"].get<std::string>().ends_with("older items of this key: 1")) << why;
}

TEST_F(Look, WhyTakesACommandsNameAndADash) {
    put({"health", "--json", "-x", "{}", "[a,b]"});
    for (const std::string key : {"health", "{}", "[a,b]"}) {
        EXPECT_EQ(cli({"why", key}).exit, 0) << key;
    }
    for (const std::string key : {"--json", "-x"})
        EXPECT_EQ(cli({"why", "--", key}).exit, 0) << key;
}

TEST_F(Look, OutcomeIsPendingThenAResult) {
    put({"a"});
    expect_ok({"enqueue", "--key", "untracked"});
    EXPECT_EQ(cli_json({"outcome", "a"}, 1)["state"], "pending");
    EXPECT_EQ(cli_json({"outcome", "untracked"}, 1)["state"], nullptr);
    const std::string token = lease();
    EXPECT_EQ(cli_json({"outcome", "a"}, 1)["state"], "pending");
    expect_ok({"ack", token, "--results", "-", "--rest", "ack"},
              "{\"key\":\"a\",\"result\":\"50.45,30.52\"}");
    const json outcome = cli_json({"outcome", "a"});
    EXPECT_EQ(outcome["state"], "resolved");
    EXPECT_EQ(outcome["reason"], nullptr);
    EXPECT_EQ(outcome["result"], "50.45,30.52");
    EXPECT_EQ(cli_json({"outcome", "untracked"}, 1)["state"], nullptr);
}

TEST_F(Look, AnUntrackedItemDoesNotMakeADeadOnesOutcomePending) {
    put({"a"});
    expect_ok({"settings", "set", "attempts_max", "1"});
    expect_ok({"nack", lease(), "--error", "boom"});
    expect_ok({"enqueue", "--key", "a"});
    const json outcome = cli_json({"outcome", "a"});
    EXPECT_EQ(outcome["state"], "fallback");
    EXPECT_EQ(outcome["reason"], "abandoned");
}

TEST_F(Look, CancelRemovesWhatIsNotLeased) {
    put({"a", "b"});
    EXPECT_EQ(cli_json({"cancel", "b"})["cancelled"], true);
    EXPECT_EQ(cli_json({"cancel", "b"}, 1)["cancelled"], false);
    lease();
    EXPECT_EQ(cli({"cancel", "a"}).exit, 1);
    EXPECT_EQ(cli_json({"outcome", "b"})["reason"], "cancelled");
}

TEST_F(Look, BatchesMergesLeasedWaitingAndHeldByTheGate) {
    put({"a", "b", "c", "d"});
    expect_ok({"nack", lease({"--max", "1"}), "--error", "boom", "--delay", "1000"});
    lease({"--max", "1"});
    json all = cli_json({"batches"});
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0]["state"], "waiting");
    EXPECT_EQ(all[0]["why"], "backing off");
    EXPECT_EQ(all[0]["last_error"], "boom");
    EXPECT_EQ(all[1]["state"], "leased");
    EXPECT_EQ(all[1]["attempt"], "1/3");
    EXPECT_EQ(all[1]["why"], "lease running");
    expect_ok({"pause"});
    all = cli_json({"batches"});
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0]["batch"], nullptr);
    EXPECT_EQ(all[0]["items"], 2);
    EXPECT_EQ(all[0]["why"], "gate closed");
}

TEST_F(Look, BatchesShowsWhatIsDueWithAttemptsAndLastError) {
    put({"a", "b"});
    expect_ok({"nack", lease(), "--error", "boom", "--delay", "0"});
    const json all = cli_json({"batches"});
    ASSERT_EQ(all.size(), 1U);
    const json& batch = all[0];
    EXPECT_EQ(batch["batch"], 1);
    EXPECT_EQ(batch["state"], "waiting");
    EXPECT_EQ(batch["items"], 2);
    EXPECT_EQ(batch["bytes"], 24);
    EXPECT_EQ(batch["attempt"], "1/3");
    EXPECT_EQ(batch["attempts"], 1);
    EXPECT_EQ(batch["attempts_max"], 3);
    EXPECT_EQ(batch["releases"], 0);
    EXPECT_EQ(batch["owner"], nullptr);
    EXPECT_EQ(batch["leased_at"], nullptr);
    EXPECT_EQ(batch["lease_expires_at"], nullptr);
    EXPECT_TRUE(batch["not_before"].is_string());
    EXPECT_TRUE(batch["created_at"].is_string());
    EXPECT_EQ(batch["why"], "due");
    EXPECT_EQ(batch["leasable"], "now");
    EXPECT_EQ(batch["last_error"], "boom");
    const std::string table = cli({"batches"}).out;
    EXPECT_NE(table.find("1/3"), std::string::npos) << table;
    EXPECT_NE(table.find("boom"), std::string::npos) << table;
    lease();
    const json held = cli_json({"batches"})[0];
    EXPECT_EQ(held["owner"], "detached");
    EXPECT_EQ(held["attempt"], "2/3");
    EXPECT_TRUE(held["leased_at"].is_string());
    EXPECT_TRUE(held["lease_expires_at"].is_string());
    EXPECT_TRUE(held["left"].get<std::string>().ends_with("s"));
    EXPECT_EQ(held["not_before"], nullptr);
    EXPECT_EQ(held["last_error"], "boom");
}

TEST_F(Look, BatchesGoOnAfterAnId) {
    put({"a", "b", "c"});
    for (int i = 0; i < 3; ++i) lease({"--max", "1"});
    const auto first = cli({"batches", "--limit", "2", "--json"});
    EXPECT_EQ(first.exit, 0);
    EXPECT_EQ(json::parse(first.out).size(), 2U);
    EXPECT_EQ(first.err, "headpond: more batches follow; go on with --after 2\n");
    const auto rest = cli({"batches", "--limit", "2", "--after", "2", "--json"});
    EXPECT_EQ(json::parse(rest.out).size(), 1U);
    EXPECT_EQ(json::parse(rest.out)[0]["batch"], 3);
    EXPECT_EQ(rest.err, "");
    put({"d"});
    expect_ok({"pause"});
    EXPECT_EQ(cli_json({"batches"}).size(), 4U) << "what the gate holds back has a row";
    EXPECT_EQ(cli_json({"batches", "--after", "2"}).size(), 1U) << "on the first page alone";
}

// --- health --------------------------------------------------------------------------------------

// The view as `sqlite3 -json` prints it; ages move between the two looks and are compared by type.
TEST_F(Look, HealthHasTheRowsOfTheViewWithTheirTypes) {
    put({"a", "b"});
    expect_ok({"pause", "--reason", "quota"});
    const json rows = cli_json({"health"}, 1);
    RawDatabase raw(database);
    const json view = json::parse(
        raw.text("SELECT json_group_array(json_object('metric', metric, 'value', value, "
                 "'limit', \"limit\", 'note', note)) FROM health"));
    ASSERT_EQ(rows.size(), view.size());
    const std::set<std::string> moving = {"age_max_s", "age_avg_s", "last_cleanup_s", "db_bytes",
                                          "wal_bytes"};
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::string metric = view[i]["metric"];
        if (moving.contains(metric)) {
            EXPECT_EQ(rows[i]["metric"], metric);
            EXPECT_EQ(rows[i]["value"].type(), view[i]["value"].type()) << metric;
            EXPECT_EQ(rows[i]["limit"], view[i]["limit"]) << metric;
        } else {
            EXPECT_EQ(rows[i], view[i]);
        }
    }
}

TEST_F(Look, HealthAnswersTheNagiosOrder) {
    put({"a"});
    EXPECT_EQ(cli({"health"}).exit, 0);
    expect_ok({"settings", "set", "items_max", "1"});
    const auto warning = cli({"health"});
    EXPECT_EQ(warning.exit, 1);
    EXPECT_NE(warning.out.find("\nwarning: full: the oldest items are evicted\n"),
              std::string::npos);
    EXPECT_EQ(warning.err, "");
    EXPECT_EQ(cli({"health", "--json"}).err, "headpond: full: the oldest items are evicted\n");
    expect_ok({"settings", "set", "overflow", "refuse"});
    const auto critical = cli({"health"});
    EXPECT_EQ(critical.exit, 2);
    EXPECT_NE(critical.out.find("\ncritical: full: newcomers are refused\n"), std::string::npos);
}

// --- check, cleanup ------------------------------------------------------------------------------

TEST_F(Look, CheckFindsAHandEditAndRepairBooksIt) {
    put({"a", "b", "c"});
    const json sound = cli_json({"check"});
    EXPECT_EQ(sound["ok"], true);
    EXPECT_EQ(sound["findings"], json::array());
    EXPECT_TRUE(sound["sqlite_version"].is_string());
    EXPECT_TRUE(sound["wal_reset_bug"].is_boolean());
    EXPECT_EQ(sound["edited"], 0);
    RawDatabase(database).exec("DELETE FROM items WHERE key = 'b'");
    const json edited = cli_json({"check"}, 2);
    EXPECT_EQ(edited["ok"], false);
    std::set<std::string> what;
    for (const auto& finding : edited["findings"]) what.insert(finding["what"]);
    EXPECT_TRUE(what.contains("ledger"));
    const json repaired = cli_json({"check", "--repair"});
    EXPECT_EQ(repaired["ok"], true);
    EXPECT_EQ(repaired["edited"], -1);
    EXPECT_EQ(cli({"check"}).exit, 0);
}

TEST_F(Look, AnExtraIndexIsAWarningAndATriggerIsCritical) {
    put({"a"});
    RawDatabase(database).exec("CREATE INDEX mine ON items (source_tag)");
    const json warned = cli_json({"check"}, 1);
    EXPECT_EQ(warned["ok"], true);
    EXPECT_EQ(warned["findings"][0]["warning"], true);
    RawDatabase(database).exec(
        "CREATE TRIGGER mine2 AFTER DELETE ON items BEGIN DELETE FROM outcomes; END");
    const auto refused = cli({"check"});
    EXPECT_EQ(refused.exit, 2);
    EXPECT_NE((refused.out + refused.err).find("mine2"), std::string::npos);
}

TEST_F(Look, CleanupCountsWhatItRemoved) {
    put({"a", "b", "c"});
    expect_ok({"settings", "set", "age_max", "0.001"});
    const auto text = cli({"cleanup"});
    EXPECT_EQ(text.exit, 0);
    EXPECT_TRUE(text.err.starts_with("[Moonshot] Removed 3 stale buffer items\n")) << text.err;
    EXPECT_NE(text.out.find("expired               3\n"), std::string::npos) << text.out;
    const json counts = cli_json({"cleanup"});
    EXPECT_EQ(counts["expired"], 0);
    EXPECT_EQ(counts["recounted"], true);
    EXPECT_EQ(counts.size(), 11U);
}

// --- backup, version, help -----------------------------------------------------------------------

TEST_F(Look, BackupIsAQueueOfItsOwnAndRefusesAnExistingFile) {
    put({"a"});
    expect_ok({"backup", "copy.db"});
    EXPECT_EQ(bare({"--db", "copy.db", "peek", "--json"}).out.find("[{\"id\":1,\"key\":\"a\""), 0U);
    expect_refused(cli({"backup", "copy.db"}), "the file exists; allowed: a new path");
    expect_refused(cli({"backup", "-"}), "a stream holds no queue");
}

TEST_F(Look, VersionAndHelpNeedNoDatabase) {
    EXPECT_TRUE(bare({"--version"}).out.starts_with("headpond "));
    EXPECT_EQ(bare({"version"}).out, bare({"--version"}).out);
    for (const std::string command :
         {"enqueue", "lease",   "ack",     "nack",    "release", "split",  "extend", "peek",
          "why",     "outcome", "cancel",  "batches", "dead",    "pause",  "resume", "settings",
          "health",  "check",   "cleanup", "migrate", "backup",  "version"}) {
        const auto help = bare({command, "--help"});
        EXPECT_EQ(help.exit, 0);
        EXPECT_NE(help.out.find("--json"), std::string::npos) << command;
        EXPECT_NE(help.out.find("--db"), std::string::npos) << command;
    }
    const auto all = bare({"--help"});
    EXPECT_NE(all.out.find("Exit codes: 0 ok, 1 nothing to do or a warning, 2 critical or corrupt"),
              std::string::npos);
    EXPECT_NE(all.out.find("HEADPOND_DURABILITY"), std::string::npos);
    EXPECT_NE(bare({"settings", "--help"}).out.find("items_max (1000 items)"), std::string::npos);
    EXPECT_TRUE(files().empty());
}

}  // namespace
}  // namespace headpond::test
