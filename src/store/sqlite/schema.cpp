#include "store/sqlite/schema.h"

#include "store/sqlite/embedded.h"

#include <headpond/version.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

namespace headpond::store::sqlite {

namespace {

using Release = std::array<int, 3>;
constexpr Release this_release{HEADPOND_VERSION_MAJOR, HEADPOND_VERSION_MINOR,
                               HEADPOND_VERSION_PATCH};

Release parse_release(std::string_view text) {
    Release release{};
    const char* at = text.data();
    const char* end = at + text.size();
    for (int& part : release) {
        const auto [stop, error] = std::from_chars(at, end, part);
        if (error != std::errc{}) break;
        at = stop < end ? stop + 1 : stop;
    }
    return release;
}

std::string release_text() {
    return std::to_string(this_release[0]) + "." + std::to_string(this_release[1]) + "." +
           std::to_string(this_release[2]);
}

constexpr std::string_view allowed_files =
    "allowed: a missing or empty file, or a queue made by Headpond";

Error not_a_queue(const std::string& path, const std::string& what) {
    return {ErrorCode::not_a_queue, "open", path, what + "; " + std::string(allowed_files)};
}

}  // namespace

Error schema_is_not_ours(const std::string& path, const std::string& what) {
    return {ErrorCode::corrupt, "open", path,
            "the schema is not ours: " + what +
                "; allowed: what the migrations make. Undo the change, or restore a backup"};
}

std::string_view EmbeddedSql::oldest_release() const {
    constexpr std::string_view label = "-- oldest_release: ";
    if (!sql.starts_with(label)) return "0.0.0";
    return sql.substr(label.size(), sql.find('\n') - label.size());
}

namespace {

// Whether the rollback journal of a file's very first transaction lies beside it: its header
// (sqlite.org/fileformat2.html, 3) has the magic number, and says that the file had no page before.
// What the file holds, torn pages perhaps, SQLite will then throw away.
bool founding_was_cut_off(const std::string& path) {
    constexpr std::string_view magic("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8);
    constexpr std::size_t pages_at = 16;
    std::ifstream journal(path + "-journal", std::ios::binary);
    std::string header(pages_at + 4, 'x');
    if (!journal.read(header.data(), static_cast<std::streamsize>(header.size()))) return false;
    return header.starts_with(magic) && header.substr(pages_at) == std::string(4, '\0');
}

// Two rows that never change. Each change of a queue writes the page of the second, so that it is
// in the log whenever anything is.
Birth birth_of(SQLite::Database& database) {
    const EmbeddedSql& first = embedded_migrations().front();
    Birth birth;
    SQLite::Statement row(database,
                          "SELECT applied_at FROM migrations WHERE version = ? AND digest = ?");
    row.bind(1, first.version);
    row.bind(2, std::string(first.digest));
    if (row.executeStep()) birth.made_at = row.getColumn(0).getInt64();
    birth.age_base = query_integer(database, "SELECT age_base FROM totals WHERE id = 1");
    return birth;
}

Birth birth_alone(SQLite::Database& main_file) {
    try {
        return birth_of(main_file);
    } catch (const SQLite::Exception&) {
        return {};  // the main file alone need not be whole: the rest is in the log
    }
}

}  // namespace

Identity identify(const std::string& path, std::int64_t db_bytes, std::int64_t log_bytes) {
    if (db_bytes < 0) return {FileKind::missing, {}};
    if (db_bytes == 0) return {FileKind::empty, {}};
    if (founding_was_cut_off(path)) return {};
    // Of one byte SQLite would say that it is an empty database.
    constexpr std::int64_t header_bytes = 100;
    if (db_bytes < header_bytes) throw not_a_queue(path, "not an SQLite database");
    try {
        const auto database = open_immutable(path);
        const std::int64_t id = query_integer(*database, "PRAGMA application_id");
        if (id == application_id) return {FileKind::queue, birth_alone(*database)};
        char text[64];
        std::snprintf(text, sizeof text, "an SQLite database with application_id 0x%08llx",
                      static_cast<unsigned long long>(id));
        throw not_a_queue(path, text);
    } catch (const SQLite::Exception& failure) {
        const int code = failure.getErrorCode() & 0xff;
        if (code == SQLITE_NOTADB) throw not_a_queue(path, "not an SQLite database");
        // The main file may be short while the rest is still in the log.
        if (code == SQLITE_CORRUPT && log_bytes > 0) return {};
        if (code == SQLITE_CORRUPT) {
            throw Error(ErrorCode::corrupt, "open", path,
                        "the file is truncated or damaged; restore a backup", code);
        }
        throw translate(failure.getExtendedErrorCode(), failure.what(), "open", path);
    }
}

void found(SQLite::Database& database, const std::string& path) {
    // auto_vacuum counts only before the first page is written, and WAL mode only after it. On an
    // empty file the pragma writes that page itself: in one transaction with application_id, so
    // that a file is never anybody's, whenever this process is killed. (BEGIN IMMEDIATE would write
    // it before the pragma is heard; the turn keeps others out.)
    if (query_integer(database, "PRAGMA application_id") == 0) {
        database.exec(
            "PRAGMA page_size=4096; BEGIN; PRAGMA auto_vacuum=INCREMENTAL; "
            "PRAGMA application_id=" +
            std::to_string(application_id) + "; COMMIT");
    }
    if (query_integer(database, "PRAGMA auto_vacuum") != 2 ||
        query_integer(database, "PRAGMA page_size") != page_bytes) {
        throw Error(ErrorCode::unsupported, "create", path,
                    "SQLite did not take auto_vacuum=INCREMENTAL and page_size=4096; " +
                        std::string(allowed_files));
    }
    // Run to its end: the row "wal" comes before the commit that writes it, which may still fail.
    database.exec("PRAGMA journal_mode=WAL");
    if (query_text(database, "PRAGMA journal_mode") != "wal") {
        throw Error(ErrorCode::unsupported, "create", path,
                    "SQLite refused WAL mode; allowed: a local file system with shared memory");
    }
}

void verify_identity(SQLite::Database& database, const std::string& path) {
    if (query_integer(database, "PRAGMA application_id") != application_id) {
        throw not_a_queue(path, "another SQLite database");
    }
    const std::string mode = query_text(database, "PRAGMA journal_mode");
    if (mode != "wal") {
        throw Error(ErrorCode::unsupported, "open", path,
                    "journal mode is " + mode +
                        "; allowed: wal. Close all users, then: sqlite3 FILE 'PRAGMA "
                        "journal_mode=WAL'");
    }
    const int version = schema_version(database);
    if (version <= newest_schema()) {
        if (query_integer(database,
                          "SELECT count(*) FROM sqlite_schema WHERE name = 'migrations'") == 0) {
            throw schema_is_not_ours(path, "table migrations is missing");
        }
        return;
    }
    const auto fail = [&](const std::string& oldest) {
        throw Error(ErrorCode::schema_newer, "open", path,
                    "schema " + std::to_string(version) + " is newer than this release (" +
                        release_text() + ", schema " + std::to_string(newest_schema()) +
                        ") may write; allowed: release " + oldest + " or newer");
    };
    try {
        SQLite::Statement newer(database,
                                "SELECT oldest_release FROM migrations WHERE version > ?");
        newer.bind(1, newest_schema());
        bool any = false;
        while (newer.executeStep()) {
            any = true;
            const std::string oldest = newer.getColumn(0).getString();
            if (parse_release(oldest) > this_release) fail(oldest);
        }
        if (!any) fail("that made it");
    } catch (const SQLite::Exception&) {
        fail("that made it");  // no record of what made it
    }
}

int schema_version(SQLite::Database& database) {
    return static_cast<int>(query_integer(database, "PRAGMA user_version"));
}

int newest_schema() {
    return embedded_migrations().back().version;
}

namespace {

// Ours stay away from the views of a newer release.
bool views_are_newer(SQLite::Database& database) {
    return parse_release(query_text(
               database, "SELECT applied_by FROM migrations WHERE version = 0")) > this_release;
}

bool views_are_current(SQLite::Database& database) {
    return query_text(database, "SELECT digest FROM migrations WHERE version = 0") ==
               embedded_views().digest ||
           views_are_newer(database);
}

void record(SQLite::Database& database, const EmbeddedSql& sql, std::int64_t at) {
    SQLite::Statement insert(
        database,
        "INSERT OR REPLACE INTO migrations (version, name, digest, oldest_release, applied_at, "
        "applied_by) VALUES (?, ?, ?, ?, ?, ?)");
    insert.bind(1, sql.version);
    insert.bind(2, std::string(sql.name));
    insert.bind(3, std::string(sql.digest));
    insert.bind(4, std::string(sql.oldest_release()));
    insert.bind(5, at);
    insert.bind(6, release_text());
    insert.exec();
}

void make_views(SQLite::Database& database) {
    for (const std::string& name : view_names()) {
        database.exec("DROP VIEW IF EXISTS main.\"" + name + "\"");
    }
    database.exec(std::string(embedded_views().sql));
}

}  // namespace

bool needs_migration(SQLite::Database& database) {
    const int version = schema_version(database);
    if (version < newest_schema()) return true;
    return version == newest_schema() && !views_are_current(database);
}

std::vector<int> apply_migrations(SQLite::Database& database, const std::string& path,
                                  std::int64_t applied_at) {
    std::vector<int> applied;
    try {
        for (const EmbeddedSql& migration : embedded_migrations()) {
            SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
            // Read under the lock: another process may have been first.
            if (schema_version(database) >= migration.version) continue;
            database.exec(std::string(migration.sql));
            record(database, migration, applied_at);
            database.exec("PRAGMA user_version=" + std::to_string(migration.version));
            transaction.commit();
            applied.push_back(migration.version);
        }
        SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
        if (schema_version(database) == newest_schema() && !views_are_current(database)) {
            make_views(database);
            record(database, embedded_views(), applied_at);
            transaction.commit();
        }
    } catch (const SQLite::Exception& failure) {
        throw translate(failure.getExtendedErrorCode(), failure.what(), "migrate", path);
    }
    return applied;
}

namespace {

struct Object {
    std::string type, table, sql;
    bool operator==(const Object&) const = default;
};
// A trigger may have the name of a table.
struct Name {
    bool trigger;
    std::string text;
    auto operator<=>(const Name&) const = default;
};
using Objects = std::map<Name, Object>;

// SQLite keeps a trigger's table as it was typed, and compares names and types without regard to
// case.
std::string lowered(std::string name) {
    for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return name;
}

Objects objects_of(SQLite::Database& database) {
    Objects objects;
    SQLite::Statement rows(database, "SELECT name, type, tbl_name, sql FROM sqlite_schema");
    while (rows.executeStep()) {
        Object object{lowered(rows.getColumn(1).getString()), rows.getColumn(2).getString(),
                      rows.getColumn(3).getString()};
        const Name name{object.type == "trigger", rows.getColumn(0).getString()};
        objects[name] = std::move(object);
    }
    return objects;
}

const Name key_index{false, "items_key"};

// A database in memory with what the migrations up to this version make.
SQLite::Database migrated_to(int version) {
    SQLite::Database memory(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    for (const EmbeddedSql& migration : embedded_migrations()) {
        if (migration.version <= version) memory.exec(std::string(migration.sql));
    }
    return memory;
}

const Objects& expected_objects() {
    static const Objects objects = [] {
        SQLite::Database memory = migrated_to(newest_schema());
        memory.exec(std::string(embedded_views().sql));
        memory.exec("CREATE UNIQUE INDEX items_key ON items (key)");
        return objects_of(memory);
    }();
    return objects;
}

bool internal(const std::string& name) {
    return name.starts_with("sqlite_");
}

void compare_extra(const std::string& name, const Object& object, const Objects& ours,
                   std::vector<SchemaFinding>& findings) {
    const auto table = ours.find({false, lowered(object.table)});
    const bool on_ours = table != ours.end() && table->second.table == table->first.text;
    if (!on_ours) return;
    if (object.type == "index" && !internal(name)) {
        findings.push_back({"extra index " + name + " on " + object.table +
                                ": it slows every write; DROP INDEX removes it",
                            true});
    } else if (object.type == "trigger") {
        findings.push_back({"trigger " + name + " on " + object.table +
                            " is not ours and would run inside the queue; drop it"});
    }
}

// A trigger, or a view in a table's place: a newer release that needs one lets no older one write,
// so here it is somebody else's, and would run inside the queue.
bool runs_inside(const Object& ours, const Object& found) {
    return ours.type == "trigger" || ours.type != found.type;
}

// Migrations write: a trigger that is not of the file's own version must not run in them.
void refuse_planted_triggers(SQLite::Database& database, const std::string& path) {
    const SQLite::Transaction snapshot(database);
    SQLite::Database memory = migrated_to(schema_version(database));
    const Objects known = objects_of(memory);
    for (const auto& [name, object] : objects_of(database)) {
        const auto it = known.find(name);
        if (object.type != "trigger" || (it != known.end() && it->second == object)) continue;
        std::vector<SchemaFinding> findings;
        compare_extra(name.text, object, expected_objects(), findings);
        for (const SchemaFinding& finding : findings) throw schema_is_not_ours(path, finding.text);
    }
}

}  // namespace

void prefer_own_views(SQLite::Database& database) {
    if (!views_are_newer(database)) return;
    std::string sql(embedded_views().sql);
    constexpr std::string_view create = "CREATE VIEW ";
    for (auto at = sql.find(create); at != std::string::npos; at = sql.find(create, at + 1)) {
        sql.insert(at + create.find(' '), " TEMP");
    }
    database.exec(sql);
}

const std::vector<std::string>& view_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        SQLite::Database memory = migrated_to(newest_schema());
        memory.exec(std::string(embedded_views().sql));
        SQLite::Statement rows(memory, "SELECT name FROM sqlite_schema WHERE type = 'view'");
        while (rows.executeStep()) all.push_back(rows.getColumn(0).getString());
        return all;
    }();
    return names;
}

std::vector<SchemaFinding> compare_schema(SQLite::Database& database) {
    std::vector<SchemaFinding> findings;
    const Objects& ours = expected_objects();
    const Objects found_objects = objects_of(database);
    const bool newer = schema_version(database) > newest_schema();
    const bool newer_views =
        newer || (found_objects.contains({false, "migrations"}) && views_are_newer(database));
    for (const auto& [name, object] : ours) {
        if (object.type == "view" && newer_views) continue;
        const auto it = found_objects.find(name);
        if (it == found_objects.end()) {
            if (name != key_index)
                findings.push_back({object.type + " " + name.text + " is missing"});
        } else if (it->second != object && (!newer || runs_inside(object, it->second))) {
            findings.push_back({object.type + " " + name.text + " was altered"});
        }
    }
    for (const auto& [name, object] : found_objects) {
        if (ours.contains(name) || (newer && object.type != "trigger")) continue;
        compare_extra(name.text, object, ours, findings);
    }
    return findings;
}

std::vector<MigrationState> migration_states(const std::string& path, FileKind kind) {
    int version = 0;
    if (kind == FileKind::queue) {
        try {
            const auto database = open_connection(path, Access::read_only, 5000);
            version = schema_version(*database);
        } catch (const SQLite::Exception& failure) {
            throw translate(failure.getExtendedErrorCode(), failure.what(), "migrate", path);
        }
    }
    std::vector<MigrationState> states;
    for (const EmbeddedSql& one : embedded_migrations()) {
        states.push_back({one.version, std::string(one.name), one.version <= version});
    }
    return states;
}

namespace {

// A creation that was cut off has our application_id and no table yet, or nothing once SQLite has
// rolled back its first page. The log is read here for the first time: a foreign one that lies
// beside our file would show another database.
bool unfinished(SQLite::Database& database, const std::string& path) {
    if (query_integer(database, "PRAGMA application_id") == application_id) {
        // In one snapshot: another process may be creating it at this moment.
        const SQLite::Transaction snapshot(database);
        if (schema_version(database) != 0) return false;
        if (query_integer(database, "SELECT count(*) FROM sqlite_schema") == 0) return true;
        throw schema_is_not_ours(path, "version 0 has no tables, and there is " +
                                           query_text(database, "SELECT name FROM sqlite_schema"));
    }
    if (query_integer(database, "PRAGMA page_count") == 0) return true;
    throw not_a_queue(path, "the file and its -wal do not belong together");
}

// SQLite's log does not say to which database it belongs, and one of another queue would be played
// back over this one without a word. Nothing is written before a checkpoint.
void refuse_foreign_log(SQLite::Database& database, const OpenOrder& order) {
    const Birth& alone = order.identity.birth;
    const Birth whole = birth_of(database);
    const bool same_file = alone.made_at == 0 || alone.made_at == whole.made_at;
    const bool same_totals = alone.age_base == 0 || alone.age_base == whole.age_base;
    if (same_file && same_totals) return;
    throw Error(ErrorCode::not_a_queue, "open", order.path,
                "the -wal beside the file is of another queue; allowed: its own, or none");
}

std::unique_ptr<SQLite::Database> prepare_existing(const OpenOrder& order) {
    // Another process may be recovering the log; the store sets its own patience.
    auto database = open_connection(order.path, Access::read_write, 5000);
    if (sqlite3_db_readonly(database->getHandle(), "main") == 1) {
        throw Error(ErrorCode::io, "open", order.path,
                    "the file may not be written by this user; allowed: a writable file");
    }
    const bool finish = unfinished(*database, order.path);
    if (!finish) {
        verify_identity(*database, order.path);
        refuse_foreign_log(*database, order);
        if (!needs_migration(*database)) return database;
        if (order.migrate != Migrate::at_open) {
            const int version = schema_version(*database);
            if (version >= newest_schema()) return database;  // only the views differ
            throw Error(ErrorCode::schema_older, "open", order.path,
                        "schema " + std::to_string(version) + " is older than this release's " +
                            std::to_string(newest_schema()) +
                            "; allowed: run `headpond migrate` first");
        }
        refuse_planted_triggers(*database, order.path);
    }
    if (finish && order.migrate == Migrate::require_newest) {
        // Finishing it would show an empty queue where a copy lost its log.
        throw Error(ErrorCode::io, "open", order.path,
                    "the file has no tables yet (its creation was cut off, or it is a copy without "
                    "its -wal); allowed: an existing queue");
    }
    order.with_turn([&] {
        if (finish) found(*database, order.path);
        apply_migrations(*database, order.path, order.at);
        verify_identity(*database, order.path);  // another process may have been first
    });
    return database;
}

}  // namespace

std::unique_ptr<SQLite::Database> prepare(const OpenOrder& order) {
    try {
        if (order.identity.kind == FileKind::queue) return prepare_existing(order);
        std::unique_ptr<SQLite::Database> database;
        order.with_turn([&] {
            order.create();
            database = open_connection(order.path, Access::read_write, 5000);
            found(*database, order.path);
            apply_migrations(*database, order.path, order.at);
            verify_identity(*database, order.path);
        });
        return database;
    } catch (const SQLite::Exception& failure) {
        const bool sound_alone = order.identity.birth.made_at != 0;
        if (sound_alone && (failure.getErrorCode() & 0xff) == SQLITE_CORRUPT) {
            throw Error(ErrorCode::corrupt, "open", order.path,
                        "the file and the -wal beside the file do not fit together (" +
                            std::string(failure.what()) +
                            "); allowed: its own -wal; else restore a backup",
                        failure.getExtendedErrorCode());
        }
        throw translate(failure.getExtendedErrorCode(), failure.what(), "open", order.path);
    }
}

}  // namespace headpond::store::sqlite
