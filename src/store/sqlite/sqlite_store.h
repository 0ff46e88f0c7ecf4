// The store in an SQLite file: three connections (writer, reader, checkpoint guard) and their
// rules.
#pragma once

#include "store/sqlite/open.h"
#include "store/sqlite/transaction.h"
#include "store/store.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::store::sqlite {

// Guests have the writer, but may not end its transaction.
struct CommitGuard {
    bool allowed = false;      // this COMMIT is ours
    bool refused = false;      // one was not
    bool rolled_back = false;  // since our BEGIN
};

struct LogState {
    std::int64_t frames = 0;  // after our last commit that wrote
    bool written = false;     // since our last BEGIN
};

// write, relieve, shrink and set_log_reserve: by one thread at a time, sync by another. read,
// data_version, size, view, check, backup: from any thread.
class SqliteStore final : public Store {
  public:
    explicit SqliteStore(const OpenOrder& order);
    ~SqliteStore() override;

    void write(const WriteOrder& order, const std::function<void(Transaction&)>& fn) override;
    void sync(std::string_view operation) override;
    void read(std::string_view operation, const std::function<void(Transaction&)>& fn) override;
    std::int64_t data_version() override;
    void relieve(std::int64_t log_bytes_max) noexcept override;
    void set_log_reserve(std::int64_t reserve, std::int64_t bytes_max) override;
    std::int64_t shrink(std::int64_t pages) override;
    Size size() override;

    TextTable view(std::string_view name, Millis wall) override;
    TextTable trail(std::string_view key, Millis wall) override;
    std::vector<Finding> check() override;
    void backup(const std::string& target) override;
    Engine engine() const override;
    void* guest_handle(Transaction& transaction) override;
    void check_guest(Transaction& transaction) override;

  private:
    // After a failed sync.
    void refuse_if_unknown(std::string_view operation) const;
    void begin(std::string_view operation);
    void commit(std::string_view operation);
    void rollback() noexcept;
    void relieve_log(std::int64_t log_bytes_max);
    bool checkpoint();
    void end_guard() noexcept;
    void size_file();
    [[nodiscard]] bool file_lags();
    bool fold_back();
    void open_reader();
    TextTable select(const std::string& sql, std::string_view parameter, Millis wall);

    const std::string path_;
    std::unique_ptr<SQLite::Database> writer_;
    std::unique_ptr<Statements> writer_statements_;
    std::optional<ResidentKeys> keys_;
    std::unique_ptr<SqliteTransaction> transaction_;
    std::unique_ptr<SQLite::Database> guard_;
    std::unique_ptr<Statements> guard_statements_;
    int busy_ms_ = -1;
    CommitGuard commits_;                        // written by the commit and rollback hooks
    std::atomic<bool> outcome_unknown_ = false;  // after a failed sync: refuse everything
    sqlite3_file* log_ = nullptr;                // the writer's
    LogState log_state_;                         // written by the log's hook
    std::int64_t pages_placed_ = 0;              // as many have their place in the database file
    std::int64_t log_retry_frames_ = 0;          // a reader was in the way: try again from here

    std::mutex reader_mutex_;  // guards the reader and what belongs to it
    std::unique_ptr<SQLite::Database> reader_;
    std::unique_ptr<Statements> reader_statements_;
    std::unique_ptr<SqliteTransaction> reader_transaction_;
    double reader_now_ = 0;  // what julianday() answers on the reader, for views
};

}  // namespace headpond::store::sqlite
