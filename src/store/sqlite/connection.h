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

// One execution of a prepared statement; reset when it leaves scope, so that no statement stays
// open.
class Run {
  public:
    explicit Run(SQLite::Statement& statement) noexcept : statement_(statement) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() { statement_.tryReset(); }

    // Binds all parameters in order. SQLiteCpp checks each result code.
    template <class... Values>
    Run& bind(const Values&... values) {
        int index = 0;
        (bind_one(++index, values), ...);
        return *this;
    }
    void bind_one(int index, std::int64_t value) { statement_.bind(index, value); }
    void bind_one(int index, bool value) { statement_.bind(index, value ? 1 : 0); }
    void bind_one(int index, std::string_view text) { statement_.bind(index, std::string(text)); }
    void bind_one(int index, const std::string& text) { statement_.bindNoCopy(index, text); }
    void bind_one(int index, const char* text) { statement_.bind(index, text); }
    void bind_one(int index, Blob blob);
    void bind_one(int index, std::nullopt_t) { statement_.bind(index); }
    template <class T>
    void bind_one(int index, const std::optional<T>& value) {
        if (value) {
            bind_one(index, *value);
        } else {
            statement_.bind(index);
        }
    }

    // True: there is a row.
    bool step() { return statement_.executeStep(); }
    // Runs a statement without rows; answers the number of rows changed.
    std::int64_t change() { return statement_.exec(); }

    // A hand edit may have left any number: one so far off that sums and differences of a few would
    // overflow becomes one that is beyond every time, size and id all the same.
    [[nodiscard]] std::int64_t integer(int column) const {
        constexpr std::int64_t far = std::int64_t{1} << 56;
        return std::clamp(exact(column), -far, far);
    }
    // For what is compared only.
    [[nodiscard]] std::int64_t exact(int column) const {
        return statement_.getColumn(column).getInt64();
    }
    [[nodiscard]] std::string text(int column) const {
        return statement_.getColumn(column).getString();
    }
    // The same until the next step.
    [[nodiscard]] std::string_view view(int column) const {
        const SQLite::Column value = statement_.getColumn(column);
        const char* text = value.getText();
        return {text, static_cast<std::size_t>(value.getBytes())};
    }
    [[nodiscard]] std::optional<std::int64_t> maybe(int column) const {
        if (statement_.isColumnNull(column)) return std::nullopt;
        return integer(column);
    }
    [[nodiscard]] SQLite::Statement& statement() noexcept { return statement_; }

  private:
    SQLite::Statement& statement_;
};

}  // namespace headpond::store::sqlite
