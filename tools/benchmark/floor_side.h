// The floor: SQLite's C interface and one table without an index, under the library's pragmas, page
// cache and checkpoints.
#pragma once

#include "side.h"

#include <headpond/options.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace headpond::bench {

class FloorSide : public Side {
  public:
    // Creates a missing file. `busy_ms`: how long SQLite's own busy handler waits for other
    // writers.
    FloorSide(const std::filesystem::path& path, Durability durability, int busy_ms = 0);
    ~FloorSide() override;

    void enqueue(std::span<const NewItem> items) override;
    // Begins the transaction that ack() commits.
    std::size_t lease(std::size_t count) override;
    void ack() override;

  private:
    struct CloseDatabase {
        void operator()(sqlite3* database) const noexcept;
    };
    struct EndStatement {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    using Database = std::unique_ptr<sqlite3, CloseDatabase>;
    using Statement = std::unique_ptr<sqlite3_stmt, EndStatement>;

    [[nodiscard]] static Database open(const std::string& path, int busy_ms);
    [[nodiscard]] static Statement prepare(sqlite3* database, std::string_view sql);
    void configure(Durability durability);
    void grow_log();
    void relieve();

    Database writer_, guard_;  // outlive their statements
    Statement begin_, commit_, rollback_, insert_, select_, remove_, guard_begin_, guard_rollback_;
    int log_frames_ = 0;
    long long first_id_ = 0, last_id_ = 0;  // of what is leased
    std::string read_;
};

}  // namespace headpond::bench
