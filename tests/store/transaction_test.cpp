// How the SQLite store keeps what the seam's verbs pass: what people read in the shell.
#include "store/sqlite/transaction.h"

#include "support/raw_database.h"
#include "support/store_factory.h"
#include "support/watched_vfs.h"

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

TEST_F(TransactionTest, IdsFollowEachOtherWhateverTheirReserve) {
    std::int64_t last = 0;
    const auto insert = [&](Transaction& tx) {
        const auto id = tx.insert({.key = "k" + std::to_string(last), .enqueued_at = 1});
        ASSERT_EQ(id, last + 1);
        last = *id;
    };
    for (int i = 0; i < 1200; ++i) write(insert);
    EXPECT_LT(std::stoll(ask("SELECT seq FROM sqlite_sequence WHERE name = 'items'")), 2300);
    write([](Transaction& tx) { tx.remove_items(1, store::no_limit); });
    store.reset();
    store = open_sqlite_store(path);
    write(insert);
    // Rolled back, an id is issued again.
    struct Undone {};
    EXPECT_THROW(write([&](Transaction& tx) {
                     tx.insert({.key = "undone", .enqueued_at = 1});
                     throw Undone{};
                 }),
                 Undone);
    write(insert);
}

TEST_F(TransactionTest, IdsGoOnBehindThoseOfTheShell) {
    const auto insert = [&] {
        std::int64_t id = 0;
        write([&](Transaction& tx) { id = *tx.insert({.key = "ours", .enqueued_at = 1}); });
        write([&](Transaction& tx) { tx.remove_items(id, id); });
        return id;
    };
    const auto by_hand = [&](const std::string& id) {
        RawDatabase(path).exec("INSERT INTO items (id, key, payload, enqueued_at) VALUES (" + id +
                               ", 'theirs', x'', 1); DELETE FROM items");
        return std::stoll(ask("SELECT seq FROM sqlite_sequence WHERE name = 'items'"));
    };
    EXPECT_EQ(insert(), 1);
    const auto next = by_hand("NULL");  // behind the reserve
    EXPECT_EQ(insert(), next + 1);
    EXPECT_EQ(by_hand("5000"), 5000);
    EXPECT_EQ(insert(), 5001);
    RawDatabase(path).exec("DELETE FROM sqlite_sequence");
    EXPECT_EQ(insert(), 5002);
    RawDatabase(path).exec(
        "INSERT INTO batches (state, first_id, last_id, items, bytes, not_before, created_at) "
        "VALUES ('waiting', 6000, 6009, 0, 0, 0, 0)");
    EXPECT_EQ(insert(), 6010) << "an id inside somebody's batch would be leased with it";
}

TEST_F(TransactionTest, RowsThatAreKeptAreReadAgainWhenOthersChangeThem) {
    const auto expect = [&](std::int64_t enqueued, std::int64_t failures, std::int64_t seen) {
        write([&](Transaction& tx) {
            EXPECT_EQ(tx.totals().enqueued, enqueued);
            EXPECT_EQ(tx.gate().failures, failures);
            EXPECT_EQ(tx.clock().seen_at, seen);
        });
    };
    const auto count = [](Transaction& tx) { tx.apply({.enqueued = 1, .items = 1}); };
    write([&](Transaction& tx) {
        count(tx);
        tx.set_gate({.failures = 1});
        tx.set_clock({.boot = "b", .seen_at = 7});
    });
    expect(1, 1, 7);
    RawDatabase(path).exec(
        "UPDATE totals SET enqueued = 10, items = 10; UPDATE gate SET failures = 2; "
        "UPDATE clock SET seen_at = 8");
    expect(10, 2, 8);
    struct Undone {};
    write([&](Transaction& tx) {
        count(tx);
        EXPECT_THROW(tx.nested([&] {
            count(tx);
            tx.set_gate({.failures = 9});
            throw Undone{};
        }),
                     Undone);
        EXPECT_EQ(tx.totals().enqueued, 11);
    });
    expect(11, 2, 8);
    EXPECT_THROW(write([&](Transaction& tx) {
                     count(tx);
                     throw Undone{};
                 }),
                 Undone);
    expect(11, 2, 8);
    EXPECT_EQ(ask("SELECT enqueued FROM totals"), "11");
}

// The checkpoint between a commit and its sync syncs the log first, and a failure is told once.
TEST_F(TransactionTest, AFailedSyncIsToldWhoeverMeetsIt) {
    const WatchedVfs::AsDefault watched;
    store = open_sqlite_store(dir / "watched.db");
    const auto expect_unknown = [](const std::function<void()>& call) {
        try {
            call();
            ADD_FAILURE() << "was not told";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::outcome_unknown) << error.what();
        }
    };
    const auto commit = [&] { write([](Transaction& tx) { tx.set_last_cleanup(1); }); };
    for (const bool checkpointed : {true, false}) {
        commit();
        WatchedVfs::instance().fail_next_sync();
        if (checkpointed) store->relieve(0);
        expect_unknown([&] { store->sync("test"); });
        expect_unknown([&] { store->sync("test"); });
        expect_unknown(commit);
        store.reset();
        store = open_sqlite_store(dir / "watched.db");
    }
    store.reset();
}

// A member undone that had changed more than the cache holds, several times over.
TEST_F(TransactionTest, WhatFollowsALargeSavepointThatWasUndoneSurvivesACrash) {
    struct Undone {};
    store->set_log_reserve(3 << 20, 4 << 20);  // by spilling, for once
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
