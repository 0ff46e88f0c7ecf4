// Creation, migration and comparison of the schema.
#pragma once

#include "store/sqlite/connection.h"
#include "store/sqlite/open.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::store::sqlite {

inline constexpr std::int64_t application_id = 0x48504E44;  // "HPND"
inline constexpr std::int64_t page_bytes = 4096;

// Makes an empty file a queue without tables: page size, auto_vacuum, application_id, WAL. Finishes
// a creation that was interrupted. Call it under the turn lock.
void found(SQLite::Database& database, const std::string& path);

// Throws where the opened database is not a queue in WAL mode, or its schema is newer than this
// release may write.
void verify_identity(SQLite::Database& database, const std::string& path);

[[nodiscard]] int schema_version(SQLite::Database& database);
[[nodiscard]] int newest_schema();
// True: a migration or newer views are to be applied.
[[nodiscard]] bool needs_migration(SQLite::Database& database);
// Applies what is missing, each migration in a transaction with its record; answers the versions.
std::vector<int> apply_migrations(SQLite::Database& database, const std::string& path,
                                  std::int64_t applied_at);

// A connection to the file, in which is a queue of this release's schema: what open() does first.
[[nodiscard]] std::unique_ptr<SQLite::Database> prepare(const OpenOrder& order);

// The error for a schema that somebody changed.
[[nodiscard]] Error schema_is_not_ours(const std::string& path, const std::string& what);

struct SchemaFinding {
    std::string text;
    bool warning = false;
};
// Compares our objects with what the migrations give. Guests' own tables are left alone.
[[nodiscard]] std::vector<SchemaFinding> compare_schema(SQLite::Database& database);

// Temporary views of this release on a connection to a file that has a newer release's: those stay
// as they are, and are not run.
void prefer_own_views(SQLite::Database& database);

// The views that views.sql makes.
[[nodiscard]] const std::vector<std::string>& view_names();

}  // namespace headpond::store::sqlite
