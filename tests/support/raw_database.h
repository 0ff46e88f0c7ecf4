// A second connection by SQLite's C interface: what the shell or a foreign program would see and
// do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <sqlite3.h>

namespace headpond::test {

// One thread at a time. Leaves checkpoints to the queue, as the README asks of the shell.
class RawDatabase {
  public:
    // `path` may be a URI; `vfs` null: the default one.
    explicit RawDatabase(const std::filesystem::path& path, const char* vfs = nullptr) {
        constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI;
        if (sqlite3_open_v2(path.c_str(), &handle_, flags, vfs) != SQLITE_OK) {
            sqlite3_close(handle_);
            throw std::runtime_error("cannot open " + path.string());
        }
        sqlite3_wal_autocheckpoint(handle_, 0);
        sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, static_cast<int*>(nullptr));
        sqlite3_busy_timeout(handle_, 5000);
    }
    RawDatabase(const RawDatabase&) = delete;
    RawDatabase& operator=(const RawDatabase&) = delete;
    ~RawDatabase() { sqlite3_close(handle_); }

    // Answers SQLite's result code; error() then has the words.
    int try_exec(const std::string& sql) {
        return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
    }
    void exec(const std::string& sql) {
        if (try_exec(sql) != SQLITE_OK) throw std::runtime_error(error() + ": " + sql);
    }
    [[nodiscard]] std::string error() const { return sqlite3_errmsg(handle_); }
    [[nodiscard]] sqlite3* handle() const { return handle_; }

    // The first column of the first row; 0 or empty where there is none or it is null.
    std::int64_t integer(const std::string& sql) {
        const std::string value = text(sql);
        return value.empty() ? 0 : std::stoll(value);
    }
    std::string text(const std::string& sql) {
        std::string value;
        const auto first = [](void* out, int count, char** row, char** /*names*/) {
            auto& to = *static_cast<std::string*>(out);
            if (to.empty() && count > 0 && row[0] != nullptr) to = row[0];
            return 0;
        };
        if (sqlite3_exec(handle_, sql.c_str(), first, &value, nullptr) != SQLITE_OK) {
            throw std::runtime_error(error() + ": " + sql);
        }
        return value;
    }
    // Every row, null as the empty text.
    std::vector<std::vector<std::string>> rows(const std::string& sql) {
        std::vector<std::vector<std::string>> all;
        const auto each = [](void* out, int count, char** row, char** /*names*/) {
            auto& one = static_cast<decltype(all)*>(out)->emplace_back();
            for (int i = 0; i < count; ++i) one.emplace_back(row[i] == nullptr ? "" : row[i]);
            return 0;
        };
        if (sqlite3_exec(handle_, sql.c_str(), each, &all, nullptr) != SQLITE_OK) {
            throw std::runtime_error(error() + ": " + sql);
        }
        return all;
    }
    // Changes when another connection has committed a change.
    std::int64_t data_version() { return integer("PRAGMA data_version"); }

  private:
    sqlite3* handle_ = nullptr;
};

}  // namespace headpond::test
