// Every statement of the engine is served by an index, or reads a table that is small by rule.
#include "store/sqlite/statements.h"

#include "store/sqlite/embedded.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <gtest/gtest.h>

namespace headpond::store::sqlite {
namespace {

// The statements whose plan says SCAN, and why each is bounded.
const std::map<std::string_view, std::string_view> scans_allowed{
    {"newest", "items: one step to the right end of the table's tree (ORDER BY id DESC LIMIT 1)"},
    {"item_after_many", "items: the 100 000 rows of a recount, which reads them all anyway"},
    {"watermark", "batches: one step along the unique index of first_id"},
    {"next_due", "batches: one step along batches_due"},
    {"next_lapse", "batches: one step along batches_lapse"},
    {"batches_held_by", "batches: leased ones alone, along batches_lapse"},
    {"count_dead", "dead_letters: dead_max rows; asked by people and the recount alone"},
    {"count_outcomes", "outcomes: outcomes_max rows; asked by the recount alone"},
    {"outcomes_of_key", "outcomes: outcomes_max rows; asked by people alone"},
    {"owners", "owners: a row for each open queue; those of the dead go with each cleanup"},
    {"settings", "settings: a row for each option, about thirty"},
    {"keys_indexed", "sqlite_schema: a row for each table, index, trigger and view"},
    {"issued_ids", "sqlite_sequence: a row for each of three tables"},
    {"reserve_ids", "sqlite_sequence: a row for each of three tables"},
};

class StatementPlans : public ::testing::TestWithParam<NamedSql> {
  protected:
    StatementPlans() : database(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
        for (const auto& migration : embedded_migrations()) {
            database.exec(std::string(migration.sql));
        }
        database.exec("CREATE UNIQUE INDEX items_key ON items (key)");
    }
    std::vector<std::string> plan(const std::string& sql) {
        std::vector<std::string> lines;
        SQLite::Statement rows(database, "EXPLAIN QUERY PLAN " + sql);
        while (rows.executeStep()) lines.push_back(rows.getColumn(3).getString());
        return lines;
    }
    SQLite::Database database;
};

TEST_P(StatementPlans, AreServedByAnIndex) {
    const auto& [name, text] = GetParam();
    bool scans = false;
    for (const std::string& line : plan(text)) {
        EXPECT_EQ(line.find("USE TEMP B-TREE"), std::string::npos) << text << "\n" << line;
        if (!line.starts_with("SCAN") || line.find("CONSTANT ROW") != std::string::npos) continue;
        scans = true;
        EXPECT_TRUE(scans_allowed.contains(name))
            << text << "\n"
            << line << "\nServe it by an index, or say in scans_allowed why it is bounded.";
    }
    EXPECT_EQ(scans, scans_allowed.contains(name)) << "scans_allowed is out of date";
}

TEST(StatementExceptions, EveryExceptionIsAStatement) {
    for (const auto& exception : scans_allowed) {
        EXPECT_TRUE(std::any_of(statement_texts.begin(), statement_texts.end(),
                                [&](const NamedSql& one) { return one.name == exception.first; }))
            << exception.first;
    }
}

std::string name_of(const ::testing::TestParamInfo<NamedSql>& info) {
    return std::string(info.param.name);
}
INSTANTIATE_TEST_SUITE_P(Each, StatementPlans, ::testing::ValuesIn(statement_texts), name_of);

}  // namespace
}  // namespace headpond::store::sqlite
