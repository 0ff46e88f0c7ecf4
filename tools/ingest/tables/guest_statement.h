// SQL on the tool's own tables, which live beside the queue's in the same file.
#pragma once

#include <headpond/clock.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace headpond::ingest {

// A prepared statement; every result code is looked at. Throws Error with what SQLite says.
class Statement {
  public:
    Statement(sqlite3* handle, const std::string& sql);
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    ~Statement();

    // Absent values are NULL.
    void bind(int index, std::string_view text);
    void bind_or_null(int index, std::string_view text) {
        if (!text.empty()) bind(index, text);
    }
    void bind(int index, const std::optional<double>& number);
    void bind(int index, const std::optional<WallTime>& at);
    void bind_integer(int index, const std::optional<std::int64_t>& number);
    // True: there is a row.
    bool step();
    // To be bound and run again.
    void reset();
    // Runs to the end; answers how many rows were changed.
    std::int64_t change();
    [[nodiscard]] std::string text(int column);
    [[nodiscard]] std::optional<double> number(int column);
    [[nodiscard]] std::optional<std::int64_t> integer(int column);
    [[nodiscard]] std::optional<WallTime> time(int column);

  private:
    void check(int code);
    sqlite3* handle_;
    sqlite3_stmt* statement_ = nullptr;
};

// A table of ours.
struct GuestTable {
    const char* name;
    const char* key;      // its primary key, of one column
    const char* columns;  // all of them, divided by ", "
    const char* schema;   // makes what is missing of it
};

// Makes the table where it is missing. Throws UsageError where somebody else's table or view has
// its name.
void create_guest_table(sqlite3* handle, const GuestTable& table);

}  // namespace headpond::ingest
