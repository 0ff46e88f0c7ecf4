// The command line as its users have it: the real program on real files.
#pragma once

#include "support/program.h"
#include "support/raw_database.h"
#include "support/temp_dir.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace headpond::test {

using nlohmann::json;

class CliTest : public ::testing::Test {
  protected:
    // process_crash: these tests cut no power.
    CliTest() { environment["HEADPOND_DURABILITY"] = "process_crash"; }

    ProgramOptions options(std::vector<std::string> arguments) {
        return {
            .arguments = std::move(arguments), .environment = environment, .directory = dir.path()};
    }
    // Runs in the test's folder without a database.
    ProgramResult bare(std::vector<std::string> arguments, const std::string& input = {}) {
        return Program(HEADPOND_PROGRAM, options(std::move(arguments))).finish(input);
    }
    ProgramResult cli(std::vector<std::string> arguments, const std::string& input = {}) {
        return bare(with_database(std::move(arguments)), input);
    }
    std::vector<std::string> with_database(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), {"--db", database.string()});
        return arguments;
    }
    // stdout of a run with --json that answers `exit`.
    json cli_json(std::vector<std::string> arguments, int exit = 0, const std::string& input = {}) {
        arguments.emplace_back("--json");
        const ProgramResult result = cli(std::move(arguments), input);
        EXPECT_EQ(result.exit, exit) << result.out << result.err;
        return json::parse(result.out);
    }
    void expect_ok(std::vector<std::string> arguments, const std::string& input = {}) {
        const ProgramResult result = cli(std::move(arguments), input);
        EXPECT_EQ(result.exit, 0) << result.out << result.err;
    }

    // Stores tracked items with these keys; the payload is "payload of KEY".
    void put(const std::vector<std::string>& keys) {
        std::string lines;
        for (const auto& key : keys) {
            lines +=
                json{{"key", key}, {"payload", "payload of " + key}, {"track", true}}.dump() + "\n";
        }
        expect_ok({"enqueue", "--ndjson"}, lines);
    }
    // The token of a new lease.
    std::string lease(std::vector<std::string> more = {}) {
        more.insert(more.begin(), "lease");
        return cli_json(std::move(more)).value("token", "");
    }
    // Retries and releases come back at once.
    void without_delays() {
        expect_ok({"settings", "set", "backoff_max", "0"});
        expect_ok({"settings", "set", "release_delay_min", "0"});
    }
    std::set<std::string> files() const {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
            names.insert(entry.path().filename().string());
        }
        return names;
    }

    // One line on stderr that holds `words`, nothing on stdout, exit 3.
    static void expect_refused(const ProgramResult& result, const std::string& words) {
        EXPECT_EQ(result.exit, 3);
        EXPECT_EQ(result.out, "");
        EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
        EXPECT_TRUE(result.err.starts_with("headpond: ")) << result.err;
        EXPECT_NE(result.err.find(words), std::string::npos) << words << " in " << result.err;
    }

    TempDir dir;
    std::filesystem::path database = dir / "queue.db";
    std::map<std::string, std::string> environment;
};

}  // namespace headpond::test
