// Feeds by address, read once: what is asked for, kept, refused and said.
#include "ingest_run/feeds_run.h"

#include "support/raw_server.h"

#include <array>
#include <utility>

#include <iconv.h>
#include <signal.h>
#include <sys/resource.h>
#include <zlib.h>

namespace headpond::test {
namespace {

std::string gzipped(const std::string& text, std::size_t times = 1) {
    z_stream stream{};
    constexpr int gzip_window = 15 + 16;
    EXPECT_EQ(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY),
              Z_OK);
    std::string packed;
    std::array<char, 65536> part{};
    for (std::size_t i = 0; i < times; ++i) {
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        stream.avail_in = static_cast<uInt>(text.size());
        const int flush = i + 1 == times ? Z_FINISH : Z_NO_FLUSH;
        do {
            stream.next_out = reinterpret_cast<Bytef*>(part.data());
            stream.avail_out = part.size();
            deflate(&stream, flush);
            packed.append(part.data(), part.size() - stream.avail_out);
        } while (stream.avail_out == 0);
    }
    deflateEnd(&stream);
    return packed;
}

std::string answer_with(const std::string& headers, const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n" + headers + "\r\n" + body;
}

// --- conditional requests ------------------------------------------------------------------------

TEST_F(FeedsRun, ASecondRunAsksForChangesOnly) {
    FeedServer server;
    const std::string url = server.address("/feed");
    server.set("/feed", {.body = feed_of("one", 12),
                         .etag = "\"v1\"",
                         .headers = {{"Last-Modified", "Wed, 25 Nov 2026 08:00:00 GMT"}}});
    EXPECT_EQ(summary_of(run(start({url})))["alerts"], 12);
    EXPECT_EQ(feed_column("etag", url), "\"v1\"");
    EXPECT_EQ(feed_column("last_modified", url), "Wed, 25 Nov 2026 08:00:00 GMT");
    EXPECT_EQ(feed_column("status", url), "200");
    EXPECT_EQ(feed_column("alerts", url), "12");
    EXPECT_EQ(summary_of(run(start({url})))["alerts"], 0);
    EXPECT_EQ(feed_column("status", url), "304");
    EXPECT_EQ(feed_column("alerts", url), "12");
    EXPECT_EQ(feed_column("failures", url), "0");
    EXPECT_EQ(feed_column("last_error", url), "NULL");
    server.set("/feed", {.body = feed_of("one", 15), .etag = "\"v2\""});
    const json third = summary_of(run(start({url})));
    EXPECT_EQ(third["known"], 12);
    EXPECT_EQ(feed_column("etag", url), "\"v2\"");
    EXPECT_EQ(feed_column("last_modified", url), "NULL");
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 3U);
    EXPECT_FALSE(requests[0].has_header("If-None-Match"));
    EXPECT_EQ(requests[1].get_header_value("If-None-Match"), "\"v1\"");
    EXPECT_EQ(requests[1].get_header_value("If-Modified-Since"), "Wed, 25 Nov 2026 08:00:00 GMT");
    expect_whole(15);
}

// The queue takes 7 of 20 alerts, and holds them until somebody opens the gate.
TEST_F(FeedsRun, AlertsThatFoundNoRoomAreAskedForAgainWithoutConditions) {
    FeedServer server;
    const std::string url = server.address("/feed");
    server.set("/feed", {.body = feed_of("one", 1), .etag = "\"v1\""});
    (void)summary_of(run(start({url})));
    execute("UPDATE gate SET state = 'closed', until = NULL, reason = 'x', changed_by = 'ops'");
    server.set("/feed", {.body = feed_of("one", 21), .etag = "\"v2\""});
    const auto full = run(start({url, "--items-max", "7", "--overflow", "refuse"}));
    EXPECT_EQ(full.exit, 3);
    EXPECT_EQ(count_of("13 alerts of " + url + " are not taken", full.err), 1) << full.err;
    EXPECT_EQ(feed_column("etag", url), "NULL");
    EXPECT_EQ(feed_column("last_error", url), "13 alerts were not taken: the queue was full");
    execute("UPDATE gate SET state = 'open', until = NULL, reason = NULL, changed_by = 'ops'");
    (void)summary_of(run(start({url})));
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 3U);
    EXPECT_EQ(requests[1].get_header_value("If-None-Match"), "\"v1\"");
    EXPECT_FALSE(requests[2].has_header("If-None-Match"));
    EXPECT_EQ(feed_column("etag", url), "\"v2\"");
    expect_whole(21);
}

TEST_F(FeedsRun, AKillWhileAlertsAreStoredLeavesTheNextRequestWithoutConditions) {
    FeedServer server;
    const std::string url = server.address("/feed");
    server.set("/feed", {.body = feed_of("one", 1), .etag = "\"v1\""});
    (void)summary_of(run(start({url})));
    execute(
        "UPDATE gate SET state = 'closed', until = 3600000 + CAST((julianday('now') - "
        "2440587.5) * 86400000 AS INTEGER), reason = 'x', changed_by = 'ops'");
    server.set("/feed", {.body = feed_of("one", 21), .etag = "\"v2\""});
    Program program(ingest, start({url, "--items-max", "7", "--overflow", "refuse"}));
    // It stored 7, and waits for room.
    wait_until([&] { return query("SELECT count(*) FROM alerts") == 8; });
    program.signal(SIGKILL);
    EXPECT_EQ(program.finish().exit, 128 + SIGKILL);
    EXPECT_EQ(feed_column("etag", url), "NULL");
    execute("UPDATE gate SET state = 'open', until = NULL, reason = NULL, changed_by = 'ops'");
    (void)summary_of(run(start({url})));
    EXPECT_FALSE(server.requests().at(2).has_header("If-None-Match"));
    expect_whole(21);
}

// --- redirects and bodies ------------------------------------------------------------------------

TEST_F(FeedsRun, RedirectsAreFollowedToAnEndAndNowhereElse) {
    FeedServer server;
    const auto redirect = [&](const std::string& path, const std::string& to) {
        server.set(path, {.status = 301, .headers = {{"Location", to}}});
    };
    redirect("/a", "/b");
    redirect("/b", server.address("/feed"));
    redirect("/loop", "/loop");
    redirect("/file", "file://" + write_feed("secret", 3));
    server.set("/feed", {.body = feed_of("one", 4)});
    const auto result =
        run(start({server.address("/a"), server.address("/loop"), server.address("/file")}));
    EXPECT_EQ(result.exit, 3);
    for (const char* path : {"/loop", "/file"}) {
        EXPECT_NE(line_of(result, server.address(path)).find("redirected more than 5 times, or to"),
                  std::string::npos)
            << result.err;
    }
    EXPECT_EQ(server.count("/loop"), 6U);
    expect_whole(4);
}

TEST_F(FeedsRun, PackedFeedsAreUnpackedUpToTheLimit) {
    const std::string feed = gzipped(feed_of("packed", 40));
    const std::string bomb = gzipped(std::string(1'048'576, ' '), 1024);
    EXPECT_LT(bomb.size(), 10'000'000U);
    const RawServer good(answer_with("Content-Encoding: gzip\r\nContent-Length: " +
                                         std::to_string(feed.size()) + "\r\n",
                                     feed),
                         RawServer::Then::close);
    const RawServer bad(answer_with("Content-Encoding: gzip\r\nContent-Length: " +
                                        std::to_string(bomb.size()) + "\r\n",
                                    bomb),
                        RawServer::Then::close);
    const auto result = run(start({good.address("/"), bad.address("/bomb")}));
    EXPECT_EQ(result.exit, 3);
    EXPECT_NE(line_of(result, bad.address("/bomb"))
                  .find("the answer has more than 16777216 bytes; allowed: a higher"),
              std::string::npos)
        << result.err;
    expect_whole(40);
}

TEST_F(FeedsRun, BodiesWithoutAnEndEndAtTheLimitInBoundedMemory) {
    const std::string part = "<rss><channel>" + std::string(1'000'000, 'x');
    const RawServer announced(answer_with("Content-Length: 1073741824\r\n", part),
                              RawServer::Then::endless);
    const RawServer endless(answer_with("", part), RawServer::Then::endless);
    FeedServer server;
    server.set("/feed", {.body = feed_of("one", 4)});
    const auto result = run(start({announced.address("/a"), endless.address("/b"),
                                   server.address("/feed"), "--feed-bytes-max", "8388608"}));
    EXPECT_EQ(result.exit, 3);
    for (const auto& url : {announced.address("/a"), endless.address("/b")}) {
        EXPECT_NE(line_of(result, url).find("has more than 8388608 bytes"), std::string::npos)
            << result.err;
    }
    rusage used{};
    ASSERT_EQ(getrusage(RUSAGE_CHILDREN, &used), 0);
    constexpr long kib_of_half_a_gib = 512 * 1024;
    EXPECT_LT(used.ru_maxrss, kib_of_half_a_gib);
    expect_whole(4);
}

TEST_F(FeedsRun, AServerThatNeverAnswersEndsAtTheTimeout) {
    const RawServer silent("", RawServer::Then::hold);
    const RawServer slow(answer_with("Content-Length: 100\r\n", "<rss"), RawServer::Then::hold);
    FeedServer server;
    server.set("/feed", {.body = feed_of("one", 4)});
    const auto result = run(start({silent.address("/a"), slow.address("/b"),
                                   server.address("/feed"), "--feed-timeout", "0.3"}));
    EXPECT_EQ(result.exit, 3);
    for (const auto& url : {silent.address("/a"), slow.address("/b")}) {
        EXPECT_NE(line_of(result, url).find("no whole answer in time (connect 0.3 s, whole 0.3 s)"),
                  std::string::npos)
            << result.err;
        EXPECT_EQ(feed_column("status", url), "NULL");
    }
    expect_whole(4);
}

// --- charsets ------------------------------------------------------------------------------------

std::string encoded(const std::string& text, const char* charset) {
    const iconv_t converter = iconv_open(charset, "UTF-8");
    EXPECT_NE(converter, reinterpret_cast<iconv_t>(-1)) << charset;
    std::string result(text.size() * 4 + 8, '\0');
    char* in = const_cast<char*>(text.data());
    std::size_t in_left = text.size();
    char* out = result.data();
    std::size_t out_left = result.size();
    EXPECT_NE(iconv(converter, &in, &in_left, &out, &out_left), static_cast<std::size_t>(-1))
        << charset;
    iconv_close(converter);
    result.resize(result.size() - out_left);
    return result;
}

struct Charset {
    const char* name;
    const char* iconv_name;
    const char* text;
};

constexpr std::array charsets{
    Charset{"UTF-8", "UTF-8", "Crue à Paris: l\u2019eau monte, 東京の地震"},
    Charset{"UTF-16", "UTF-16", "Crue à Paris: l\u2019eau monte, 東京の地震"},
    Charset{"ISO-8859-1", "ISO-8859-1", "Überschwemmung in Köln: große Schäden"},
    Charset{"windows-1252", "CP1252", "Überschwemmung in Köln \u2013 \u201egroße Schäden\u201c"},
    Charset{"GB18030", "GB18030", "四川发生强烈地震，多地居民紧急撤离，救援人员已经赶到现场"},
    Charset{"Big5", "BIG5", "花蓮發生強烈地震，多處居民緊急撤離，救援人員已經趕到現場"},
    Charset{"Shift_JIS", "SHIFT_JIS",
            "東京で強い地震が発生し、住民が避難しています。救助隊が到着した"}};

TEST_F(FeedsRun, CharsetsAreToldByHeaderDeclarationAndLook) {
    FeedServer server;
    std::vector<std::string> arguments;
    for (const Charset& charset : charsets) {
        for (const std::string way : {"header", "declaration", "look"}) {
            const std::string tag = charset.name + ("-" + way);
            std::string xml = "<?xml version=\"1.0\"";
            if (way == "declaration") xml += std::string(" encoding=\"") + charset.name + "\"";
            xml += "?><rss version=\"2.0\"><channel><title>" + tag + "</title><item><title>" +
                   charset.text + "</title></item></channel></rss>";
            Page page{.body = encoded(xml, charset.iconv_name)};
            if (way == "header") page.type += std::string("; charset=") + charset.name;
            server.set("/" + tag, page);
            arguments.push_back(server.address("/" + tag));
        }
    }
    const auto result = run(start(arguments));
    EXPECT_EQ(summary_of(result)["alerts"], 21);
    EXPECT_EQ(count_of(" warning ", result.err), 0) << result.err;
    for (const Charset& charset : charsets) {
        for (const std::string way : {"header", "declaration", "look"}) {
            const std::string tag = charset.name + ("-" + way);
            EXPECT_EQ(text_of("SELECT max(title) FROM alerts WHERE source_tag = '" + tag + "'"),
                      charset.text)
                << tag;
        }
    }
}

// --- what is no feed, or a strange one -----------------------------------------------------------

TEST_F(FeedsRun, FeedsThatFailAreNamedBesideGoodOnes) {
    FeedServer server;
    std::string laughs = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY l0 \"lol\">";
    for (int i = 1; i < 10; ++i) {
        laughs += "<!ENTITY l" + std::to_string(i) + " \"";
        for (int j = 0; j < 10; ++j) laughs += "&l" + std::to_string(i - 1) + ";";
        laughs += "\">";
    }
    server.set("/laughs", {.body = laughs + "]><lolz>&l9;</lolz>"});
    server.set("/laughing-feed",
               {.body = laughs + "]><rss version=\"2.0\"><channel><title>l</title><item><title>"
                                 "Flood &l9; in Lima</title></item></channel></rss>"});
    server.set("/page",
               {.body = "<!doctype html><html><body>no feed</body></html>", .type = "text/html"});
    server.set("/empty", {.body = ""});
    server.set("/json", {.body = "{}", .type = "application/json"});
    server.set("/down", {.body = "sorry", .status = 500});
    server.set("/good", {.body = feed_of("good", 4)});
    std::string gone;
    {
        const RawServer closed("", RawServer::Then::close);
        gone = closed.address("/gone");
    }
    const std::vector<std::pair<std::string, std::string>> bad{
        {server.address("/laughs"), "not a feed"},
        {server.address("/laughing-feed"), "its entity l1 is made of other entities"},
        {server.address("/page"), "not a feed"},
        {server.address("/empty"), "not a feed"},
        {server.address("/json"), "not a feed"},
        {server.address("/down"), "answered 500"},
        {server.address("/none"), "answered 404"},
        {gone, "Couldn't connect"}};
    std::vector<std::string> names{server.address("/good"), write_feed("file", 2)};
    for (const auto& [name, what] : bad) names.push_back(name);
    const auto result = run(start(names));
    EXPECT_EQ(result.exit, 3);
    for (const auto& [name, what] : bad) {
        EXPECT_EQ(line_of(result, name).find(name + ": " + what), 0U) << line_of(result, name);
        EXPECT_EQ(feed_column("failures", name), "1");
        EXPECT_EQ(feed_column("last_error", name).find(what), 0U) << name;
        EXPECT_EQ(feed_column("alerts", name), "NULL");
        EXPECT_EQ(feed_column("next_at > checked_at", name), "1");
    }
    expect_whole(6);
}

TEST_F(FeedsRun, AStrangeFeedGivesWhatCanBeReadAndNamedWarnings) {
    FeedServer server;
    server.set(
        "/strange",
        {.body = "<rss version='2.0'><channel><title>strange</title>"
                 "<item><title><![CDATA[<b>Flood</b> &amp; storm]]></title>"
                 "<pubDate>some day</pubDate></item>"
                 "<item><title>&lt;i&gt;Caf&eacute;&lt;/i&gt; &amp;#8212; fire</title></item>"
                 "<item><title>Cut off"});
    const auto result = run(start({server.address("/strange?key=secret")}));
    EXPECT_EQ(summary_of(result)["alerts"], 2);
    EXPECT_EQ(text_of("SELECT group_concat(title, '|') FROM (SELECT title FROM alerts ORDER BY "
                      "title)"),
              "Café \u2014 fire|Flood & storm");
    EXPECT_EQ(count_of(" warning strange: ", result.err), 2) << result.err;
    EXPECT_EQ(result.err.find("secret"), std::string::npos) << result.err;
    EXPECT_EQ(feed_column("failures", server.address("/strange?key=secret")), "0");
}

// --- what is kept and said -----------------------------------------------------------------------

TEST_F(FeedsRun, FailuresAreCountedAndForgottenWhenItWorks) {
    FeedServer server;
    const std::string url = server.address("/feed");
    const std::string other = write_feed("file", 1);
    server.set("/feed", {.body = "", .status = 503, .headers = {{"Retry-After", "7200"}}});
    for (int i = 1; i <= 3; ++i) {
        const auto result = run(start({url, other}));
        EXPECT_EQ(result.exit, 3);
        EXPECT_EQ(feed_column("failures", url), std::to_string(i));
        EXPECT_EQ(feed_column("next_at - checked_at BETWEEN 7199000 AND 7201000", url), "1");
    }
    server.set("/feed", {.body = feed_of("one", 4)});
    const auto well = run(start({url, other}));
    EXPECT_EQ(summary_of(well)["alerts"], 5);
    EXPECT_EQ(count_of(url + " works again after 3 failures", well.err), 1) << well.err;
    EXPECT_EQ(feed_column("failures", url), "0");
    EXPECT_EQ(feed_column("last_error", url), "NULL");
}

TEST_F(FeedsRun, WhereNoAddressIsReadNoFileIsMade) {
    FeedServer server;
    const auto result = run(start({server.address("/none"), server.address("/nothing")}));
    EXPECT_EQ(result.exit, 3);
    EXPECT_EQ(count_of("answered 404", result.err), 2) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_FALSE(std::filesystem::exists(database));
}

TEST_F(FeedsRun, PoliteToAHostAndNoLongerThanThat) {
    FeedServer server;
    std::vector<std::string> arguments;
    for (int i = 0; i < 4; ++i) {
        const std::string path = "/" + std::to_string(i);
        server.set(path, {.body = feed_of("f" + std::to_string(i), 2)});
        arguments.push_back(server.address(path));
    }
    arguments.insert(arguments.end(), {"--host-delay", "0.2"});
    const auto result = run(IngestRun::start(arguments));
    const double seconds = summary_of(result)["seconds"];
    EXPECT_GE(seconds, 0.6);
    expect_whole(8);
}

TEST_F(FeedsRun, AddressesThatAreNoneAndFlagsThatAreWrongAreRefused) {
    const std::string feed = write_feed("one", 3);
    expect_refused(IngestRun::start({"http://user:secret@a.example/feed"}), "a user or a password");
    EXPECT_EQ(run(IngestRun::start({"http://user:secret@a.example/"})).err.find("secret"),
              std::string::npos);
    expect_refused(IngestRun::start({"https://a b/"}), "begins like an address and is none");
    expect_refused(IngestRun::start({"http://a.example/f?k=1", feed, "http://a.example/f?k=1"}),
                   "the feed http://a.example/f is given more than once");
    for (const std::string value : {"0", "0.9", "86401", "abc", "1e2x", "nan", "-5"}) {
        expect_refused(IngestRun::start({feed, "--follow=" + value}), "--follow is '" + value);
    }
    expect_refused(IngestRun::start({"-", "--follow", "5"}), "--follow is given with the feed -");
    expect_refused(IngestRun::start({"--follow", "5"}), "--follow is given without a feed");
    expect_refused(IngestRun::start({".", "--follow", "5"}), "the feed '.' cannot be read again");
    for (const std::string value : {"0", "1.5", "1073741825", "x"}) {
        expect_refused(IngestRun::start({feed, "--feed-bytes-max", value}),
                       "--feed-bytes-max is '" + value);
    }
    expect_refused(IngestRun::start({feed, "--feed-timeout", "0"}), "--feed-timeout is '0'");
    expect_refused(IngestRun::start({feed, "--host-delay", "-1"}), "--host-delay is '-1'");
}

TEST_F(FeedsRun, AForeignTableOfTheNameIsNamed) {
    FeedServer server;
    server.set("/feed", {.body = feed_of("one", 4)});
    (void)summary_of(run(start({write_feed("file", 1)})));
    execute("CREATE TABLE feeds (url TEXT PRIMARY KEY, mine TEXT)");
    const auto result = run(start({server.address("/feed")}));
    EXPECT_EQ(result.exit, 3);
    EXPECT_NE(result.err.find("a table without etag, last_modified,"), std::string::npos)
        << result.err;
    EXPECT_NE(result.err.find("under the name feeds; allowed:"), std::string::npos);
    EXPECT_TRUE(server.requests().empty());
}

}  // namespace
}  // namespace headpond::test
