// Keys told by a map in memory: two connections on one file, as two processes have them, with
// rollbacks, savepoints, guests and hashes that collide; each answer against the rows themselves.
#include "store/sqlite/resident_keys.h"

#include "store/sqlite/transaction.h"
#include "support/store_factory.h"

#include <random>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace headpond::test {
namespace {

using namespace store::sqlite;

struct Undone {};

class Connection {
  public:
    Connection(const std::string& path, int hash_bits)
        : database_(open_connection(path, Access::read_write, 0)),
          sql_(*database_),
          keys_(sql_, hash_bits),
          tx_(*database_, sql_, path, &keys_) {}

    void begin() {
        Run(sql_[Sql::begin]).step();
        keys_.begun();
        tx_.begun();
        tx_.map_keys(true);
    }
    void commit() {
        tx_.committing();
        Run(sql_[Sql::commit]).step();
        keys_.committed();
        tx_.committed();
    }
    void rollback() { Run(sql_[Sql::rollback]).step(); }

    // Inserts, and compares the answer with the rows.
    void insert(const std::string& key) {
        const bool there = has(key);
        const auto id = tx_.insert({.key = key, .source_tag = "", .payload = "p"});
        ASSERT_EQ(id.has_value(), !there) << key;
        const auto found = tx_.find(key);
        ASSERT_TRUE(found.has_value()) << key;
        ASSERT_EQ(found->key, key);
        answers += 2;
    }
    void find(const std::string& key) {
        ASSERT_EQ(tx_.find(key).has_value(), has(key)) << key;
        answers += 1;
    }
    // A row that the map is not told of.
    void insert_as_guest(const std::string& key) {
        keys_.lent();
        tx_.lend();
        if (!has(key)) {
            database_->exec("INSERT INTO items (key, payload, enqueued_at) VALUES ('" + key +
                            "', x'', 0)");
        }
    }
    void remove(std::int64_t first, std::int64_t last) { (void)tx_.remove_items(first, last); }
    void nested(const std::function<void()>& fn, bool undo) {
        try {
            tx_.nested([&] {
                fn();
                if (undo) throw Undone{};
            });
        } catch (const Undone&) {
            return;
        }
    }
    [[nodiscard]] std::int64_t number(const char* sql) { return query_integer(*database_, sql); }

    std::int64_t answers = 0;

  private:
    [[nodiscard]] bool has(const std::string& key) {
        SQLite::Statement rows(*database_, "SELECT 1 FROM items WHERE key = ?");
        rows.bind(1, key);
        return rows.executeStep();
    }

    std::unique_ptr<SQLite::Database> database_;
    Statements sql_;
    ResidentKeys keys_;
    SqliteTransaction tx_;
};

class ResidentKeysModel : public ::testing::TestWithParam<int> {
  protected:
    ResidentKeysModel() { (void)open_sqlite_store(path); }

    std::string some_key() { return "key-" + std::to_string(random() % 80); }

    void change(Connection& one) {
        switch (random() % 8) {
            case 0: {
                const std::int64_t first = one.number("SELECT ifnull(min(id), 0) FROM items");
                const auto count = static_cast<std::int64_t>(random() % 20);
                one.remove(first, first + count);
                break;
            }
            case 1: {  // from the middle or the end
                const std::int64_t last = one.number("SELECT ifnull(max(id), 0) FROM items");
                const std::int64_t at = last - static_cast<std::int64_t>(random() % 40);
                one.remove(at, at + 3);
                break;
            }
            case 2:
                one.find(some_key());
                break;
            case 3:
                one.nested([&] { one.insert(some_key()); }, random() % 2 == 0);
                break;
            case 4:
                one.nested(
                    [&] {
                        one.insert(some_key());
                        one.nested([&] { one.insert(some_key()); }, random() % 2 == 0);
                        one.insert(some_key());
                    },
                    random() % 2 == 0);
                break;
            default:
                one.insert(some_key());
                break;
        }
    }

    TempDir dir;
    std::string path = dir / "queue.db";
    std::mt19937_64 random{std::mt19937_64::default_seed + static_cast<std::uint64_t>(GetParam())};
};

TEST_P(ResidentKeysModel, EachAnswerIsThatOfTheRows) {
    Connection one(path, GetParam());
    Connection two(path, GetParam());
    for (int transaction = 0; transaction < 1200; ++transaction) {
        Connection& who = random() % 2 == 0 ? one : two;
        who.begin();
        if (random() % 10 == 0) who.insert_as_guest(some_key());
        const auto changes = random() % 6;
        for (std::uint64_t i = 0; i < changes; ++i) change(who);
        if (random() % 10 == 0) who.insert_as_guest(some_key());
        ASSERT_FALSE(HasFatalFailure());
        if (random() % 4 == 0) {
            who.rollback();
        } else {
            who.commit();
        }
    }
    EXPECT_EQ(one.number("SELECT count(*) - count(DISTINCT key) FROM items"), 0);
    EXPECT_GT(one.answers + two.answers, 3000);
}

INSTANTIATE_TEST_SUITE_P(HashBits, ResidentKeysModel, ::testing::Values(0, 3, 64));

// One item that stays, and many that pass behind it: the map does not grow with what has passed.
TEST(ResidentKeysTest, WhatHasLeftIsSweptAway) {
    const TempDir dir;
    const std::string path = dir / "queue.db";
    (void)open_sqlite_store(path);
    const auto database = open_connection(path, Access::read_write, 0);
    Statements sql(*database);
    ResidentKeys keys(sql);
    SqliteTransaction tx(*database, sql, path, &keys);
    const auto begin = [&] {
        database->exec("BEGIN IMMEDIATE");
        keys.begun();
        tx.map_keys(true);
    };
    begin();
    ASSERT_TRUE(tx.insert({.key = "stays", .source_tag = "", .payload = "p"}));
    for (int i = 0; i < 50'000; ++i) {
        const auto id =
            tx.insert({.key = "passes-" + std::to_string(i), .source_tag = "", .payload = "p"});
        ASSERT_TRUE(id);
        (void)tx.remove_items(*id, *id);
        if (i % 100 != 0) continue;
        database->exec("COMMIT");
        keys.committed();
        begin();
    }
    EXPECT_LT(keys.size(), 5000U);
    EXPECT_FALSE(tx.insert({.key = "stays", .source_tag = "", .payload = "p"}));
}

}  // namespace
}  // namespace headpond::test
