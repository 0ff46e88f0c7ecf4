// What every store must do: the items, the single rows, and the transactions themselves. Batches,
// attempts, dead letters and outcomes are in conformance_batches_test.cpp.
#include "store/store.h"
#include "support/store_factory.h"

#include <headpond/error.h>

#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace headpond::test {
namespace {

using store::Counters;
using store::GateRow;
using store::ItemRow;
using store::no_limit;
using store::Transaction;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Conformance : public StoreConformance {
  protected:
    static std::vector<std::int64_t> ids(const std::vector<ItemRow>& rows) {
        std::vector<std::int64_t> all;
        for (const auto& row : rows) all.push_back(row.id);
        return all;
    }
    ErrorCode code_of(const std::function<void(Transaction&)>& fn) {
        try {
            write(fn);
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr("test")) << "the operation is named";
            return error.code();
        }
        ADD_FAILURE() << "nothing was thrown";
        return ErrorCode::io;
    }
};

// --- facts ---------------------------------------------------------------------------------------

TEST_P(Conformance, ANewStoreHasNothing) {
    read([](Transaction& tx) {
        const auto totals = tx.totals();
        for (const auto& counter : store::counter_columns) {
            EXPECT_EQ(totals.*counter.member, 0) << counter.name;
        }
        EXPECT_EQ(totals.age_base, 0);
        EXPECT_EQ(totals.last_cleanup_at, 0);
        EXPECT_EQ(tx.newest_enqueued_at(), 0);
        EXPECT_EQ(tx.watermark(), 0);
        EXPECT_GT(tx.file_bytes(0), 0);
        EXPECT_THAT(tx.survey(0, no_limit, no_limit), IsEmpty());
        EXPECT_THAT(tx.batches(0, no_limit), IsEmpty());
        EXPECT_THAT(tx.owners(), IsEmpty());
        EXPECT_FALSE(tx.due(no_limit));
        EXPECT_FALSE(tx.next_due());
        EXPECT_FALSE(tx.next_lapse());
        EXPECT_EQ(tx.gate().state, GateRow::State::open);
        EXPECT_EQ(tx.clock().boot, "");
    });
}

TEST_P(Conformance, FactsFollowTheRows) {
    const auto before = seen([](Transaction& tx) { return tx.file_bytes(0); });
    put("a", std::string(100'000, 'x'), 500);
    put("b", "payload", 700);
    add_waiting(1, 1, 0);
    read([&](Transaction& tx) {
        EXPECT_EQ(tx.newest_enqueued_at(), 700);
        EXPECT_EQ(tx.watermark(), 1);
        EXPECT_GE(tx.file_bytes(0), before + 90'000);  // its last bytes may share a page
    });
    write([](Transaction& tx) { tx.remove_items(1, 1); });
    // Pages that came free don't count: what drains makes room.
    EXPECT_LT(seen([](Transaction& tx) { return tx.file_bytes(0); }), before + 50'000);
}

TEST_P(Conformance, TheWatermarkIsThatOfTheHighestRangeNotOfTheNewestBatch) {
    for (const char* key : {"a", "b", "c", "d"}) put(key);
    add_waiting(3, 4, 0);
    add_waiting(1, 2, 0);  // as after a split of an older batch
    EXPECT_EQ(seen([](Transaction& tx) { return tx.watermark(); }), 4);
}

// --- items ---------------------------------------------------------------------------------------

TEST_P(Conformance, AnItemComesBackAsItWentIn) {
    const std::string payload("\0\xff binary \n", 11);
    write([&](Transaction& tx) {
        EXPECT_EQ(tx.insert({.key = "kéy",
                             .source_tag = "bbc",
                             .payload = payload,
                             .enqueued_at = 1'800'000'000'123,
                             .tracked = true,
                             .published_at = -5,
                             .stale_at = 77}),
                  1);
        EXPECT_EQ(tx.insert({.key = "empty", .payload = "", .enqueued_at = 1'800'000'000'124}), 2);
    });
    const auto rows = seen([](Transaction& tx) { return tx.load(1, 2, no_limit, no_limit); });
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].key, "kéy");
    EXPECT_EQ(rows[0].source_tag, "bbc");
    EXPECT_EQ(rows[0].payload, payload);
    EXPECT_EQ(rows[0].bytes, 11);
    EXPECT_EQ(rows[0].enqueued_at, 1'800'000'000'123);
    EXPECT_TRUE(rows[0].tracked);
    EXPECT_EQ(rows[0].published_at, -5);
    EXPECT_EQ(rows[0].stale_at, 77);
    EXPECT_EQ(rows[1].payload, "");
    EXPECT_EQ(rows[1].bytes, 0);
    EXPECT_FALSE(rows[1].tracked);
    EXPECT_FALSE(rows[1].published_at);
    EXPECT_FALSE(rows[1].stale_at);
}

TEST_P(Conformance, ASecondItemWithAResidentKeyIsRefusedWhileKeysAreIndexed) {
    write([](Transaction& tx) {
        tx.index_keys(true);
        EXPECT_TRUE(tx.keys_indexed());
        EXPECT_EQ(tx.insert({.key = "a", .payload = "1", .enqueued_at = 1}), 1);
        EXPECT_EQ(tx.insert({.key = "a", .payload = "2", .enqueued_at = 1}), std::nullopt);
        EXPECT_EQ(tx.load(0, no_limit, no_limit, no_limit).front().payload, "1");
        EXPECT_EQ(tx.remove_items(1, 1), 1);
        EXPECT_TRUE(tx.insert({.key = "a", .payload = "3", .enqueued_at = 1}))
            << "a key is free again when its item has left";
    });
}

TEST_P(Conformance, ItemIdsGrowAndAreNeverReused) {
    put("a");
    put("b");
    write([](Transaction& tx) { EXPECT_EQ(tx.remove_items(1, 2), 2); });
    EXPECT_EQ(put("c"), 3);
    write([](Transaction& tx) { EXPECT_EQ(tx.remove_items(3, 3), 1); });
    store = GetParam().open(dir.path());
    EXPECT_EQ(put("d"), 4) << "also after the store was opened anew";
}

TEST_P(Conformance, FindKnowsFactsByKey) {
    write([](Transaction& tx) { tx.index_keys(true); });
    put("a", "12345", 900);
    const auto row = seen([](Transaction& tx) { return tx.find("a"); });
    ASSERT_TRUE(row);
    EXPECT_EQ(row->id, 1);
    EXPECT_EQ(row->bytes, 5);
    EXPECT_EQ(row->enqueued_at, 900);
    EXPECT_FALSE(seen([](Transaction& tx) { return tx.find("A"); })) << "keys are bytes";
    EXPECT_FALSE(seen([](Transaction& tx) { return tx.find(""); }));
}

TEST_P(Conformance, SurveyReadsARangeInOrderWithoutPayloads) {
    for (const char* key : {"a", "b", "c", "d"}) put(key);
    write([](Transaction& tx) { tx.remove_items(2, 2); });
    read([](Transaction& tx) {
        EXPECT_THAT(ids(tx.survey(0, no_limit, no_limit)), ElementsAre(1, 3, 4));
        EXPECT_THAT(ids(tx.survey(2, 3, no_limit)), ElementsAre(3));
        EXPECT_THAT(ids(tx.survey(0, no_limit, 2)), ElementsAre(1, 3));
        EXPECT_THAT(ids(tx.survey(4, 1, no_limit)), IsEmpty());
        EXPECT_THAT(ids(tx.survey(0, no_limit, 0)), IsEmpty());
        const auto row = tx.survey(1, 1, 1).front();
        EXPECT_EQ(row.bytes, 7);
        EXPECT_EQ(row.key, "a");
        EXPECT_EQ(row.payload, "");
    });
}

TEST_P(Conformance, LoadStopsAtItsLimitsButNeverBeforeTheFirst) {
    for (const char* key : {"a", "b", "c"}) put(key, std::string(100, 'x'));
    read([](Transaction& tx) {
        EXPECT_THAT(ids(tx.load(1, 3, no_limit, no_limit)), ElementsAre(1, 2, 3));
        EXPECT_THAT(ids(tx.load(1, 3, 2, no_limit)), ElementsAre(1, 2));
        EXPECT_THAT(ids(tx.load(1, 3, no_limit, 200)), ElementsAre(1, 2)) << "exactly fits";
        EXPECT_THAT(ids(tx.load(1, 3, no_limit, 199)), ElementsAre(1));
        EXPECT_THAT(ids(tx.load(1, 3, no_limit, 1)), ElementsAre(1)) << "one always fits";
        EXPECT_EQ(tx.load(2, 2, 1, 1).front().payload, std::string(100, 'x'));
        EXPECT_EQ(tx.load(2, 2, 1, 1).front().source_tag, "tag");
    });
}

TEST_P(Conformance, SumAddsUpARangeRelativeToABase) {
    put("a", "12345", 1000);
    put("b", "123", 1010);
    put("c", "1", 1020);
    read([](Transaction& tx) {
        const auto all = tx.sum(0, no_limit, 1000);
        EXPECT_EQ(all.items, 3);
        EXPECT_EQ(all.bytes, 9);
        EXPECT_EQ(all.enqueued_at_sum, 30);
        EXPECT_EQ(tx.sum(2, 2, 0).enqueued_at_sum, 1010);
        const auto none = tx.sum(10, 20, 0);
        EXPECT_EQ(none.items, 0);
        EXPECT_EQ(none.bytes, 0);
        EXPECT_EQ(none.enqueued_at_sum, 0);
    });
}

TEST_P(Conformance, MoreItemsThanACountIsToldFromTheRows) {
    EXPECT_FALSE(seen([](Transaction& tx) { return tx.more_items_than(0); }));
    for (const char* key : {"a", "b", "c"}) put(key);
    write([](Transaction& tx) { tx.apply({.edited = 9, .items = 9}); });
    read([](Transaction& tx) {
        EXPECT_TRUE(tx.more_items_than(0));
        EXPECT_TRUE(tx.more_items_than(2));
        EXPECT_FALSE(tx.more_items_than(3));
        EXPECT_FALSE(tx.more_items_than(no_limit));
    });
}

TEST_P(Conformance, StaleItemsComeOldestFirst) {
    write([](Transaction& tx) {
        tx.insert({.key = "late", .enqueued_at = 1, .stale_at = 300});
        tx.insert({.key = "never", .enqueued_at = 1});
        tx.insert({.key = "early", .enqueued_at = 1, .stale_at = 100});
        tx.insert({.key = "middle", .enqueued_at = 1, .stale_at = 200});
    });
    read([](Transaction& tx) {
        EXPECT_THAT(ids(tx.stale(1000, no_limit)), ElementsAre(3, 4, 1));
        EXPECT_THAT(ids(tx.stale(1000, 2)), ElementsAre(3, 4));
        EXPECT_THAT(ids(tx.stale(201, no_limit)), ElementsAre(3, 4));
        EXPECT_THAT(ids(tx.stale(50, no_limit)), IsEmpty());
    });
}

TEST_P(Conformance, RemoveAnswersWhatItReallyDeleted) {
    for (const char* key : {"a", "b", "c"}) put(key);
    write([](Transaction& tx) {
        EXPECT_EQ(tx.remove_items(2, 2), 1);
        EXPECT_EQ(tx.remove_items(2, 2), 0);
        EXPECT_EQ(tx.remove_items(1, 100), 2);
    });
}

TEST_P(Conformance, KeysAreIndexedOrFreeAndRepeatedOnesForbidTheIndex) {
    EXPECT_FALSE(seen([](Transaction& tx) { return tx.keys_indexed(); }));
    EXPECT_EQ(put("a"), 1);
    EXPECT_EQ(put("a"), 2);
    EXPECT_EQ(code_of([](Transaction& tx) {
                  try {
                      tx.index_keys(true);
                  } catch (const Error& error) {
                      EXPECT_THAT(error.message(), HasSubstr("share a key"));
                      EXPECT_THAT(error.message(), HasSubstr("allowed"));
                      throw Error(error.code(), "test", "", error.message());
                  }
              }),
              ErrorCode::misuse);
    write([](Transaction& tx) {
        tx.remove_items(1, 1);
        tx.index_keys(true);
        tx.index_keys(true);  // again changes nothing
        EXPECT_FALSE(tx.insert({.key = "a", .enqueued_at = 1}));
    });
    write([](Transaction& tx) {
        tx.index_keys(false);
        EXPECT_FALSE(tx.keys_indexed());
        EXPECT_TRUE(tx.insert({.key = "a", .enqueued_at = 1}));
    });
}

// --- the counters --------------------------------------------------------------------------------

TEST_P(Conformance, ApplyAddsEveryCounter) {
    Counters delta;
    std::int64_t value = 100;
    for (const auto& counter : store::counter_columns) delta.*counter.member = ++value;
    delta.items = delta.entered() - delta.left();
    write([&](Transaction& tx) {
        tx.apply(delta);
        tx.apply(delta);
    });
    const auto totals = seen([](Transaction& tx) { return tx.totals(); });
    for (const auto& counter : store::counter_columns) {
        EXPECT_EQ(totals.*counter.member, 2 * delta.*counter.member) << counter.name;
    }
}

TEST_P(Conformance, ApplyRefusesAChangeThatDoesNotBalance) {
    put("a");
    EXPECT_EQ(code_of([](Transaction& tx) {
                  tx.remove_items(1, 1);
                  Counters delta;
                  delta.acked = 1;  // and no item less
                  try {
                      tx.apply(delta);
                  } catch (const Error& error) {
                      throw Error(error.code(), "test", "", error.message());
                  }
              }),
              ErrorCode::corrupt);
    read([](Transaction& tx) {
        EXPECT_EQ(tx.totals().acked, 0);
        EXPECT_EQ(tx.survey(0, no_limit, no_limit).size(), 1U) << "all was undone";
    });
}

TEST_P(Conformance, TheOtherTotalsAreSet) {
    write([](Transaction& tx) {
        tx.set_age_base(11, 22);
        tx.set_last_cleanup(33);
        tx.set_sample(44, 55, 66);
    });
    const auto totals = seen([](Transaction& tx) { return tx.totals(); });
    EXPECT_EQ(totals.age_base, 11);
    EXPECT_EQ(totals.age_sum, 22);
    EXPECT_EQ(totals.last_cleanup_at, 33);
    EXPECT_EQ(totals.db_bytes, 44);
    EXPECT_EQ(totals.wal_bytes, 55);
    EXPECT_EQ(totals.sampled_at, 66);
}

// --- single rows, owners, settings ---------------------------------------------------------------

TEST_P(Conformance, TheGateComesBackAsItWasSet) {
    for (const auto state :
         {GateRow::State::closed, GateRow::State::half_open, GateRow::State::open}) {
        write([&](Transaction& tx) {
            tx.set_gate({.state = state,
                         .until = 5,
                         .reason = "quota",
                         .changed_by = "me",
                         .changed_at = 6,
                         .trial_batch_id = 7,
                         .failures = 8,
                         .closures = 9});
        });
        const auto gate = seen([](Transaction& tx) { return tx.gate(); });
        EXPECT_EQ(gate.state, state);
        EXPECT_EQ(gate.until, 5);
        EXPECT_EQ(gate.reason, "quota");
        EXPECT_EQ(gate.changed_by, "me");
        EXPECT_EQ(gate.changed_at, 6);
        EXPECT_EQ(gate.trial_batch_id, 7);
        EXPECT_EQ(gate.failures, 8);
        EXPECT_EQ(gate.closures, 9);
    }
    write([](Transaction& tx) { tx.set_gate({}); });
    const auto gate = seen([](Transaction& tx) { return tx.gate(); });
    EXPECT_FALSE(gate.until);
    EXPECT_FALSE(gate.trial_batch_id);
    EXPECT_EQ(gate.reason, "");
}

TEST_P(Conformance, TheClockComesBackAsItWasSet) {
    write([](Transaction& tx) {
        tx.set_clock({.boot = "b", .offset = -1, .anchored_at = 2, .seen_at = 3, .skew = -4});
    });
    const auto clock = seen([](Transaction& tx) { return tx.clock(); });
    EXPECT_EQ(clock.boot, "b");
    EXPECT_EQ(clock.offset, -1);
    EXPECT_EQ(clock.anchored_at, 2);
    EXPECT_EQ(clock.seen_at, 3);
    EXPECT_EQ(clock.skew, -4);
}

TEST_P(Conformance, OwnersGetNewIdsForEver) {
    std::int64_t first = 0;
    std::int64_t second = 0;
    write([&](Transaction& tx) {
        first = tx.add_owner({.label = "a[1]@h", .opened_at = 10, .lock_inode = 99});
        second = tx.add_owner({.label = "b[2]@h", .opened_at = 20, .lock_inode = 99});
    });
    EXPECT_LT(first, second);
    const auto owners = seen([](Transaction& tx) { return tx.owners(); });
    ASSERT_EQ(owners.size(), 2U);
    EXPECT_EQ(owners[1].id, second);
    EXPECT_EQ(owners[1].label, "b[2]@h");
    EXPECT_EQ(owners[1].opened_at, 20);
    EXPECT_EQ(owners[1].lock_inode, 99);
    write([&](Transaction& tx) {
        tx.remove_owner(second);
        // Its lock byte may still be probed: the id must not come again.
        EXPECT_GT(tx.add_owner({.label = "c", .opened_at = 30, .lock_inode = 99}), second);
    });
}

TEST_P(Conformance, SettingsAreInsertedAndChanged) {
    const store::SettingRow count{.name = "items_max",
                                  .value = "1000",
                                  .unit = "items",
                                  .minimum = "1",
                                  .maximum = "5000",
                                  .changed_at = 1,
                                  .changed_by = "me"};
    const auto before = seen([](Transaction& tx) { return tx.totals().settings_version; });
    write([&](Transaction& tx) {
        tx.set_setting(count);
        tx.set_setting({.name = "age_max",
                        .value = "0.25",
                        .unit = "s",
                        .minimum = "0.001",
                        .maximum = "10",
                        .changed_at = 1,
                        .changed_by = "me"});
        tx.set_setting({.name = "overflow",
                        .value = "refuse",
                        .allowed = "refuse|block",
                        .changed_at = 1,
                        .changed_by = "me"});
    });
    const auto rows = seen([](Transaction& tx) { return tx.settings(); });
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].name, "age_max");
    EXPECT_EQ(rows[0].value, "0.25");
    EXPECT_EQ(rows[0].minimum, "0.001");
    EXPECT_EQ(rows[1].value, "1000");
    EXPECT_EQ(rows[1].maximum, "5000");
    EXPECT_EQ(rows[1].allowed, "");
    EXPECT_EQ(rows[2].value, "refuse");
    EXPECT_EQ(rows[2].allowed, "refuse|block");
    EXPECT_EQ(rows[2].minimum, "");
    auto changed = count;
    changed.value = "2000";
    changed.changed_at = 2;
    changed.changed_by = "you";
    const auto between = seen([](Transaction& tx) { return tx.totals().settings_version; });
    EXPECT_GT(between, before);
    write([&](Transaction& tx) { tx.set_setting(changed); });
    read([&](Transaction& tx) {
        EXPECT_GT(tx.totals().settings_version, between) << "others read the settings again";
        EXPECT_EQ(tx.settings()[1].value, "2000");
        EXPECT_EQ(tx.settings()[1].changed_by, "you");
        EXPECT_EQ(tx.settings()[1].changed_at, 2);
    });
    changed.value = "5001";
    EXPECT_EQ(code_of([&](Transaction& tx) { tx.set_setting(changed); }), ErrorCode::misuse)
        << "the file itself refuses a value out of range";
}

// --- transactions --------------------------------------------------------------------------------

TEST_P(Conformance, WhatAWriteThrowsUndoesAllOfIt) {
    put("kept");
    EXPECT_THROW(write([](Transaction& tx) {
                     tx.insert({.key = "undone", .enqueued_at = 1});
                     tx.remove_items(1, 1);
                     tx.set_last_cleanup(9);
                     throw std::runtime_error("out of here");
                 }),
                 std::runtime_error);
    read([](Transaction& tx) {
        const auto rows = tx.survey(0, no_limit, no_limit);
        ASSERT_EQ(rows.size(), 1U);
        EXPECT_EQ(rows[0].key, "kept");
        EXPECT_EQ(tx.totals().last_cleanup_at, 0);
    });
    EXPECT_EQ(put("next"), 2) << "and the next write works";
}

TEST_P(Conformance, WhatANestedPartThrowsUndoesThatPartAlone) {
    write([](Transaction& tx) {
        tx.insert({.key = "before", .enqueued_at = 1});
        EXPECT_THROW(tx.nested([&] {
            tx.insert({.key = "inside", .enqueued_at = 1});
            tx.nested([&] { tx.insert({.key = "deeper", .enqueued_at = 1}); });
            throw std::runtime_error("this part fails");
        }),
                     std::runtime_error);
        tx.nested([&] { tx.insert({.key = "after", .enqueued_at = 1}); });
    });
    std::vector<std::string> keys;
    for (const auto& row : seen([](Transaction& tx) { return tx.survey(0, no_limit, no_limit); })) {
        keys.push_back(row.key);
    }
    EXPECT_THAT(keys, ElementsAre("before", "after"));
}

TEST_P(Conformance, AReadSeesOneSnapshotWhileOthersWrite) {
    put("a");
    const auto other = GetParam().open(dir.path());
    read([&](Transaction& tx) {
        EXPECT_EQ(tx.survey(0, no_limit, no_limit).size(), 1U);
        other->write({.operation = "test"}, [](Transaction& theirs) {
            theirs.insert({.key = "b", .enqueued_at = 1});
            theirs.remove_items(1, 1);
            theirs.set_last_cleanup(5);
        });
        put("c");
        EXPECT_EQ(tx.survey(0, no_limit, no_limit).front().key, "a");
        EXPECT_EQ(tx.survey(0, no_limit, no_limit).size(), 1U);
        EXPECT_EQ(tx.totals().last_cleanup_at, 0);
    });
    EXPECT_EQ(seen([](Transaction& tx) { return tx.survey(0, no_limit, no_limit); }).size(), 2U);
}

TEST_P(Conformance, AReadMayNotChangeAnything) {
    EXPECT_ANY_THROW(read([](Transaction& tx) { tx.insert({.key = "a", .enqueued_at = 1}); }));
    EXPECT_ANY_THROW(read([](Transaction& tx) { tx.set_last_cleanup(1); }));
    EXPECT_THAT(seen([](Transaction& tx) { return tx.survey(0, no_limit, no_limit); }), IsEmpty());
}

TEST_P(Conformance, ASecondWriterIsBusyUntilTheFirstHasEnded) {
    const auto other = GetParam().open(dir.path());
    write([&](Transaction& tx) {
        tx.insert({.key = "a", .enqueued_at = 1});
        try {
            other->write({.operation = "test", .busy_ms = 1}, [](Transaction&) {});
            ADD_FAILURE() << "two writers at once";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::busy);
        }
    });
    other->write({.operation = "test"},
                 [](Transaction& tx) { EXPECT_EQ(tx.insert({.key = "b", .enqueued_at = 1}), 2); });
}

TEST_P(Conformance, ASyncMayFollowAnyWriteOrNone) {
    store->sync("test");
    for (int i = 0; i < 4; ++i) {
        store->write({.operation = "test"}, [&](Transaction& tx) { tx.set_last_cleanup(i); });
        if (i % 2 == 0) store->sync("test");
    }
    EXPECT_EQ(seen([](Transaction& tx) { return tx.totals().last_cleanup_at; }), 3);
}

// --- for operators -------------------------------------------------------------------------------

TEST_P(Conformance, AViewIsTextAndOnlyOurs) {
    const auto ledger = store->view("ledger", 0);
    EXPECT_THAT(ledger.columns, ElementsAre("entered", "left", "resident", "difference"));
    ASSERT_EQ(ledger.rows.size(), 1U);
    EXPECT_THAT(ledger.rows.front(), ElementsAre("0", "0", "0", "0"));
    for (const char* name : {"", "items", "no_such", "ledger\" --", "sqlite_schema"}) {
        try {
            (void)store->view(name, 0);
            ADD_FAILURE() << name;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::misuse) << name;
            EXPECT_THAT(error.what(), HasSubstr("allowed: ")) << name;
        }
    }
}

TEST_P(Conformance, CheckFindsNothingInASoundStoreAndTheLedgerWhenItIsOff) {
    EXPECT_THAT(store->check(), IsEmpty());
    put("uncounted");
    const auto findings = store->check();
    ASSERT_FALSE(findings.empty());
    bool ledger = false;
    for (const auto& finding : findings) ledger |= finding.what == "ledger" && !finding.warning;
    EXPECT_TRUE(ledger);
}

TEST_P(Conformance, ABackupIsAStoreOfItsOwn) {
    put("a");
    const TempDir other;
    store->backup(other / "queue.db");
    put("b");
    const auto copy = GetParam().open(other.path());
    std::size_t items = 0;
    copy->read("test", [&](Transaction& tx) { items = tx.survey(0, no_limit, no_limit).size(); });
    EXPECT_EQ(items, 1U);
}

TEST_P(Conformance, ShrinkGivesFreePagesBackInBoundedSteps) {
    for (int i = 0; i < 50; ++i) put("k" + std::to_string(i), std::string(20'000, 'x'));
    write([](Transaction& tx) { tx.remove_items(0, no_limit); });
    std::int64_t total = 0;
    for (std::int64_t step = 64; step == 64; total += step) {
        step = store->shrink(64);
        EXPECT_LE(step, 64);
    }
    EXPECT_GE(total, 200);
    EXPECT_EQ(store->shrink(64), 0);
    EXPECT_THAT(store->check(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Stores, Conformance, ::testing::ValuesIn(store_kinds()), store_kind_name);

}  // namespace
}  // namespace headpond::test
