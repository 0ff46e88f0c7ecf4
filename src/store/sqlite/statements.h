// Every statement of the engine, named, in one place. Each is served by an index, or reads a table
// of a few rows: tests/store/statements_test.cpp asks EXPLAIN QUERY PLAN.
#pragma once

#include "store/sqlite/connection.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace headpond::store::sqlite {

#define HEADPOND_ITEM_FACTS "id, key, length(payload), enqueued_at, tracked, published_at, stale_at"
#define HEADPOND_BATCH                                                                            \
    "id, state, first_id, last_id, items, bytes, attempts, releases, attempts_max, parent_id, "   \
    "attempt_id, lease_token, lease_owner, leased_at, lease_expires_at, not_before, created_at, " \
    "last_error"
#define HEADPOND_DEAD                                                                   \
    "item_id, key, source_tag, payload, enqueued_at, tracked, published_at, stale_at, " \
    "reason, batch_id, attempts, last_error, died_at"
#define HEADPOND_OUTCOME "item_id, key, state, reason, result, published_at, queued_at, settled_at"

#define HEADPOND_8_VALUES "(?, ?, ?, ?, ?, ?, ?, ?)"
#define HEADPOND_4_ROWS(row) row ", " row ", " row ", " row
#define HEADPOND_INSERT_ITEMS                                                               \
    "INSERT INTO items (id, key, source_tag, payload, enqueued_at, tracked, published_at, " \
    "stale_at) "                                                                            \
    "VALUES "
#define HEADPOND_ADD_OUTCOMES "INSERT OR REPLACE INTO outcomes (" HEADPOND_OUTCOME ") VALUES "

#define HEADPOND_STATEMENTS(X)                                                                     \
    X(begin, "BEGIN IMMEDIATE")                                                                    \
    X(begin_read, "BEGIN")                                                                         \
    X(commit, "COMMIT")                                                                            \
    X(rollback, "ROLLBACK")                                                                        \
    X(savepoint, "SAVEPOINT member")                                                               \
    X(release, "RELEASE member")                                                                   \
    X(rollback_to, "ROLLBACK TO member")                                                           \
    X(data_version, "PRAGMA data_version")                                                         \
    X(page_count, "PRAGMA page_count")                                                             \
    X(free_pages, "PRAGMA freelist_count")                                                         \
    X(totals,                                                                                      \
      "SELECT enqueued, redriven, edited, acked, rejected, evicted, expired, abandoned, "          \
      "cancelled, refused, duplicates, outcomes_unclaimed, attempts, failed_batches, items, "      \
      "bytes, waiting_items, leased_items, leased_bytes, age_sum, outcomes, dead_letters, "        \
      "age_base, last_cleanup_at, settings_version, db_bytes, wal_bytes, sampled_at, "             \
      "item_id_last, item_id_reserved, batch_id_last, batch_id_reserved FROM totals WHERE id = 1") \
    X(write_totals,                                                                                \
      "UPDATE totals SET enqueued=?, redriven=?, edited=?, acked=?, rejected=?, evicted=?, "       \
      "expired=?, abandoned=?, cancelled=?, refused=?, duplicates=?, outcomes_unclaimed=?, "       \
      "attempts=?, failed_batches=?, items=?, bytes=?, waiting_items=?, leased_items=?, "          \
      "leased_bytes=?, age_sum=?, outcomes=?, dead_letters=?, item_id_last=?, "                    \
      "item_id_reserved=?, batch_id_last=?, batch_id_reserved=? WHERE id = 1")                     \
    X(issued_ids,                                                                                  \
      "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'items'), "                            \
      "(SELECT seq FROM sqlite_sequence WHERE name = 'batches'), (SELECT max(id) FROM items), "    \
      "(SELECT last_id FROM batches ORDER BY first_id DESC LIMIT 1), "                             \
      "(SELECT max(id) FROM batches)")                                                             \
    X(reserve_ids, "UPDATE sqlite_sequence SET seq = ? WHERE name = ?")                            \
    X(set_age_base, "UPDATE totals SET age_base = ?, age_sum = ? WHERE id = 1")                    \
    X(set_last_cleanup, "UPDATE totals SET last_cleanup_at = ? WHERE id = 1")                      \
    X(set_sample, "UPDATE totals SET db_bytes = ?, wal_bytes = ?, sampled_at = ? WHERE id = 1")    \
    X(gate,                                                                                        \
      "SELECT state, until, reason, changed_by, changed_at, trial_batch_id, failures, closures "   \
      "FROM gate WHERE id = 1")                                                                    \
    X(set_gate,                                                                                    \
      "UPDATE gate SET state = ?, until = ?, reason = ?, changed_by = ?, changed_at = ?, "         \
      "trial_batch_id = ?, failures = ?, closures = ? WHERE id = 1")                               \
    X(clock, "SELECT boot, offset_ms, anchored_at, seen_at, skew_ms FROM clock WHERE id = 1")      \
    X(set_clock,                                                                                   \
      "UPDATE clock SET boot = ?, offset_ms = ?, anchored_at = ?, seen_at = ?, skew_ms = ? "       \
      "WHERE id = 1")                                                                              \
    X(newest, "SELECT enqueued_at FROM items ORDER BY id DESC LIMIT 1")                            \
    X(watermark, "SELECT last_id FROM batches ORDER BY first_id DESC LIMIT 1")                     \
    X(keys_indexed, "SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = 'items_key'")     \
    X(first_item_id, "SELECT min(id) FROM items")                                                  \
    X(resident_items, "SELECT items FROM totals WHERE id = 1")                                     \
    X(keys_after, "SELECT id, key FROM items WHERE id > ? ORDER BY id")                            \
    X(key_of_item, "SELECT key FROM items WHERE id = ?")                                           \
    X(insert_item, HEADPOND_INSERT_ITEMS HEADPOND_8_VALUES " ON CONFLICT DO NOTHING")              \
    X(insert_4_items,                                                                              \
      HEADPOND_INSERT_ITEMS HEADPOND_4_ROWS(HEADPOND_8_VALUES) " ON CONFLICT DO NOTHING")          \
    X(insert_16_items, HEADPOND_INSERT_ITEMS HEADPOND_4_ROWS(                                      \
                           HEADPOND_4_ROWS(HEADPOND_8_VALUES)) " ON CONFLICT DO NOTHING")          \
    X(ids_of_items, "SELECT id FROM items WHERE id BETWEEN ? AND ? ORDER BY id")                   \
    X(find_item, "SELECT " HEADPOND_ITEM_FACTS " FROM items WHERE key = ?")                        \
    X(survey_items,                                                                                \
      "SELECT " HEADPOND_ITEM_FACTS " FROM items WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?")    \
    X(load_items, "SELECT " HEADPOND_ITEM_FACTS                                                    \
                  ", source_tag, payload FROM items WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?") \
    X(item_after_many, "SELECT 1 FROM items LIMIT 1 OFFSET ?")                                     \
    X(sum_items,                                                                                   \
      "SELECT count(*), ifnull(sum(length(payload)), 0), ifnull(sum(enqueued_at - ?1), 0), "       \
      "ifnull(sum(tracked), 0) FROM items WHERE id BETWEEN ?2 AND ?3")                             \
    X(total_items,                                                                                 \
      "SELECT count(*), CAST(total(length(payload)) AS INTEGER), "                                 \
      "CAST(total(enqueued_at - ?1) AS INTEGER), CAST(total(tracked) AS INTEGER) FROM items "      \
      "WHERE id BETWEEN ?2 AND ?3")                                                                \
    X(stale_items,                                                                                 \
      "SELECT " HEADPOND_ITEM_FACTS                                                                \
      " FROM items WHERE stale_at < ? AND stale_at IS NOT NULL ORDER BY stale_at LIMIT ?")         \
    X(remove_items, "DELETE FROM items WHERE id BETWEEN ? AND ?")                                  \
    X(add_batch, "INSERT INTO batches (" HEADPOND_BATCH                                            \
                 ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                \
    X(save_batch,                                                                                  \
      "UPDATE batches SET state = ?2, first_id = ?3, last_id = ?4, items = ?5, bytes = ?6, "       \
      "attempts = ?7, releases = ?8, attempts_max = ?9, parent_id = ?10, attempt_id = ?11, "       \
      "lease_token = ?12, lease_owner = ?13, leased_at = ?14, lease_expires_at = ?15, "            \
      "not_before = ?16, created_at = ?17, last_error = ?18 WHERE id = ?1")                        \
    X(remove_batch, "DELETE FROM batches WHERE id = ?")                                            \
    X(batch, "SELECT " HEADPOND_BATCH " FROM batches WHERE id = ?")                                \
    X(batch_at_or_below,                                                                           \
      "SELECT " HEADPOND_BATCH " FROM batches WHERE first_id <= ? ORDER BY first_id DESC LIMIT 1") \
    X(due_batch,                                                                                   \
      "SELECT " HEADPOND_BATCH                                                                     \
      " FROM batches INDEXED BY batches_due WHERE state = 'waiting' AND not_before <= ? "          \
      "ORDER BY not_before LIMIT 1")                                                               \
    X(next_due,                                                                                    \
      "SELECT not_before FROM batches INDEXED BY batches_due WHERE state = 'waiting' "             \
      "ORDER BY not_before LIMIT 1")                                                               \
    X(next_lapse,                                                                                  \
      "SELECT lease_expires_at FROM batches INDEXED BY batches_lapse WHERE state = 'leased' "      \
      "ORDER BY lease_expires_at LIMIT 1")                                                         \
    X(lapsed_batches,                                                                              \
      "SELECT " HEADPOND_BATCH                                                                     \
      " FROM batches INDEXED BY batches_lapse WHERE state = 'leased' AND lease_expires_at <= ? "   \
      "ORDER BY lease_expires_at LIMIT ?")                                                         \
    X(batches_held_by,                                                                             \
      "SELECT " HEADPOND_BATCH                                                                     \
      " FROM batches INDEXED BY batches_lapse WHERE state = 'leased' AND lease_owner = ? "         \
      "ORDER BY lease_expires_at LIMIT ?")                                                         \
    X(waiting_batches,                                                                             \
      "SELECT " HEADPOND_BATCH                                                                     \
      " FROM batches INDEXED BY batches_waiting WHERE state = 'waiting' AND first_id > ? "         \
      "ORDER BY first_id LIMIT ?")                                                                 \
    X(all_batches,                                                                                 \
      "SELECT " HEADPOND_BATCH " FROM batches WHERE first_id > ? ORDER BY first_id LIMIT ?")       \
    X(batches_by_id, "SELECT " HEADPOND_BATCH " FROM batches WHERE id > ? ORDER BY id LIMIT ?")    \
    X(add_attempt,                                                                                 \
      "INSERT INTO attempts (batch_id, attempt, owner, started_at, items) "                        \
      "VALUES (?, ?, ?, ?, ?)")                                                                    \
    X(finish_attempt,                                                                              \
      "UPDATE attempts SET finished_at = ?2, outcome = ?3, error = ?4, "                           \
      "items = CASE WHEN ?5 < 0 THEN items ELSE ?5 END WHERE id = ?1")                             \
    X(newest_attempt, "SELECT max(id) FROM attempts")                                              \
    X(prune_attempts,                                                                              \
      "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE id <= ? "                   \
      "ORDER BY id LIMIT ?)")                                                                      \
    X(bury, "INSERT OR REPLACE INTO dead_letters (" HEADPOND_DEAD                                  \
            ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                    \
    X(dead_all,                                                                                    \
      "SELECT " HEADPOND_DEAD                                                                      \
      " FROM dead_letters INDEXED BY dead_letters_died WHERE (died_at, item_id) > (?1, ?2) "       \
      "AND (?3 = '' OR reason = ?3) ORDER BY died_at, item_id LIMIT ?4")                           \
    X(dead_of_key,                                                                                 \
      "SELECT " HEADPOND_DEAD                                                                      \
      " FROM dead_letters INDEXED BY dead_letters_key WHERE key = ?1 AND item_id > ?2 "            \
      "AND (?3 = '' OR reason = ?3) ORDER BY item_id LIMIT ?4")                                    \
    X(died_at, "SELECT died_at FROM dead_letters WHERE item_id = ?")                               \
    X(count_dead,                                                                                  \
      "SELECT count(*) FROM dead_letters WHERE (?1 = '' OR key = ?1) "                             \
      "AND (?2 = '' OR reason = ?2)")                                                              \
    X(remove_dead, "DELETE FROM dead_letters WHERE item_id = ?")                                   \
    X(dead_before,                                                                                 \
      "SELECT item_id FROM dead_letters WHERE died_at < ? ORDER BY died_at, item_id LIMIT ?")      \
    X(add_outcome, HEADPOND_ADD_OUTCOMES HEADPOND_8_VALUES)                                        \
    X(add_16_outcomes, HEADPOND_ADD_OUTCOMES HEADPOND_4_ROWS(HEADPOND_4_ROWS(HEADPOND_8_VALUES)))  \
    X(outcomes,                                                                                    \
      "SELECT " HEADPOND_OUTCOME " FROM outcomes WHERE item_id > ? ORDER BY item_id LIMIT ?")      \
    X(outcomes_of_key, "SELECT " HEADPOND_OUTCOME " FROM outcomes WHERE key = ? ORDER BY item_id") \
    X(remove_outcomes, "DELETE FROM outcomes WHERE item_id BETWEEN ? AND ?")                       \
    X(count_outcomes, "SELECT count(*) FROM outcomes")                                             \
    X(add_owner, "INSERT INTO owners (label, opened_at, lock_inode) VALUES (?, ?, ?)")             \
    X(owners, "SELECT id, label, opened_at, lock_inode FROM owners ORDER BY id")                   \
    X(remove_owner, "DELETE FROM owners WHERE id = ?")                                             \
    X(settings,                                                                                    \
      "SELECT name, value, unit, minimum, maximum, allowed, changed_at, changed_by "               \
      "FROM settings ORDER BY name")                                                               \
    X(set_setting,                                                                                 \
      "INSERT INTO settings (name, value, unit, minimum, maximum, allowed, changed_at, "           \
      "changed_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "              \
      "value = excluded.value, unit = excluded.unit, minimum = excluded.minimum, "                 \
      "maximum = excluded.maximum, allowed = excluded.allowed, "                                   \
      "changed_at = excluded.changed_at, changed_by = excluded.changed_by")

enum class Sql : std::size_t {
#define HEADPOND_NAME(name, text) name,
    HEADPOND_STATEMENTS(HEADPOND_NAME)
#undef HEADPOND_NAME
};

struct NamedSql {
    std::string_view name;
    const char* text;
};
inline constexpr std::array statement_texts{
#define HEADPOND_TEXT(name, text) NamedSql{#name, text},
    HEADPOND_STATEMENTS(HEADPOND_TEXT)
#undef HEADPOND_TEXT
};

// The prepared statements of one connection, each prepared at its first use.
class Statements {
  public:
    explicit Statements(SQLite::Database& database) noexcept : database_(database) {}

    [[nodiscard]] Prepared& operator[](Sql sql) {
        auto& slot = slots_[static_cast<std::size_t>(sql)];
        if (!slot) slot.emplace(database_, statement_texts[static_cast<std::size_t>(sql)].text);
        return *slot;
    }
    // Before the schema changes, and before the connection closes.
    void finalize() noexcept {
        for (auto& slot : slots_) slot.reset();
    }

  private:
    SQLite::Database& database_;
    std::array<std::optional<Prepared>, statement_texts.size()> slots_;
};

}  // namespace headpond::store::sqlite
