#include "support/cli_fixture.h"

namespace headpond::test {
namespace {

using Enqueue = CliTest;

TEST_F(Enqueue, OneItemPrintsOneWordAndItsDuplicateIsAWarning) {
    const auto first = cli({"enqueue", "--key", "a", "--tag", "wire", "--track"}, "hello");
    EXPECT_EQ(first.exit, 0) << first.err;
    EXPECT_EQ(first.out, "stored\n");
    const auto second = cli({"enqueue", "--key", "a"}, "other");
    EXPECT_EQ(second.exit, 1);
    EXPECT_EQ(second.out, "duplicate\n");
    EXPECT_EQ(second.err, "");
    const json item = cli_json({"lease"})["items"][0];
    EXPECT_EQ(item["key"], "a");
    EXPECT_EQ(item["tag"], "wire");
    EXPECT_EQ(item["payload"], "hello");
}

TEST_F(Enqueue, JsonNamesKeyAndResult) {
    EXPECT_EQ(cli_json({"enqueue", "--key", "a"}), json::parse(R"({"key":"a","result":"stored"})"));
    const auto result =
        cli({"enqueue", "--ndjson", "--json"}, "{\"key\":\"a\"}\n{\"key\":\"b\"}\n");
    EXPECT_EQ(result.exit, 1);
    EXPECT_EQ(result.out,
              "{\"line\":1,\"key\":\"a\",\"result\":\"duplicate\"}\n"
              "{\"line\":2,\"key\":\"b\",\"result\":\"stored\"}\n");
}

TEST_F(Enqueue, LinesAreAnsweredInOrderAndBlankOnesSkipped) {
    const auto result = cli({"enqueue", "--ndjson"},
                            "{\"key\":\"a\",\"payload\":\"1\"}\r\n\n  \t\n{\"key\":\"a\"}\n"
                            "{\"key\":\"b\",\"tag\":null,\"track\":null,\"published_at\":null}");
    EXPECT_EQ(result.out, "stored\nduplicate\nstored\n");
    EXPECT_EQ(result.exit, 1);
}

TEST_F(Enqueue, ManyLinesGoInSeveralTransactions) {
    expect_ok({"settings", "set", "items_max", "5000"});
    std::string lines, words;
    for (int i = 0; i < 1234; ++i) {
        lines += R"({"key":"k)" + std::to_string(i) + "\"}\n";
        words += "stored\n";
    }
    const auto result = cli({"enqueue", "--ndjson"}, lines);
    EXPECT_EQ(result.exit, 0) << result.err;
    EXPECT_EQ(result.out, words);
    const json items = cli_json({"peek", "2000"});
    ASSERT_EQ(items.size(), 1234U);
    EXPECT_EQ(items[1233]["key"], "k1233");
}

TEST_F(Enqueue, ASlowWritersItemIsStoredBeforeTheNextOneComes) {
    Program program(HEADPOND_PROGRAM, options(with_database({"enqueue", "--ndjson"})));
    program.write("{\"key\":\"first\"}\n");
    EXPECT_EQ(program.read_line(), "stored");
    EXPECT_EQ(cli_json({"peek"}).size(), 1U);
    program.write("{\"key\":\"second\"}\n");
    EXPECT_EQ(program.read_line(), "stored");
    EXPECT_EQ(program.finish().exit, 0);
}

TEST_F(Enqueue, EmptyInputIsNothingToDoAndCreatesNothing) {
    const auto result = cli({"enqueue", "--ndjson"}, "\n\n");
    EXPECT_EQ(result.exit, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(files().empty());
}

TEST_F(Enqueue, EveryByteSurvivesByBase64) {
    std::string payload;
    for (int length = 0; length < 3; ++length) payload += '\0';
    for (int byte = 0; byte < 256; ++byte) payload += static_cast<char>(byte);
    expect_ok({"enqueue", "--key", "first"}, payload);
    const std::string encoded = cli_json({"lease"})["items"][0]["payload_base64"];
    const std::string line = json{{"key", "second"}, {"payload_base64", encoded}}.dump();
    expect_ok({"enqueue", "--ndjson"}, line + "\n");
    RawDatabase raw(database);
    EXPECT_EQ(raw.integer("SELECT count(DISTINCT payload) FROM items"), 1);
    EXPECT_EQ(raw.integer("SELECT max(length(payload)) FROM items"), 259);
}

TEST_F(Enqueue, Base64OfEveryRemainderIsReadBack) {
    const std::map<std::string, std::string> known = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    std::string lines;
    for (const auto& [text, encoded] : known) {
        lines += json{{"key", "k" + text}, {"payload_base64", encoded}}.dump() + "\n";
    }
    expect_ok({"enqueue", "--ndjson"}, lines);
    const json batch = cli_json({"lease"});
    EXPECT_EQ(batch["items"].size(), known.size());
    for (const auto& item : batch["items"]) {
        EXPECT_EQ("k" + item["payload"].get<std::string>(), item["key"]);
    }
}

TEST_F(Enqueue, PublishedTimesAreReadWithTheirOffset) {
    expect_ok({"enqueue", "--key", "a", "--track", "--published", "2024-02-29T23:30:00.25+01:30"});
    expect_ok({"enqueue", "--ndjson"},
              R"({"key":"b","track":true,"published_at":"1999-12-31T23:59:60Z"})");
    expect_ok({"ack", lease()});
    EXPECT_EQ(cli_json({"outcome", "a"})["published_at"], "2024-02-29T22:00:00.250Z");
    EXPECT_EQ(cli_json({"outcome", "b"})["published_at"], "2000-01-01T00:00:00.000Z");
}

TEST_F(Enqueue, ThePayloadLimitIsTheFiles) {
    expect_ok({"settings", "set", "payload_bytes_max", "10"});
    EXPECT_EQ(cli({"enqueue", "--key", "at"}, "0123456789").out, "stored\n");
    const auto over = cli({"enqueue", "--key", "over"}, "01234567890");
    EXPECT_EQ(over.out, "too_large\n");
    EXPECT_EQ(over.exit, 1);
    EXPECT_EQ(cli({"enqueue", "--key", "none"}).out, "stored\n") << "0 bytes";
    const auto mixed = cli({"enqueue", "--ndjson"},
                           "{\"key\":\"x\",\"payload\":\"01234567890\"}\n{\"key\":\"y\"}\n");
    EXPECT_EQ(mixed.out, "too_large\nstored\n");
    EXPECT_EQ(mixed.exit, 1);
}

TEST_F(Enqueue, AFullQueueThatRefusesIsAWarning) {
    expect_ok({"settings", "set", "items_max", "1"});
    expect_ok({"settings", "set", "overflow", "refuse"});
    expect_ok({"enqueue", "--key", "a"});
    const auto result = cli({"enqueue", "--key", "b"});
    EXPECT_EQ(result.out, "refused\n");
    EXPECT_EQ(result.exit, 1);
}

TEST_F(Enqueue, AnEndlessPayloadIsReadNoFurtherThanItsLimit) {
    auto one = options(with_database({"enqueue", "--key", "a"}));
    one.stdin_path = "/dev/zero";
    const auto result = Program(HEADPOND_PROGRAM, one).finish();
    EXPECT_EQ(result.out, "too_large\n");
    EXPECT_EQ(result.exit, 1);
}

// --- malformed lines -----------------------------------------------------------------------------

TEST_F(Enqueue, WhatStoodBeforeAMalformedLineIsStored) {
    const auto result =
        cli({"enqueue", "--ndjson"}, "{\"key\":\"a\"}\n\n{\"key\":\"b\"\n{\"key\":\"c\"}\n");
    EXPECT_EQ(result.exit, 3);
    EXPECT_EQ(result.out, "stored\n");
    EXPECT_NE(result.err.find("headpond: line 3: no JSON"), std::string::npos) << result.err;
    const json items = cli_json({"peek"});
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0]["key"], "a");
}

TEST_F(Enqueue, ALineOverTheLimitIsNamedAndNotHeldInMemory) {
    std::string lines = "{\"key\":\"a\"}\n{\"key\":\"b\",\"payload\":\"";
    lines += std::string(7U << 20U, 'x') + "\"}\n";
    const auto result = cli({"enqueue", "--ndjson"}, lines);
    EXPECT_EQ(result.exit, 3);
    EXPECT_EQ(result.out, "stored\n");
    EXPECT_NE(result.err.find("line 2: over "), std::string::npos) << result.err;
}

TEST_F(Enqueue, APayloadAtItsLimitFitsHoweverItIsWritten) {
    std::string escaped;
    for (int i = 0; i < 1 << 20; ++i) escaped += "\\u0001";
    const auto result =
        cli({"enqueue", "--ndjson"}, R"({"key":"a","payload":")" + escaped + "\"}\n");
    EXPECT_EQ(result.exit, 0) << result.err;
    EXPECT_EQ(result.out, "stored\n");
}

struct BadLine {
    std::string line, words;
};
void PrintTo(const BadLine& bad, std::ostream* out) {
    *out << bad.words;
}

class EnqueueBadLine : public CliTest, public ::testing::WithParamInterface<BadLine> {};

TEST_P(EnqueueBadLine, IsOneLineThatNamesItAndCreatesNothing) {
    expect_refused(cli({"enqueue", "--ndjson"}, GetParam().line + "\n"),
                   "line 1: " + GetParam().words);
    EXPECT_TRUE(files().empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, EnqueueBadLine,
    ::testing::Values(
        BadLine{"[]", "this is an array; allowed: an object"}, BadLine{"5", "this is a number"},
        BadLine{"null", "this is null"}, BadLine{"{}", "key is missing"},
        BadLine{R"({"key":null})", "key is missing"},
        BadLine{R"({"key":"z","key":"y"})", "'key' is given twice; allowed: once"},
        BadLine{R"({"key":5})", "key is a number; allowed: a string"},
        BadLine{R"({"key":""})", "key is empty; allowed: 1 to 1024 bytes"},
        BadLine{R"({"key":")" + std::string(1025, 'k') + "\"}", "key has 1025 bytes"},
        BadLine{R"({"key":"a\u0000b"})", "key contains a NUL byte"},
        BadLine{R"({"key":"a","tag":5})", "tag is a number"},
        BadLine{R"({"key":"a","tag":")" + std::string(257, 't') + "\"}", "tag has 257 bytes"},
        BadLine{R"({"key":"a","payload":5})", "payload is a number; allowed: a string"},
        BadLine{R"({"key":"a","payload":null})", "payload is null; allowed: a string"},
        BadLine{R"({"key":"a","payload":{"x":1}})", "'payload' is an object"},
        BadLine{R"({"key":"a","payload":)" + std::string(100'000, '['), "'payload' is an array"},
        BadLine{R"({"key":"a","payload_base64":"Zg="})", "payload_base64 is no base64"},
        BadLine{R"({"key":"a","payload_base64":"Zh=="})", "payload_base64 is no base64"},
        BadLine{R"({"key":"a","payload_base64":"Z*=="})", "payload_base64 is no base64"},
        BadLine{R"({"key":"a","payload_base64":"","payload":""})",
                "payload and payload_base64 are both"},
        BadLine{R"({"key":"a","track":"yes"})", "track is a string; allowed: true or false"},
        BadLine{R"({"key":"a","published_at":5})", "published_at is a number"},
        BadLine{R"({"key":"a","published_at":"2026-02-30T00:00:00Z"})", "published_at is '2026"},
        BadLine{R"({"key":"a","published_at":"2026-02-03T00:00:00"})", "published_at is '2026"},
        BadLine{R"({"key":"a","published_at":"1969-12-31T23:59:59Z"})", "published_at is '1969"},
        BadLine{R"({"key":"a","published_at":"2026-02-03T00:00:00+1:00"})",
                "published_at is '2026"},
        BadLine{R"({"key":"a","frob":1})", "unknown field 'frob'; allowed: an object {key, tag"},
        BadLine{R"({"key":"a"} x)", "no JSON in UTF-8 at byte"},
        BadLine{"{\"key\":\"\xff\"}", "no JSON in UTF-8 at byte"},
        BadLine{R"({"key":"\ud800"})", "no JSON in UTF-8 at byte"}, BadLine{"{", "no JSON"}));

}  // namespace
}  // namespace headpond::test
