#include "support/cli_fixture.h"

namespace headpond::test {
namespace {

class Dead : public CliTest {
  protected:
    // Three dead letters: a and b abandoned, c rejected.
    void fill() {
        put({"a", "b", "c"});
        expect_ok({"settings", "set", "attempts_max", "1"});
        expect_ok({"ack", lease(), "--results", "-"}, "{\"key\":\"c\",\"reject\":\"no\"}");
        EXPECT_EQ(keys(), (std::set<std::string>{"a", "b", "c"}));
    }
    std::set<std::string> keys() {
        std::set<std::string> all;
        for (const auto& letter : cli_json({"dead", "ls"})) all.insert(letter["key"]);
        return all;
    }
};

TEST_F(Dead, LsShowsLettersAndTakesFilters) {
    fill();
    const json letters = cli_json({"dead", "ls", "--reason", "abandoned"});
    ASSERT_EQ(letters.size(), 2U);
    const json& letter = letters[0];
    EXPECT_EQ(letter["payload"], "payload of " + letter["key"].get<std::string>());
    EXPECT_EQ(letter["batch"], 1);
    EXPECT_EQ(letter["attempts"], 1);
    EXPECT_EQ(letter["last_error"], "not in results");
    const auto first = cli({"dead", "ls", "--limit", "1"});
    EXPECT_EQ(first.exit, 0);
    EXPECT_EQ(cli_json({"dead", "ls", "--key", "c"}).size(), 1U);
}

TEST_F(Dead, LsGoesPageByPage) {
    fill();
    std::vector<std::string> keys;
    std::string after;
    for (int page = 1; page <= 3; ++page) {
        std::vector<std::string> arguments{"dead", "ls", "--limit", "1", "--json"};
        if (!after.empty()) arguments.insert(arguments.end(), {"--after", after});
        const auto result = cli(arguments);
        EXPECT_EQ(result.exit, 0);
        const json letters = json::parse(result.out);
        ASSERT_EQ(letters.size(), 1U);
        keys.push_back(letters[0]["key"]);
        after = letters[0]["item_id"].dump();
        EXPECT_EQ(result.err, page == 3 ? ""
                                        : "headpond: more dead letters follow; go on with "
                                          "--after " +
                                              after + "\n");
    }
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 3U);
    EXPECT_EQ(cli_json({"dead", "ls", "--after", after}), json::array());
    EXPECT_EQ(cli({"dead", "ls", "--limit", "3"}).err, "") << "as many as there are";
    EXPECT_NE(cli({"dead", "ls"}).out.find("id  key"), std::string::npos);
    expect_refused(cli({"dead", "ls", "--after", "17"}), "no dead letter has the item id 17; all");
    expect_refused(cli({"dead", "redrive", "--all", "--after", "1"}), "no option '--after'");
}

TEST_F(Dead, LsShowsAHundredUnlessAskedForMore) {
    std::vector<std::string> many;
    for (int i = 0; i < 101; ++i) many.push_back("k" + std::to_string(i));
    put(many);
    expect_ok({"settings", "set", "attempts_max", "1"});
    expect_ok({"settings", "set", "batch_items_max", "200"});
    expect_ok({"nack", lease(), "--error", "boom"});
    const auto usual = cli({"dead", "ls", "--json"});
    EXPECT_EQ(json::parse(usual.out).size(), 100U);
    EXPECT_EQ(usual.err, "headpond: more dead letters follow; go on with --after 100\n");
    EXPECT_EQ(cli_json({"dead", "ls", "--limit", "101"}).size(), 101U);
}

TEST_F(Dead, RedriveOfOneKeyAsksNothing) {
    fill();
    const auto result = cli({"dead", "redrive", "--key", "a"});
    EXPECT_EQ(result.exit, 0) << result.err;
    EXPECT_EQ(result.out, "matching dead letters: 1\nredriven 1\n");
    EXPECT_EQ(cli_json({"outcome", "a"}, 1)["state"], "pending");
    EXPECT_EQ(keys(), (std::set<std::string>{"b", "c"}));
}

TEST_F(Dead, BulkNeedsAFilterAndYes) {
    fill();
    for (const std::string verb : {"redrive", "purge"}) {
        expect_refused(cli({"dead", verb}), verb + " of what? allowed: --key, --reason, --limit");
        expect_refused(cli({"dead", verb, "--yes"}), verb + " of what?");
        const auto unsure = cli({"dead", verb, "--all"});
        EXPECT_EQ(unsure.exit, 3);
        EXPECT_EQ(unsure.out, "matching dead letters: 3\n") << "the count comes first";
        EXPECT_EQ(unsure.err, "headpond: " + verb +
                                  " 3 dead letters needs --yes where there is no terminal to ask "
                                  "on\n");
        expect_refused(cli({"dead", verb, "--all", "--key", "a"}), "excludes");
        expect_refused(cli({"dead", verb, "--reason", "old"}), "--reason is 'old'; allowed: aban");
    }
    EXPECT_EQ(keys().size(), 3U);
}

TEST_F(Dead, BulkWithYesActsOnWhatMatches) {
    fill();
    EXPECT_EQ(cli_json({"dead", "purge", "--reason", "rejected", "--yes"})["purged"], 1);
    const json redriven = cli_json({"dead", "redrive", "--all", "--yes"});
    EXPECT_EQ(redriven["redriven"], 2);
    EXPECT_EQ(cli_json({"dead", "redrive", "--all", "--yes"}, 1)["redriven"], 0);
    EXPECT_EQ(cli_json({"dead", "purge", "--all", "--yes"}, 1)["purged"], 0);
    EXPECT_EQ(cli_json({"peek"}).size(), 2U);
}

TEST_F(Dead, LettersWithoutRoomOrWithAResidentKeyAreLeftWithAWarning) {
    fill();
    put({"a"});
    const auto duplicate = cli({"dead", "redrive", "--key", "a"});
    EXPECT_EQ(duplicate.exit, 1);
    EXPECT_EQ(duplicate.err, "headpond: 1 were left: their key is in the queue\n");
    expect_ok({"settings", "set", "items_max", "2"});
    const auto full = cli({"dead", "redrive", "--all", "--yes"});
    EXPECT_EQ(full.exit, 1);
    EXPECT_NE(full.out.find("redriven 1\n"), std::string::npos) << full.out;
    EXPECT_NE(full.err.find("were left: the queue is full, or their payload is over "
                            "payload_bytes_max\n"),
              std::string::npos)
        << full.err;
    EXPECT_EQ(cli_json({"peek"}).size(), 2U) << "a redrive evicts nothing";
}

TEST_F(Dead, OnATerminalItAsks) {
    fill();
    const auto answer = [&](const std::string& reply) {
        auto one = options(with_database({"dead", "purge", "--all"}));
        one.terminal = true;
        return Program(HEADPOND_PROGRAM, one).finish(reply);
    };
    const auto no = answer("n\n");
    EXPECT_EQ(no.exit, 1) << no.err;
    EXPECT_EQ(no.err, "purge 3 dead letters? [y/N] ");
    EXPECT_EQ(answer("\n").exit, 1);
    EXPECT_EQ(keys().size(), 3U);
    const auto yes = answer("y\n");
    EXPECT_EQ(yes.exit, 0) << yes.out;
    EXPECT_NE(yes.out.find("purged 3"), std::string::npos);
    EXPECT_TRUE(keys().empty());
}

}  // namespace
}  // namespace headpond::test
