// The queue's file as the gate "model" sees it: its rows read by a connection of its own, and the
// file emptied between cases.
#pragma once

#include "reliability/model.h"

#include <headpond/clock.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace headpond::reliability::model {

// What the table `clock` has.
struct StoredClock {
    std::string boot;
    Millis offset = 0, anchored_at = 0, seen_at = 0;
};

// One thread. Opened after the queue has made the file. Throws runtime_error with SQLite's words.
class ModelFile {
  public:
    explicit ModelFile(const std::filesystem::path& path);
    ModelFile(const ModelFile&) = delete;
    ModelFile& operator=(const ModelFile&) = delete;
    ~ModelFile();

    [[nodiscard]] QueueState state();
    [[nodiscard]] StoredClock clock();
    [[nodiscard]] std::vector<ModelAttempt> attempts();

    // As a new file whose clock was anchored at `now` with this offset; settings as in `limits`.
    // `item_ids_go_on`: queues that map keys rely on ids that are never issued twice.
    void empty(const ModelLimits& limits, std::string_view boot, Millis now, Millis offset,
               bool item_ids_go_on);
    // The last id that SQLite gave an item.
    std::int64_t last_item_id();
    // No token proves anything until restore_tokens().
    void hide_tokens();
    void restore_tokens();
    // The lease of this token belongs to a process that is gone: as kill -9 leaves it, an owner
    // row whose lock nobody holds.
    void orphan(std::string_view token);

  private:
    struct Query;
    void exec(const char* sql);
    Query& query(const char* sql);
    void read_items(QueueState& state);
    void read_endings(QueueState& state);

    sqlite3* handle_ = nullptr;
    std::vector<std::pair<const char*, std::unique_ptr<Query>>>
        queries_;  // by their text's address
};

// A setting of the file that the model knows.
struct ModelSetting {
    std::string_view name;
    std::int64_t ModelLimits::*member;
    enum Kind { count, time, yes_no, overflow, stale_from } kind;
    std::array<std::int64_t, 4> values;  // the first is the usual one
    // As Admin::set takes it.
    [[nodiscard]] std::string text(std::int64_t value) const;
};
[[nodiscard]] std::span<const ModelSetting> model_settings();

}  // namespace headpond::reliability::model
