// One SQLite connection, opened defensively, and the prepared statements on it.
#pragma once

#include <headpond/error.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <sqlite3.h>

namespace headpond::store::sqlite {

// SQLite's result code as an Error of ours. `committing`: a failed sync left the outcome unknown.
[[nodiscard]] Error translate(int code, std::string_view message, std::string_view operation,
                              std::string_view path, bool committing = false);

enum class Access { read_only, read_write };

// Opens an existing file. Every connection is NOMUTEX (the callers serialise), NOFOLLOW, DEFENSIVE,
// distrusts the schema, checkpoints only when told, and leaves the WAL in place when it closes.
[[nodiscard]] std::unique_ptr<SQLite::Database> open_connection(const std::string& path,
                                                                Access access, int busy_ms);
// Reads the main file alone, without locks, -wal or -shm: to identify a file without touching it.
[[nodiscard]] std::unique_ptr<SQLite::Database> open_immutable(const std::string& path);

// The first column of the first row, 0 without one.
[[nodiscard]] std::int64_t query_integer(SQLite::Database& database, const char* sql);
[[nodiscard]] std::string query_text(SQLite::Database& database, const char* sql);

struct Blob {
    std::string_view bytes;  // borrowed until the Run ends
};

// A statement kept prepared, by SQLite's own interface: SQLiteCpp's Statement counts references for
// each column that is read and copies each text that is bound (DESIGN.md has the figures).
class Prepared {
  public:
    Prepared(SQLite::Database& database, const char* sql);
    Prepared(const Prepared&) = delete;
    Prepared& operator=(const Prepared&) = delete;
    ~Prepared() { sqlite3_finalize(statement_); }

    // SQLite's result code.
    int try_step() noexcept { return sqlite3_step(statement_); }
    void reset() noexcept { sqlite3_reset(statement_); }
    [[nodiscard]] sqlite3_stmt* get() const noexcept { return statement_; }

  private:
    sqlite3_stmt* statement_ = nullptr;
};

// One execution of a prepared statement; reset when it leaves scope, so that no statement stays
// open. Failures throw SQLite::Exception.
class Run {
  public:
    explicit Run(Prepared& statement) noexcept
        : prepared_(statement), statement_(statement.get()) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() { prepared_.reset(); }

    // Binds all parameters in order. Texts and blobs are borrowed until the Run ends.
    template <class... Values>
    Run& bind(const Values&... values) {
        int index = 0;
        bind_next(index, values...);
        return *this;
    }
    // Those behind the parameter `index`, which becomes the last.
    template <class... Values>
    void bind_next(int& index, const Values&... values) {
        (bind_one(++index, values), ...);
    }
    void bind_one(int index, std::int64_t value) {
        require(sqlite3_bind_int64(statement_, index, value));
    }
    void bind_one(int index, bool value) { bind_one(index, std::int64_t{value}); }
    void bind_one(int index, double value) {
        require(sqlite3_bind_double(statement_, index, value));
    }
    void bind_one(int index, std::string_view text);
    void bind_one(int index, const char* text) { bind_one(index, std::string_view(text)); }
    void bind_one(int index, Blob blob);
    void bind_one(int index, std::nullopt_t) { require(sqlite3_bind_null(statement_, index)); }
    template <class T>
    void bind_one(int index, const std::optional<T>& value) {
        if (value) {
            bind_one(index, *value);
        } else {
            bind_one(index, std::nullopt);
        }
    }

    // True: there is a row.
    bool step() {
        const int code = prepared_.try_step();
        if (code == SQLITE_ROW) return true;
        if (code != SQLITE_DONE) fail(code);
        return false;
    }
    // Runs a statement without rows; answers the number of rows changed.
    std::int64_t change() {
        step();
        return sqlite3_changes64(sqlite3_db_handle(statement_));
    }

    // A hand edit may have left any number: one so far off that sums and differences of a few would
    // overflow becomes one that is beyond every time, size and id all the same.
    [[nodiscard]] std::int64_t integer(int column) const {
        constexpr std::int64_t far = std::int64_t{1} << 56;
        return std::clamp(exact(column), -far, far);
    }
    // For what is compared only.
    [[nodiscard]] std::int64_t exact(int column) const {
        return sqlite3_column_int64(statement_, column);
    }
    [[nodiscard]] std::string text(int column) const { return std::string(view(column)); }
    // The same until the next step.
    [[nodiscard]] std::string_view view(int column) const {
        const void* bytes = sqlite3_column_blob(statement_, column);
        const int size = sqlite3_column_bytes(statement_, column);
        return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
    }
    [[nodiscard]] std::optional<std::int64_t> maybe(int column) const {
        if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
        return integer(column);
    }

  private:
    void require(int code) const {
        if (code != SQLITE_OK) fail(code);
    }
    [[noreturn]] void fail(int code) const;

    Prepared& prepared_;
    sqlite3_stmt* statement_;
};

}  // namespace headpond::store::sqlite
