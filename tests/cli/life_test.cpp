// A whole life by the command line alone, and what its commands leave in the file.
#include "support/cli_fixture.h"

#include <fstream>

namespace headpond::test {
namespace {

using CliLife = CliTest;

TEST_F(CliLife, FromEnqueueToRedriveTheLedgerBalances) {
    put({"a", "b", "c", "d", "e", "f"});
    without_delays();
    expect_ok({"settings", "set", "attempts_max", "2"});
    expect_ok({"release", lease({"--max", "4"}), "--error", "not sent"});
    expect_ok({"split", lease()});  // a b, c d
    const std::string first = lease();
    expect_ok({"extend", first, "120"});
    expect_ok({"ack", first, "--results", "-", "--rest", "nack"},
              "{\"key\":\"a\",\"result\":\"A\"}\n");
    std::vector<std::string> seen;
    for (int i = 0; i < 2; ++i) {  // b has died; c d have their last attempt, e f their first
        const json batch = cli_json({"lease"});
        for (const auto& item : batch["items"]) seen.push_back(item["key"]);
        expect_ok({"nack", batch["token"], "--error", "down"});
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"c", "d", "e", "f"}));
    EXPECT_TRUE(cli({"why", "b"}).out.starts_with("dead letter: abandoned after 2 attempts"));
    expect_ok({"pause", "--reason", "maintenance"});
    EXPECT_EQ(cli({"lease"}).exit, 1);
    expect_ok({"resume"});
    expect_ok({"ack", lease()});
    expect_ok({"dead", "redrive", "--all", "--yes"});
    expect_ok({"cancel", "b"});
    expect_ok({"ack", lease()});
    expect_ok({"cleanup"});
    const std::map<std::string, std::string> outcomes = {{"a", "resolved"}, {"b", "fallback"},
                                                         {"c", "resolved"}, {"d", "resolved"},
                                                         {"e", "resolved"}, {"f", "resolved"}};
    for (const auto& [key, state] : outcomes) {
        EXPECT_EQ(cli_json({"outcome", key})["state"], state) << key;
    }
    EXPECT_EQ(cli_json({"check"})["ok"], true);
    RawDatabase raw(database);
    EXPECT_EQ(raw.integer("SELECT difference FROM ledger"), 0);
    EXPECT_EQ(raw.integer("SELECT count(*) FROM owners"), 0) << "each run signed off";
}

TEST_F(CliLife, SettingsAreChangedBySetAloneAndSayByWhom) {
    EXPECT_EQ(cli({"settings", "set", "items_max", "7"}).out, "items_max: 1000 -> 7 items\n");
    expect_ok({"settings", "set", "age_max", "12.5"});
    expect_ok({"settings", "set", "overflow", "refuse"});
    std::map<std::string, json> all;
    for (const auto& row : cli_json({"settings"})) all[row["name"]] = row;
    EXPECT_EQ(all["items_max"]["value"], 7);
    EXPECT_EQ(all["items_max"]["unit"], "items");
    EXPECT_EQ(all["age_max"]["value"], 12.5);
    EXPECT_EQ(all["overflow"]["value"], "refuse");
    EXPECT_EQ(all["overflow"]["unit"], nullptr);
    EXPECT_EQ(all["overflow"]["allowed"], "evict_oldest, refuse, block");
    EXPECT_NE(all["items_max"]["changed_by"].get<std::string>().find('@'), std::string::npos);
    EXPECT_EQ(all.size(), 31U);
}

TEST_F(CliLife, VariablesOfTheFileAreNotWritten) {
    put({"a"});
    environment["HEADPOND_MAX_BUFFER_SIZE"] = "3";
    environment["HEADPOND_AGE_MAX"] = "junk";  // not a variable: the name is MAX_BUFFER_AGE
    put({"b", "c", "d", "e"});
    EXPECT_EQ(cli_json({"peek"}).size(), 5U);
    EXPECT_EQ(RawDatabase(database).integer("SELECT value FROM settings WHERE name='items_max'"),
              1000);
}

TEST_F(CliLife, PauseAndResumeAreOneRow) {
    put({"a"});
    const json closed = cli_json({"pause", "--for", "3600.5", "--reason", "quota"});
    EXPECT_EQ(closed["state"], "closed");
    EXPECT_TRUE(closed["until"].is_string());
    EXPECT_EQ(closed["reason"], "quota");
    EXPECT_NE(closed["changed_by"].get<std::string>().find('@'), std::string::npos);
    EXPECT_EQ(cli_json({"pause"})["until"], nullptr);
    EXPECT_EQ(cli_json({"resume"})["state"], "open");
    EXPECT_EQ(cli({"resume"}).exit, 0) << "again";
}

// --- who creates the file ------------------------------------------------------------------------

TEST_F(CliLife, EnqueueSettingsSetAndMigrateCreateAMissingOrEmptyFile) {
    const std::vector<std::vector<std::string>> creators = {
        {"enqueue", "--key", "a"}, {"settings", "set", "items_max", "5"}, {"migrate"}};
    for (const bool empty : {false, true}) {
        for (const auto& creator : creators) {
            const std::string name = creator[0] + (empty ? "-empty" : "-missing");
            database = dir / name;
            if (empty) std::ofstream{database};
            expect_ok(creator);
            EXPECT_EQ(cli({"check"}).exit, 0) << name;
        }
    }
}

TEST_F(CliLife, EveryOtherCommandAnswersThreeAndLeavesNothing) {
    const std::string token = "1-0123456789abcdef";
    const std::vector<std::vector<std::string>> others = {{"lease"},
                                                          {"ack", token},
                                                          {"nack", token, "--error", "x"},
                                                          {"release", token},
                                                          {"split", token},
                                                          {"extend", token, "5"},
                                                          {"peek"},
                                                          {"why", "a"},
                                                          {"outcome", "a"},
                                                          {"cancel", "a"},
                                                          {"batches"},
                                                          {"health"},
                                                          {"check"},
                                                          {"check", "--repair"},
                                                          {"cleanup"},
                                                          {"settings"},
                                                          {"dead", "ls"},
                                                          {"dead", "redrive", "--all", "--yes"},
                                                          {"dead", "purge", "--all", "--yes"},
                                                          {"pause"},
                                                          {"resume"},
                                                          {"backup", "copy.db"}};
    for (const auto& command : others) {
        expect_refused(cli(command), "there is no such file; allowed: an existing queue");
        EXPECT_TRUE(files().empty()) << command[0];
    }
    std::ofstream{database};
    for (const auto& command : others) {
        expect_refused(cli(command), "the file is empty; allowed: an existing queue");
        EXPECT_EQ(files(), std::set<std::string>{"queue.db"}) << command[0];
        EXPECT_EQ(std::filesystem::file_size(database), 0U);
    }
}

TEST_F(CliLife, MigrateSaysWhatItApplied) {
    const json applied = cli_json({"migrate"});
    ASSERT_GE(applied["applied"].size(), 1U);
    EXPECT_EQ(applied["applied"][0]["version"], 1);
    EXPECT_EQ(cli_json({"migrate"})["applied"], json::array());
    EXPECT_EQ(cli({"migrate"}).out, "up to date\n");
}

}  // namespace
}  // namespace headpond::test
