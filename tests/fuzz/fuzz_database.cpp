// Bytes as a database file: the library refuses it with an Error and leaves it as it was, or works.
// It never crashes or hangs, and never runs a trigger that somebody planted.
#include "fuzz_input.h"
#include "queue_file.h"
#include "support/raw_database.h"

#include <headpond/admin.h>
#include <headpond/queue.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::fuzz {
namespace {

constexpr std::size_t page = 4096;

constexpr std::array<std::string_view, 12> our_tables{
    "items",  "batches",  "attempts", "dead_letters", "outcomes",   "totals",
    "owners", "settings", "gate",     "clock",        "migrations", "health"};

struct Templates {
    Folder folder;
    QueueFile whole = lived_queue(folder, false);
    QueueFile logged = lived_queue(folder, true);
};

Templates& templates() {
    static Templates all;
    return all;
}

// --- the file ------------------------------------------------------------------------------------

void patch(std::string& bytes, Input& input) {
    if (bytes.empty()) return;
    const std::uint64_t number = input.word(2);
    const std::size_t at = (number * page + input.word(2) % page) % bytes.size();
    const std::string value = input.text(32);
    bytes.replace(at, std::min(value.size(), bytes.size() - at), value, 0,
                  std::min(value.size(), bytes.size() - at));
}

QueueFile patched(Input& input, bool logged) {
    QueueFile file = logged ? templates().logged : templates().whole;
    if (const std::size_t cut = input.below(8); cut == 7) {
        file.database.resize(input.word(3) % (file.database.size() + 1));
    }
    for (int i = 0; i < 8 && !input.empty(); ++i) {
        patch(logged && input.flag() ? file.log : file.database, input);
    }
    return file;
}

std::string literal(std::string_view text) {
    std::string sql = "'";
    for (const char c : text) {
        if (c == '\0') continue;
        sql += c;
        if (c == '\'') sql += c;
    }
    return sql + "'";
}

// The statements of somebody who may write the file. What they break is theirs; what they plant
// must not run: `canary` tells.
std::string trigger_on(std::string_view table, const std::string& name, Input& input) {
    constexpr std::array<std::string_view, 4> whens{"AFTER", "BEFORE", "INSTEAD OF", ""};
    constexpr std::array<std::string_view, 3> events{"INSERT", "UPDATE", "DELETE"};
    const std::string when(input.one_of(whens));
    const std::string event(input.one_of(events));
    return "CREATE TRIGGER " + name + " " + when + " " + event + " ON " + std::string(table) +
           " BEGIN UPDATE canary SET n = n + 1; END";
}

std::string planted_name(Input& input) {
    constexpr std::array<std::string_view, 6> names{
        "planted", "settings_changed", "sqlite_planted", "settings", "clock", "other"};
    return std::string(input.one_of(names));
}

// A row of sqlite_schema that no CREATE would make, behind the first `row` rows.
std::string forged_row(Input& input) {
    constexpr std::array<std::string_view, 5> types{"trigger", "TRIGGER", "view", "table", "index"};
    const std::string on(input.one_of(our_tables));
    const std::string name = planted_name(input);
    const std::string sql = input.flag() ? input.text() : trigger_on(on, name, input);
    const std::string table = input.flag() ? std::string(input.one_of(our_tables)) : on;
    const std::size_t row = 60 - input.below(61);
    const std::string type(input.one_of(types));
    const std::string root = std::to_string(input.below(20));
    return "UPDATE sqlite_schema SET rowid = rowid + 1000 WHERE rowid > " + std::to_string(row) +
           "; INSERT INTO sqlite_schema (rowid, type, name, tbl_name, rootpage, sql) VALUES (" +
           std::to_string(row + 1) + "," + literal(type) + "," + literal(name) + "," +
           literal(table) + "," + root + "," + literal(sql) + ")";
}

std::string number_in_a_row(Input& input) {
    constexpr std::array<std::string_view, 48> columns{"batches.not_before",
                                                       "batches.first_id",
                                                       "batches.last_id",
                                                       "batches.items",
                                                       "batches.bytes",
                                                       "batches.attempts",
                                                       "batches.releases",
                                                       "batches.attempts_max",
                                                       "batches.lease_owner",
                                                       "batches.leased_at",
                                                       "batches.lease_expires_at",
                                                       "batches.created_at",
                                                       "batches.attempt_id",
                                                       "batches.id",
                                                       "items.id",
                                                       "items.enqueued_at",
                                                       "items.published_at",
                                                       "items.stale_at",
                                                       "totals.items",
                                                       "totals.bytes",
                                                       "totals.waiting_items",
                                                       "totals.leased_items",
                                                       "totals.leased_bytes",
                                                       "totals.age_sum",
                                                       "totals.age_base",
                                                       "totals.last_cleanup_at",
                                                       "totals.enqueued",
                                                       "totals.attempts",
                                                       "totals.settings_version",
                                                       "totals.outcomes",
                                                       "totals.sampled_at",
                                                       "owners.id",
                                                       "owners.lock_inode",
                                                       "owners.opened_at",
                                                       "outcomes.settled_at",
                                                       "outcomes.queued_at",
                                                       "dead_letters.died_at",
                                                       "dead_letters.attempts",
                                                       "attempts.started_at",
                                                       "gate.until",
                                                       "gate.failures",
                                                       "gate.closures",
                                                       "gate.trial_batch_id",
                                                       "clock.offset_ms",
                                                       "clock.anchored_at",
                                                       "clock.seen_at",
                                                       "clock.skew_ms",
                                                       "attempts.id"};
    const std::string_view column = input.one_of(columns);
    const std::size_t dot = column.find('.');
    const std::string table(column.substr(0, dot));
    const std::string value = std::to_string(input.number());
    return "UPDATE " + table + " SET " + std::string(column.substr(dot + 1)) + " = " + value +
           (input.flag() ? "" : " WHERE rowid = (SELECT min(rowid) FROM " + table + ")");
}

std::string alien_release(Input& input) {
    constexpr std::array<std::string_view, 4> releases{"0.0.1", "0.1.0", "99.0.0", ""};
    const std::string release = literal(input.one_of(releases));
    switch (input.below(4)) {
        case 0:
            return "PRAGMA user_version = " + std::to_string(input.byte());
        case 1:
            return "UPDATE migrations SET digest = " + release +
                   " WHERE version = " + std::to_string(input.below(3));
        case 2:
            return "UPDATE migrations SET applied_by = " + release +
                   ", oldest_release = " + release;
        default:
            return "INSERT OR REPLACE INTO migrations (version, name, digest, oldest_release, "
                   "applied_at, applied_by) VALUES (" +
                   std::to_string(input.byte()) + ", 'n', 'd', " + release + ", 0, " + release +
                   ")";
    }
}

std::string other_column(Input& input) {
    constexpr std::array<std::string_view, 14> columns{
        "settings.value",      "settings.name",   "gate.state",         "gate.reason",
        "batches.lease_token", "batches.state",   "batches.last_error", "items.key",
        "items.source_tag",    "outcomes.reason", "dead_letters.key",   "dead_letters.last_error",
        "owners.label",        "clock.boot"};
    const std::string_view column = input.one_of(columns);
    const std::size_t dot = column.find('.');
    const std::string value = input.flag() ? std::to_string(input.number()) : literal(input.text());
    return "UPDATE " + std::string(column.substr(0, dot)) + " SET " +
           std::string(column.substr(dot + 1)) + " = " + value +
           (column.starts_with("settings.")
                ? " WHERE name = (SELECT name FROM settings LIMIT 1 OFFSET " +
                      std::to_string(input.below(35)) + ")"
                : "");
}

std::string altered_sql(const std::string& table, Input& input) {
    const std::string before = literal(input.text(12));
    const std::string after = literal(input.text(40));
    return "UPDATE sqlite_schema SET sql = replace(sql, " + before + ", " + after +
           ") WHERE name = " + literal(table);
}

std::string statement(Input& input) {
    const std::string table(input.one_of(our_tables));
    switch (input.below(12)) {
        case 0:
            return trigger_on(table, planted_name(input), input);
        case 1:
            return forged_row(input);
        case 2:
            return alien_release(input);
        case 3:
            return "DROP TRIGGER settings_changed; " +
                   trigger_on("settings", "settings_changed", input);
        case 4:
            return altered_sql(table, input);
        case 5:
            return "DROP " + std::string(table == "health" ? "VIEW " : "TABLE ") + table;
        case 6:
            return "CREATE INDEX extra ON " + table + " (abs(rowid))";
        case 7:
            return "DELETE FROM " + table +
                   (input.flag() ? "" : " WHERE rowid % 2 = " + std::to_string(input.below(2)));
        case 8:
            return "DROP VIEW health; CREATE VIEW health AS SELECT * FROM canary";
        case 9:
        case 10:
            return number_in_a_row(input);
        default:
            return other_column(input);
    }
}

void plant(const std::filesystem::path& path, Input& input) {
    test::RawDatabase writer(path);
    writer.exec("PRAGMA ignore_check_constraints = ON");
    for (int i = 0; i < 12 && !input.empty(); ++i) {
        writer.exec("PRAGMA writable_schema = ON");
        (void)writer.try_exec(statement(input));  // SQLite may know better
        (void)writer.try_exec("PRAGMA writable_schema = RESET");
    }
    (void)writer.try_exec("UPDATE canary SET n = 0");
}

// --- the library ---------------------------------------------------------------------------------

// An Error is an answer; another exception ends the process.
template <class Call>
std::optional<ErrorCode> answers(Call call) {
    try {
        call();
        return std::nullopt;
    } catch (const Error& error) {
        require_one_line(error.what());
        return error.code();
    }
}

void look(Queue& queue) {
    answers([&] { (void)queue.health(); });
    Admin admin(queue);
    answers([&] { (void)admin.peek(100); });
    answers([&] { (void)admin.batches(100); });
    answers([&] { (void)admin.why("key-1"); });
    answers([&] { (void)admin.dead({}); });
    answers([&] { (void)admin.outcome("key-0"); });
    answers([&] { (void)admin.settings(); });
    answers([&] { (void)admin.gate(); });
    answers([&] { (void)queue.outcomes(100); });
    for (const char* view : {"health", "leases", "stuck", "resident", "ready", "dead", "errors",
                             "trail", "ledger", "range_faults", "help", "counters"}) {
        answers([&] { (void)admin.view(view); });
    }
    answers([&] { (void)admin.check(); });
}

void work(Queue& queue) {
    answers([&] { (void)queue.enqueue({.key = "new", .tracking = Tracking::tracked}); });
    for (int i = 0; i < 3; ++i) {
        answers([&] {
            auto batch = queue.lease();
            if (!batch) return;
            if (i == 0) (void)batch->ack();
            if (i == 1) (void)batch->nack("no");
        });
    }
    answers([&] { (void)queue.cleanup(); });
    Admin admin(queue);
    answers([&] { (void)admin.redrive({}); });
    answers([&] { admin.set("items_max", "20", "fuzz"); });
    answers([&] { admin.pause(Ms{10}, "why", "fuzz"); });
    answers([&] { admin.resume("fuzz"); });
    answers([&] { (void)admin.repair(); });
    answers([&] { (void)admin.purge({}); });
}

void use(const std::filesystem::path& path, Migrate migrate) {
    const std::string before = bytes_of(path);
    Options options = small_options(path);
    options.migrate = migrate;
    // What the file says counts, but for what decides how much is written into the log.
    options.items_max = options.bytes_max = options.batch_items_max = std::nullopt;
    const auto clock = std::dynamic_pointer_cast<test::FakeClock>(options.clock);
    bool opened = false;
    const auto refusal = answers([&] {
        Queue queue(options);
        opened = true;
        look(queue);
        work(queue);
        clock->advance(Ms{3'600'000});
        work(queue);
        look(queue);
    });
    // Damage may first be met by a page that opening writes, after others have been written.
    if (!opened && refusal != ErrorCode::corrupt) {
        require(bytes_of(path) == before, "a file that is refused was changed");
    }
}

void run(Input input) {
    const Folder& folder = templates().folder;
    folder.clear();
    const auto path = folder / "queue.db";
    const std::uint8_t kind = input.byte();
    const Migrate migrate = (kind & 0x10U) != 0 ? Migrate::require_newest : Migrate::at_open;
    switch (kind % 4) {
        case 0:
            QueueFile{.database = input.rest(), .log = {}}.store(path);
            return use(path, migrate);
        case 1:
        case 2:
            patched(input, kind % 4 == 2).store(path);
            return use(path, migrate);
        default:
            ((kind & 0x20U) != 0 ? templates().logged : templates().whole).store(path);
            plant(path, input);
            std::filesystem::remove(path.string() + "-shm");
            use(path, migrate);
            // A file that is no database any more holds no canary.
            test::RawDatabase after(path);
            std::string n;
            try {
                n = after.text("SELECT n FROM canary");
            } catch (const std::runtime_error&) {
                return;
            }
            require(n == "0" || n.empty(), "a planted trigger ran");
    }
}

}  // namespace
}  // namespace headpond::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    headpond::fuzz::run({bytes, count});
    return 0;
}
