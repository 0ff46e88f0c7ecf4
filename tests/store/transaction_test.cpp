// How the SQLite store keeps what the seam's verbs pass: what people read in the shell.
#include "store/sqlite/transaction.h"

#include "support/raw_database.h"
#include "support/store_factory.h"

#include <gtest/gtest.h>

namespace headpond::test {
namespace {

using store::AttemptOutcome;
using store::Transaction;

class TransactionTest : public ::testing::Test {
  protected:
    TransactionTest() : store(open_sqlite_store(path)) {}
    void write(const std::function<void(Transaction&)>& fn) {
        store->write({.operation = "test"}, fn);
    }
    std::string ask(const std::string& sql) { return RawDatabase(path).text(sql); }

    TempDir dir;
    std::filesystem::path path = dir / "queue.db";
    std::unique_ptr<store::Store> store;
};

TEST_F(TransactionTest, AFinishedAttemptKeepsItsItemsUnlessToldOtherwise) {
    write([](Transaction& tx) {
        for (const std::int64_t items : {-1, 0, 2}) {
            const auto id = tx.add_attempt(
                {.batch_id = 1, .attempt = 1, .owner = "me", .started_at = 10, .items = 5});
            tx.finish_attempt(id, 20, AttemptOutcome::acked, "", items);
        }
    });
    EXPECT_EQ(ask("SELECT group_concat(items) FROM attempts"), "5,0,2");
    EXPECT_EQ(ask("SELECT count(*) FROM attempts WHERE error IS NULL"), "3");
}

// A member undone that had changed more than the cache holds, several times over.
TEST_F(TransactionTest, WhatFollowsALargeSavepointThatWasUndoneSurvivesACrash) {
    struct Undone {};
    const auto fill = [](Transaction& tx) {
        const std::string result(1 << 20, 'x');
        for (int id = 1; id <= 12; ++id) {
            const store::NewOutcome row{
                .item_id = id, .key = "k", .resolved = true, .result = result};
            tx.add_outcomes(std::span(&row, 1));
        }
    };
    write(fill);
    write([&](Transaction& tx) {
        tx.insert({.key = "before", .enqueued_at = 1});
        EXPECT_THROW(tx.nested([&] {
            for (int round = 0; round < 4; ++round) fill(tx);
            throw Undone{};
        }),
                     Undone);
    });
    write([](Transaction& tx) { tx.insert({.key = "behind", .enqueued_at = 1}); });
    for (const char* part : {"", "-wal"}) {
        std::filesystem::copy_file(path.string() + part, (dir / "copy.db").string() + part);
    }
    EXPECT_EQ(RawDatabase(dir / "copy.db").text("SELECT group_concat(key) FROM items"),
              "before,behind");
}

TEST_F(TransactionTest, TheDataVersionTellsOfCommitsByAnyone) {
    const auto before = store->data_version();
    EXPECT_EQ(store->data_version(), before);
    store->read("test", [](Transaction& tx) { (void)tx.totals(); });
    EXPECT_EQ(store->data_version(), before);
    write([](Transaction& tx) { tx.set_last_cleanup(5); });
    const auto own = store->data_version();
    EXPECT_NE(own, before);
    RawDatabase(path).exec("UPDATE totals SET last_cleanup_at = 6");
    EXPECT_NE(store->data_version(), own);
}

TEST_F(TransactionTest, EmptyTextIsNullWhereItMeansNothing) {
    write([](Transaction& tx) {
        store::BatchRow row;
        row.id = tx.next_batch_id();
        row.first_id = row.last_id = 1;
        row.not_before = 0;
        tx.add_batch(row);
        tx.set_gate({});
    });
    EXPECT_EQ(ask("SELECT lease_token IS NULL AND last_error IS NULL FROM batches"), "1");
    EXPECT_EQ(ask("SELECT reason IS NULL AND changed_by IS NULL FROM gate"), "1");
}

TEST_F(TransactionTest, NumbersOfSettingsAreNumbers) {
    write([](Transaction& tx) {
        tx.set_setting({.name = "count", .value = "12", .minimum = "1", .maximum = "100"});
        tx.set_setting(
            {.name = "time", .value = "0.5", .unit = "s", .minimum = "0", .maximum = "9"});
        tx.set_setting({.name = "word", .value = "a", .allowed = "a|b"});
    });
    EXPECT_EQ(ask("SELECT group_concat(typeof(value)) FROM settings"), "integer,real,text");
    EXPECT_EQ(ask("SELECT count(*) FROM settings WHERE name = 'count' AND value < 100"), "1");
}

TEST_F(TransactionTest, PayloadsAreBlobsAndKeysAreText) {
    write([](Transaction& tx) { tx.insert({.key = "1", .payload = "2", .enqueued_at = 1}); });
    EXPECT_EQ(ask("SELECT typeof(key) || ' ' || typeof(payload) FROM items"), "text blob");
}

TEST_F(TransactionTest, ASettingChangedByHandSaysSo) {
    write([](Transaction& tx) {
        tx.set_setting({.name = "items_max",
                        .value = "12",
                        .minimum = "1",
                        .maximum = "100",
                        .changed_at = 5,
                        .changed_by = "me"});
    });
    RawDatabase raw(path);
    const auto version = raw.integer("SELECT settings_version FROM totals");
    raw.exec("UPDATE settings SET value = 13");
    EXPECT_EQ(raw.text("SELECT changed_by FROM settings"), "by hand");
    EXPECT_GT(raw.integer("SELECT changed_at FROM settings"), 1'700'000'000'000);
    EXPECT_GT(raw.integer("SELECT settings_version FROM totals"), version);
    EXPECT_NE(raw.try_exec("UPDATE settings SET value = 101"), SQLITE_OK);
    EXPECT_NE(raw.try_exec("UPDATE settings SET value = 'many'"), SQLITE_OK);
    EXPECT_NE(raw.try_exec("UPDATE settings SET value = 1.5"), SQLITE_OK);
    EXPECT_NE(raw.try_exec("DELETE FROM settings"), SQLITE_OK);
    EXPECT_EQ(raw.integer("SELECT value FROM settings"), 13);
}

}  // namespace
}  // namespace headpond::test
