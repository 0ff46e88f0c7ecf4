#include "reliability/model_file.h"

#include <stdexcept>

#include <sqlite3.h>

namespace headpond::reliability::model {

// A prepared statement: run() for what answers nothing, next() row by row.
struct ModelFile::Query {
    Query(sqlite3* database, const char* sql) : handle(database) {
        if (sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) != SQLITE_OK) fail();
    }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    ~Query() { sqlite3_finalize(statement); }

    [[noreturn]] void fail() const { throw std::runtime_error(sqlite3_errmsg(handle)); }
    Query& bind(int at, std::int64_t value) {
        sqlite3_bind_int64(statement, at, value);
        return *this;
    }
    Query& bind(int at, double value) {
        sqlite3_bind_double(statement, at, value);
        return *this;
    }
    Query& bind(int at, std::string_view value) {
        sqlite3_bind_text(statement, at, value.data(), static_cast<int>(value.size()),
                          SQLITE_TRANSIENT);
        return *this;
    }
    bool next() {
        const int code = sqlite3_step(statement);
        if (code == SQLITE_ROW) return true;
        sqlite3_reset(statement);
        if (code != SQLITE_DONE) fail();
        return false;
    }
    void run() {
        while (next()) {
        }
    }
    [[nodiscard]] std::int64_t integer(int column) const {
        return sqlite3_column_int64(statement, column);
    }
    [[nodiscard]] std::optional<std::int64_t> maybe(int column) const {
        if (sqlite3_column_type(statement, column) == SQLITE_NULL) return std::nullopt;
        return integer(column);
    }
    [[nodiscard]] std::string text(int column) const {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
        const int size = sqlite3_column_bytes(statement, column);
        return bytes == nullptr ? std::string()
                                : std::string(bytes, static_cast<std::size_t>(size));
    }

    sqlite3* handle;
    sqlite3_stmt* statement = nullptr;
};

ModelFile::ModelFile(const std::filesystem::path& path) {
    if (sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) {
        throw std::runtime_error("cannot open " + path.string());
    }
    // Checkpoints are the queue's.
    sqlite3_wal_autocheckpoint(handle_, 0);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, static_cast<int*>(nullptr));
    sqlite3_busy_timeout(handle_, 5000);
    exec("PRAGMA synchronous=OFF");
}

ModelFile::~ModelFile() {
    queries_.clear();
    sqlite3_close(handle_);
}

void ModelFile::exec(const char* sql) {
    if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        throw std::runtime_error(sqlite3_errmsg(handle_));
    }
}

ModelFile::Query& ModelFile::query(const char* sql) {
    for (auto& [text, query] : queries_) {
        if (text == sql) return *query;
    }
    queries_.emplace_back(sql, std::make_unique<Query>(handle_, sql));
    return *queries_.back().second;
}

// --- reading -------------------------------------------------------------------------------------

void ModelFile::read_items(QueueState& state) {
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    auto& batches = query(
        "SELECT id, state, attempts, releases, attempts_max, parent_id, lease_token, "
        "lease_owner, lease_expires_at, not_before, last_error, first_id, last_id "
        "FROM batches ORDER BY id");
    while (batches.next()) {
        state.batches.push_back({.id = batches.integer(0),
                                 .leased = batches.text(1) == "leased",
                                 .owned = batches.maybe(7).has_value(),
                                 .attempts = batches.integer(2),
                                 .releases = batches.integer(3),
                                 .attempts_max = batches.maybe(4),
                                 .parent = batches.maybe(5),
                                 .token = batches.text(6),
                                 .lease_expires_at = batches.maybe(8),
                                 .not_before = batches.maybe(9),
                                 .last_error = batches.text(10)});
        ranges.emplace_back(batches.integer(11), batches.integer(12));
    }
    auto& items = query(
        "SELECT id, key, source_tag, payload, tracked, enqueued_at, published_at, stale_at "
        "FROM items ORDER BY id");
    while (items.next()) {
        ModelItem item{.id = items.integer(0),
                       .key = items.text(1),
                       .source_tag = items.text(2),
                       .payload = items.text(3),
                       .tracked = items.integer(4) != 0,
                       .enqueued_at = items.integer(5),
                       .published_at = items.maybe(6),
                       .stale_at = items.maybe(7)};
        for (std::size_t i = 0; i < ranges.size(); ++i) {
            if (item.id < ranges[i].first || item.id > ranges[i].second) continue;
            // Two batches that claim one item: an id that the model never has.
            item.batch = item.batch == 0 ? state.batches[i].id : -1;
        }
        state.items.push_back(std::move(item));
    }
}

void ModelFile::read_endings(QueueState& state) {
    auto& outcomes = query(
        "SELECT item_id, key, state, reason, result, published_at, queued_at, settled_at "
        "FROM outcomes ORDER BY item_id");
    while (outcomes.next()) {
        state.outcomes.push_back({.item_id = outcomes.integer(0),
                                  .key = outcomes.text(1),
                                  .state = outcomes.text(2),
                                  .reason = outcomes.text(3),
                                  .result = outcomes.text(4),
                                  .published_at = outcomes.maybe(5),
                                  .queued_at = outcomes.integer(6),
                                  .settled_at = outcomes.integer(7)});
    }
    auto& dead = query(
        "SELECT item_id, key, source_tag, payload, tracked, enqueued_at, published_at, reason, "
        "batch_id, attempts, last_error, died_at FROM dead_letters ORDER BY died_at, item_id");
    while (dead.next()) {
        state.dead.push_back({.item_id = dead.integer(0),
                              .key = dead.text(1),
                              .source_tag = dead.text(2),
                              .payload = dead.text(3),
                              .tracked = dead.integer(4) != 0,
                              .enqueued_at = dead.integer(5),
                              .published_at = dead.maybe(6),
                              .reason = dead.text(7),
                              .batch = dead.maybe(8),
                              .attempts = dead.integer(9),
                              .last_error = dead.text(10),
                              .died_at = dead.integer(11)});
    }
}

QueueState ModelFile::state() {
    QueueState state;
    query("BEGIN").run();
    read_items(state);
    read_endings(state);
    auto& gate = query("SELECT state, until, reason, trial_batch_id, failures, closures FROM gate");
    while (gate.next()) {
        state.gate = {.state = gate.text(0),
                      .until = gate.maybe(1),
                      .reason = gate.text(2),
                      .trial = gate.maybe(3),
                      .failures = gate.integer(4),
                      .closures = gate.integer(5)};
    }
    auto& counters = query("SELECT value FROM counters");
    for (std::size_t i = 0; counters.next(); ++i) state.counters.at(i) = counters.integer(0);
    query("COMMIT").run();
    return state;
}

StoredClock ModelFile::clock() {
    StoredClock clock;
    auto& row = query("SELECT boot, offset_ms, anchored_at, seen_at FROM clock");
    while (row.next()) {
        clock = {.boot = row.text(0),
                 .offset = row.integer(1),
                 .anchored_at = row.integer(2),
                 .seen_at = row.integer(3)};
    }
    return clock;
}

std::vector<ModelAttempt> ModelFile::attempts() {
    std::vector<ModelAttempt> all;
    auto& row = query("SELECT batch_id, attempt, outcome, error, items FROM attempts ORDER BY id");
    while (row.next()) {
        all.push_back({.batch = row.integer(0),
                       .attempt = row.integer(1),
                       .outcome = row.text(2),
                       .error = row.text(3),
                       .items = row.integer(4)});
    }
    return all;
}

// --- writing -------------------------------------------------------------------------------------

std::int64_t ModelFile::last_item_id() {
    auto& row = query("SELECT item_id_last FROM totals");
    std::int64_t last = 0;
    while (row.next()) last = row.integer(0);
    return last;
}

void ModelFile::empty(const ModelLimits& limits, std::string_view boot, Millis now, Millis offset,
                      bool item_ids_go_on) {
    query("BEGIN IMMEDIATE").run();
    for (const char* sql :
         {"DELETE FROM items", "DELETE FROM batches", "DELETE FROM attempts",
          "DELETE FROM outcomes", "DELETE FROM dead_letters",
          "DELETE FROM owners WHERE label = 'gone'",
          "DELETE FROM sqlite_sequence WHERE name = 'batches'",
          "UPDATE gate SET state = 'open', until = NULL, reason = NULL, changed_by = NULL, "
          "changed_at = NULL, trial_batch_id = NULL, failures = 0, closures = 0",
          "UPDATE totals SET enqueued = 0, redriven = 0, edited = 0, acked = 0, rejected = 0, "
          "evicted = 0, expired = 0, abandoned = 0, cancelled = 0, refused = 0, duplicates = 0, "
          "outcomes_unclaimed = 0, attempts = 0, failed_batches = 0, items = 0, bytes = 0, "
          "waiting_items = 0, leased_items = 0, leased_bytes = 0, age_sum = 0, outcomes = 0, "
          "dead_letters = 0, batch_id_last = 0, batch_id_reserved = 0"}) {
        query(sql).run();
    }
    if (!item_ids_go_on) {
        query("DELETE FROM sqlite_sequence WHERE name = 'items'").run();
        query("UPDATE totals SET item_id_last = 0, item_id_reserved = 0").run();
    }
    query("UPDATE totals SET age_base = ?1, last_cleanup_at = ?1").bind(1, now).run();
    query("UPDATE clock SET boot = ?1, offset_ms = ?2, anchored_at = ?3, seen_at = ?3, skew_ms = 0")
        .bind(1, boot)
        .bind(2, offset)
        .bind(3, now)
        .run();
    auto& set = query(
        "UPDATE settings SET value = ?1, changed_at = changed_at + 1 WHERE name = ?2 "
        "AND value IS NOT ?1");
    for (const ModelSetting& setting : model_settings()) {
        const std::int64_t value = limits.*setting.member;
        set.bind(2, setting.name);
        if (setting.kind == ModelSetting::count) {
            set.bind(1, value);
        } else if (setting.kind == ModelSetting::time) {
            set.bind(1, static_cast<double>(value) / 1000);
        } else {
            set.bind(1, std::string_view(setting.text(value)));
        }
        set.run();
    }
    query("COMMIT").run();
}

void ModelFile::hide_tokens() {
    query("UPDATE batches SET lease_token = lease_token || '!' WHERE lease_token IS NOT NULL")
        .run();
}

void ModelFile::restore_tokens() {
    query("UPDATE batches SET lease_token = rtrim(lease_token, '!') WHERE lease_token IS NOT NULL")
        .run();
}

void ModelFile::orphan(std::string_view token) {
    query(
        "INSERT INTO owners (label, opened_at, lock_inode) "
        "SELECT 'gone', opened_at, lock_inode FROM owners ORDER BY id DESC LIMIT 1")
        .run();
    query(
        "UPDATE batches SET lease_owner = (SELECT max(id) FROM owners) "
        "WHERE rtrim(lease_token, '!') = ? AND state = 'leased' AND lease_owner IS NOT NULL")
        .bind(1, token)
        .run();
}

// --- settings ------------------------------------------------------------------------------------

std::string ModelSetting::text(std::int64_t value) const {
    switch (kind) {
        case count:
            break;
        case time: {
            std::string decimals = std::to_string(value % 1000 + 1000);
            decimals[0] = '.';
            return std::to_string(value / 1000) + decimals;
        }
        case yes_no:
            return value != 0 ? "yes" : "no";
        case overflow:
            return value == 0 ? "evict_oldest" : value == 1 ? "refuse" : "block";
        case stale_from:
            return value != 0 ? "published" : "queued";
    }
    return std::to_string(value);
}

std::span<const ModelSetting> model_settings() {
    using M = ModelLimits;
    using S = ModelSetting;
    static constexpr std::array settings{
        S{"items_max", &M::items_max, S::count, {3, 2, 1, 4}},
        S{"bytes_max", &M::bytes_max, S::count, {100, 60, 30, 200}},
        S{"payload_bytes_max", &M::payload_bytes_max, S::count, {60, 120, 20, 5}},
        S{"overflow", &M::overflow, S::overflow, {0, 1, 0, 2}},
        S{"age_max", &M::age_max, S::time, {60'000, 20'000, 5'000, 1}},
        S{"cleanup_interval", &M::cleanup_interval, S::time, {30'000, 3'000, 300'000, 1}},
        S{"cleanup_rows", &M::cleanup_rows, S::count, {500, 1, 2, 3}},
        S{"attempts_max", &M::attempts_max, S::count, {3, 2, 1, 4}},
        S{"batch_items_max", &M::batch_items_max, S::count, {25, 2, 1, 3}},
        S{"batch_bytes_max", &M::batch_bytes_max, S::count, {80, 30, 1, 8'000}},
        S{"batch_items_due", &M::batch_items_due, S::count, {2, 1, 3, 10}},
        S{"batch_linger", &M::batch_linger, S::time, {8'000, 0, 2'000, 1}},
        S{"backoff_base", &M::backoff_base, S::time, {1'000, 0, 2'500, 10'000}},
        S{"backoff_max", &M::backoff_max, S::time, {3'000, 0, 300'000, 1}},
        S{"release_delay_min", &M::release_delay_min, S::time, {500, 0, 4'000, 1}},
        S{"isolate_poison", &M::isolate_poison, S::yes_no, {0, 1, 1, 0}},
        S{"pending_max", &M::pending_max, S::time, {40'000, 10'000, 90'000, 1}},
        S{"stale_from", &M::stale_from_published, S::stale_from, {0, 1, 1, 0}},
        S{"outcomes_max", &M::outcomes_max, S::count, {8, 3, 1, 2}},
        S{"outcome_age_max", &M::outcome_age_max, S::time, {50'000, 10'000, 1, 500'000}},
        S{"dead_max", &M::dead_max, S::count, {5, 2, 1, 3}},
        S{"dead_age_max", &M::dead_age_max, S::time, {70'000, 10'000, 1, 500'000}},
        S{"keep_dropped", &M::keep_dropped, S::yes_no, {0, 1, 1, 0}},
        S{"breaker_failures", &M::breaker_failures, S::count, {2, 1, 3, 5}},
        S{"breaker_closed", &M::breaker_closed, S::time, {2'000, 1, 5'000, 9'000}},
        S{"breaker_closed_max", &M::breaker_closed_max, S::time, {6'000, 1'000, 900'000, 1}},
    };
    return settings;
}

}  // namespace headpond::reliability::model
