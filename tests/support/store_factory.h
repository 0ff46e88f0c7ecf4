// The stores that the conformance suite runs on. A second store adds one row to store_kinds().
#pragma once

#include "platform/files.h"
#include "store/sqlite/open.h"
#include "store/store.h"
#include "support/temp_dir.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace headpond::test {

struct StoreKind {
    std::string name;
    // Opens the store that lives in `folder`, and makes it first where there is none. Several may
    // be open on one folder at once.
    std::function<std::unique_ptr<store::Store>(const std::filesystem::path& folder)> open;

    friend void PrintTo(const StoreKind& kind, std::ostream* out) { *out << kind.name; }
};

// `path` as Core prepares and opens it, without turns and owners.
inline std::unique_ptr<store::Store> open_sqlite_store(const std::filesystem::path& path) {
    namespace sqlite = store::sqlite;
    std::error_code error;
    const auto log_bytes = std::filesystem::file_size(path.string() + "-wal", error);
    const auto identity = sqlite::identify(path, platform::look_at(path).bytes,
                                           error ? 0 : static_cast<std::int64_t>(log_bytes));
    return sqlite::open({.path = path,
                         .identity = identity,
                         .migrate = Migrate::at_open,
                         .at = 1'800'000'000'000,
                         .create = [&] { platform::create_private(path); },
                         .with_turn = [](const std::function<void()>& fn) { fn(); }});
}

inline std::vector<StoreKind> store_kinds() {
    return {{.name = "sqlite", .open = [](const std::filesystem::path& folder) {
                 return open_sqlite_store(folder / "queue.db");
             }}};
}

inline std::string store_kind_name(const ::testing::TestParamInfo<StoreKind>& info) {
    return info.param.name;
}

// A new store in a folder of its own.
class StoreConformance : public ::testing::TestWithParam<StoreKind> {
  protected:
    StoreConformance() : store(GetParam().open(dir.path())) {}

    void write(const std::function<void(store::Transaction&)>& fn) {
        store->write({.operation = "test"}, fn);
    }
    void read(const std::function<void(store::Transaction&)>& fn) { store->read("test", fn); }
    // What fn answers, on a snapshot.
    template <class Fn>
    auto seen(Fn fn) {
        decltype(fn(std::declval<store::Transaction&>())) answer{};
        read([&](store::Transaction& tx) { answer = fn(tx); });
        return answer;
    }
    // Stores one item with this key, enqueued at `at`; answers its id.
    std::int64_t put(std::string_view key, std::string_view payload = "payload",
                     store::Millis at = 1000) {
        std::int64_t id = 0;
        write([&](store::Transaction& tx) {
            id = tx.insert({.key = key, .source_tag = "tag", .payload = payload, .enqueued_at = at})
                     .value();
        });
        return id;
    }
    // A waiting batch over first..last, due at `not_before`; answers its id.
    std::int64_t add_waiting(std::int64_t first, std::int64_t last, store::Millis not_before) {
        std::int64_t id = 0;
        write([&](store::Transaction& tx) {
            store::BatchRow row;
            row.id = id = tx.next_batch_id();
            row.first_id = first;
            row.last_id = last;
            row.items = last - first + 1;
            row.not_before = not_before;
            row.created_at = 1;
            tx.add_batch(row);
        });
        return id;
    }
    // A leased batch over first..last that lapses at `expires`; answers its id.
    std::int64_t add_leased(std::int64_t first, std::int64_t last, store::Millis expires,
                            std::optional<std::int64_t> owner = std::nullopt) {
        std::int64_t id = 0;
        write([&](store::Transaction& tx) {
            store::BatchRow row;
            row.id = id = tx.next_batch_id();
            row.leased = true;
            row.first_id = first;
            row.last_id = last;
            row.items = last - first + 1;
            row.attempts = 1;
            row.lease_token = std::to_string(id) + "-token";
            row.lease_owner = owner;
            row.leased_at = 1;
            row.lease_expires_at = expires;
            row.created_at = 1;
            tx.add_batch(row);
        });
        return id;
    }

    TempDir dir;
    std::unique_ptr<store::Store> store;
};

}  // namespace headpond::test
