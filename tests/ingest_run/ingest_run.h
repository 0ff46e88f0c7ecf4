// The ingest tool as a process on a file of its own.
#pragma once

#include "support/program.h"
#include "support/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sched.h>
#include <sqlite3.h>

namespace headpond::test {

using nlohmann::json;

// A feed of `count` alerts; half of them name a city, half name none.
inline std::string feed_of(const std::string& title, int count) {
    const std::vector<std::string> cities{"Jakarta", "Nairobi", "Lima", "Manila", "Oslo", "Perth"};
    std::string xml =
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>" + title + "</title>";
    for (int i = 0; i < count; ++i) {
        const auto& city = cities[static_cast<std::size_t>(i) % cities.size()];
        const std::string text = i % 2 == 0 ? "Flood in " + city : "Prices rise again";
        xml += "<item><title>" + text + " (" + std::to_string(i) +
               ")</title><link>http://a.example/" + title + "/" + std::to_string(i) +
               "</link></item>";
    }
    return xml + "</channel></rss>";
}

class IngestRun : public ::testing::Test {
  protected:
    IngestRun() : database((dir / "run.db").string()) {}

    std::string write_feed(const std::string& title, int count) {
        const std::string path = (dir / (title + ".xml")).string();
        std::ofstream(path) << feed_of(title, count);
        return path;
    }
    ProgramOptions start(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(),
                         {"--json", "--db", database, "--durability", "process_crash"});
        return {.arguments = std::move(arguments), .directory = dir.path()};
    }
    static ProgramResult run(const ProgramOptions& how, const std::string& input = {}) {
        return Program(ingest, how).finish(input);
    }
    static json summary_of(const ProgramResult& result) {
        EXPECT_EQ(result.exit, 0) << result.err;
        const auto end = result.out.find_last_not_of('\n');
        const auto begin = result.out.rfind('\n', end);
        return json::parse(result.out.substr(begin == std::string::npos ? 0 : begin + 1));
    }
    // The first column of the first row.
    long long query(const std::string& sql) {
        sqlite3* handle = nullptr;
        EXPECT_EQ(sqlite3_open_v2(database.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr),
                  SQLITE_OK);
        sqlite3_busy_timeout(handle, 5000);  // the tool may be making the file at this moment
        sqlite3_stmt* statement = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
            << sqlite3_errmsg(handle);
        EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW) << sql;
        const long long value = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        sqlite3_close(handle);
        return value;
    }
    // As the shell would.
    void execute(const std::string& sql) {
        sqlite3* handle = nullptr;
        EXPECT_EQ(sqlite3_open_v2(database.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr),
                  SQLITE_OK);
        sqlite3_busy_timeout(handle, 5000);
        EXPECT_EQ(sqlite3_exec(handle, ("PRAGMA wal_autocheckpoint=0;" + sql).c_str(), nullptr,
                               nullptr, nullptr),
                  SQLITE_OK)
            << sqlite3_errmsg(handle);
        sqlite3_close(handle);
    }
    // One line on stderr that holds `text` and what is allowed, and nothing made.
    void expect_refused(const ProgramOptions& how, const std::string& text) {
        const auto result = run(how);
        EXPECT_EQ(result.exit, 3) << text;
        EXPECT_NE(result.err.find(text), std::string::npos) << text << " in " << result.err;
        EXPECT_NE(result.err.find("allowed"), std::string::npos) << result.err;
        expect_one_line(result.err);
        EXPECT_EQ(result.out, "");
        EXPECT_FALSE(std::filesystem::exists(database));
        EXPECT_FALSE(std::filesystem::exists(database + "-owners"));
    }
    static void expect_one_line(const std::string& text) {
        ASSERT_FALSE(text.empty());
        EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
        for (const char c : text.substr(0, text.size() - 1)) {
            EXPECT_FALSE((c >= 0 && c < ' ') || c == 0x7F) << text;
        }
    }
    static std::ptrdiff_t count_of(const std::string& part, const std::string& text) {
        std::ptrdiff_t count = 0;
        for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
            ++count;
        }
        return count;
    }
    void expect_whole(long long alerts) {
        EXPECT_EQ(query("SELECT count(*) FROM alerts"), alerts);
        EXPECT_EQ(query("SELECT count(*) FROM alerts WHERE location_method = 'batch_pending'"), 0);
        EXPECT_EQ(query("SELECT difference FROM ledger"), 0);
        EXPECT_EQ(query("SELECT count(*) FROM range_faults"), 0);
        EXPECT_EQ(query("SELECT edited FROM totals"), 0);
        EXPECT_EQ(query("SELECT enqueued FROM totals"), alerts);
        EXPECT_EQ(query("SELECT count(*) FROM outcomes"), 0);
    }

    static constexpr const char* ingest = HEADPOND_BUILD_DIR "/bin/headpond-ingest";
    TempDir dir;
    std::string database;
};

}  // namespace headpond::test
