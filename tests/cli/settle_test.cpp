#include "support/cli_fixture.h"

#include <fstream>

namespace headpond::test {
namespace {

using Settle = CliTest;

TEST_F(Settle, AckEndsAllAndASecondOneIsFenced) {
    put({"a", "b"});
    const std::string token = lease();
    const json first = cli_json({"ack", token});
    EXPECT_EQ(first["acked"], 2);
    EXPECT_EQ(first["fenced"], false);
    const auto second = cli({"ack", token});
    EXPECT_EQ(second.exit, 1);
    EXPECT_EQ(second.out, "fenced\n");
    EXPECT_EQ(cli_json({"ack", token}, 1)["fenced"], true);
    EXPECT_TRUE(cli_json({"peek"}).empty());
}

TEST_F(Settle, ResultsByIdAndKeyWithRejectsAndTheRestNacked) {
    put({"a", "b", "c", "d"});
    without_delays();
    const std::string token = lease();
    const json settled =
        cli_json({"ack", token, "--results", "-"}, 0,
                 "{\"key\":\"a\",\"result\":\"Kyiv\"}\n\n{\"id\":2,\"result_base64\":\"//4=\"}\n"
                 "{\"key\":\"c\",\"reject\":\"no place\"}\n");
    EXPECT_EQ(settled["acked"], 2);
    EXPECT_EQ(settled["rejected"], 1);
    EXPECT_EQ(cli_json({"outcome", "a"})["result"], "Kyiv");
    EXPECT_EQ(cli_json({"outcome", "b"})["result_base64"], "//4=");
    EXPECT_EQ(cli_json({"outcome", "c"})["reason"], "rejected");
    const json letter = cli_json({"dead", "ls"})[0];
    EXPECT_EQ(letter["key"], "c");
    EXPECT_EQ(letter["last_error"], "no place");
    const json again = cli_json({"lease"});
    ASSERT_EQ(again["items"].size(), 1U);
    EXPECT_EQ(again["items"][0]["key"], "d");
    EXPECT_EQ(again["attempt"], 2);
    EXPECT_EQ(RawDatabase(database).text("SELECT error FROM attempts WHERE attempt = 1"),
              "not in results");
}

TEST_F(Settle, TheRestMayBeKeptAndSettledLater) {
    put({"a", "b"});
    const std::string token = lease();
    std::ofstream(dir / "results") << "{\"key\":\"a\"}";
    const auto first =
        cli({"ack", token, "--results", (dir / "results").string(), "--rest", "keep"});
    EXPECT_EQ(first.exit, 0) << first.err;
    EXPECT_EQ(first.out, "acked 1, the rest: keep\n");
    EXPECT_EQ(cli({"ack", token}).out, "acked 1\n");
}

TEST_F(Settle, TheRestMayBeAckedReleasedOrSplit) {
    put({"a", "b", "c"});
    without_delays();
    const auto with_rest = [&](const std::string& rest) {
        expect_ok({"ack", lease(), "--results", "-", "--rest", rest}, "");
    };
    with_rest("release");
    const json released = cli_json({"lease"});
    EXPECT_EQ(released["attempt"], 1);
    expect_ok({"ack", released["token"], "--results", "-", "--rest", "split"});
    EXPECT_EQ(cli_json({"batches"}).size(), 2U);
    with_rest("ack");
    with_rest("ack");
    EXPECT_TRUE(cli_json({"peek"}).empty());
}

TEST_F(Settle, ANamedItemThatIsNotInTheBatchIsAWarning) {
    put({"a"});
    const auto result =
        cli({"ack", lease(), "--results", "-", "--rest", "ack"}, "{\"key\":\"other\"}\n");
    EXPECT_EQ(result.exit, 1);
    EXPECT_EQ(result.out, "acked 1, gone 1\n");
    EXPECT_EQ(result.err, "headpond: 1 named items are not in the batch\n");
}

TEST_F(Settle, NackKeepsTheErrorAndTheLastOneAbandons) {
    put({"a", "b"});
    without_delays();
    expect_ok({"settings", "set", "attempts_max", "2"});
    const auto first = cli({"nack", lease(), "--error", "503"});
    EXPECT_EQ(first.out, "nacked\n");
    const auto second = cli({"nack", lease(), "--error", "503 again"});
    EXPECT_EQ(second.exit, 0);
    EXPECT_EQ(second.out, "abandoned\n");
    EXPECT_EQ(second.err, "[Moonshot] Batch batch_1 permanently failed, cleared 2 items\n");
    const json dead = cli_json({"dead", "ls"});
    ASSERT_EQ(dead.size(), 2U);
    EXPECT_EQ(dead[0]["reason"], "abandoned");
    EXPECT_EQ(dead[0]["attempts"], 2);
    EXPECT_EQ(dead[0]["payload"], "payload of a");
}

TEST_F(Settle, NackAndReleaseTakeADelay) {
    put({"a", "b"});
    expect_ok({"nack", lease({"--max", "1"}), "--error", "x", "--delay", "100.5"});
    expect_ok({"release", lease({"--max", "1"}), "--delay", "200"});
    const json batches = cli_json({"batches"});
    const auto seconds = [&](std::size_t i) {
        return std::stoi(batches[i]["leasable"].get<std::string>().substr(3));  // "in 100s"
    };
    EXPECT_NEAR(seconds(0), 71, 30) << batches;
    EXPECT_NEAR(seconds(1), 170, 30) << batches;
    EXPECT_EQ(batches[0]["last_error"], "x");
    EXPECT_EQ(batches[1]["last_error"], nullptr);
}

TEST_F(Settle, ReleaseRefundsTheAttempt) {
    put({"a"});
    without_delays();
    EXPECT_EQ(cli({"release", lease(), "--error", "not sent"}).out, "released\n");
    EXPECT_EQ(cli_json({"lease"})["attempt"], 1);
}

TEST_F(Settle, SplitMakesTwoBatchesOfTheirOwn) {
    put({"a", "b", "c"});
    EXPECT_EQ(cli({"split", lease()}).out, "split\n");
    const json batches = cli_json({"batches"});
    ASSERT_EQ(batches.size(), 2U);
    EXPECT_EQ(batches[0]["why"], "due");
    EXPECT_EQ(batches[0]["items"], 2);
    EXPECT_EQ(batches[1]["items"], 1);
    EXPECT_EQ(batches[0]["attempt"], "1/3") << "halves keep what was charged";
    EXPECT_EQ(cli_json({"lease"})["items"].size(), 2U);
}

TEST_F(Settle, ExtendMovesTheLapseAndIsFencedAfterIt) {
    put({"a"});
    const std::string token = lease({"--lease-seconds", "50"});
    EXPECT_EQ(cli({"extend", token, "3000.5"}).out, "extended\n");
    EXPECT_EQ(cli_json({"batches"})[0]["left"].get<std::string>().size(), 5U) << "about 3000s";
    expect_ok({"ack", token});
    EXPECT_EQ(cli({"extend", token, "10"}).exit, 1);
}

TEST_F(Settle, AMalformedResultChangesNothing) {
    put({"a", "b"});
    const std::string token = lease();
    const std::string good = "{\"key\":\"a\"}\n";
    const std::map<std::string, std::string> bad = {
        {"{", "line 2: no JSON"},
        {"{}", "line 2: id and key are missing"},
        {R"({"id":0})", "line 2: id is '0'"},
        {R"({"id":1.5})", "line 2: id is '1.5'"},
        {R"({"id":99999999999999999999})", "line 2: id is"},
        {R"({"id":18446744073709551615})", "line 2: id is"},
        {R"({"id":"1"})", "line 2: id is"},
        {R"({"id":1,"key":"b"})", "line 2: id and key are both given"},
        {R"({"key":"b","result":5})", "line 2: result is a number"},
        {R"({"key":"b","result":"x","reject":"y"})", "line 2: result and reject"},
        {R"({"key":"b","results":"x"})", "line 2: unknown field 'results'"},
        {R"({"key":"a"})", "named twice"},
    };
    for (const auto& [line, words] : bad) {
        expect_refused(cli({"ack", token, "--results", "-"}, good + line + "\n"), words);
    }
    EXPECT_EQ(cli_json({"ack", token})["acked"], 2);
}

TEST_F(Settle, ResultsThatCanNotBeReadAreNamed) {
    put({"a"});
    const std::string token = lease();
    expect_refused(cli({"ack", token, "--results", "nowhere"}), "'nowhere': No such file");
    expect_refused(cli({"ack", token, "--results", dir.path().string()}), "Is a directory");
    expect_refused(cli({"ack", token, "--results", ""}), "No such file");
    expect_refused(cli({"ack", token, "--results", "-", "--rest", "drop"}),
                   "--rest is 'drop'; allowed: ack, nack, release, split, keep");
    EXPECT_EQ(cli({"ack", token}).exit, 0);
}

}  // namespace
}  // namespace headpond::test
