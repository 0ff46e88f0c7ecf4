#include "queue_file.h"

#include "fuzz_input.h"
#include "support/raw_database.h"

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

namespace headpond::fuzz {

namespace fs = std::filesystem;

void Folder::clear() const {
    for (const auto& entry : fs::directory_iterator(path())) fs::remove_all(entry.path());
}

void QueueFile::store(const fs::path& path) const {
    write_bytes(path, database);
    if (!log.empty()) write_bytes(path.string() + "-wal", log);
}

namespace {

void live(Queue& queue) {
    std::vector<std::string> keys;
    for (int i = 0; i < 24; ++i) keys.push_back("key-" + std::to_string(i));
    std::vector<NewItem> items;
    for (const auto& key : keys) {
        items.push_back(
            {.key = key,
             .source_tag = "fuzz",
             .payload = key,
             .tracking = items.size() % 3 == 0 ? Tracking::untracked : Tracking::tracked});
    }
    (void)queue.enqueue(items);
    (void)queue.lease()->ack();
    (void)queue.lease()->nack("once");
    auto mixed = queue.lease();
    (void)mixed->settle(
        {.rejected = {{.item_id = mixed->items()[0].id, .reason = "bad"}}, .rest = Rest::split});
    (void)queue.lease({.detached = true});
}

}  // namespace

QueueFile lived_queue(const Folder& folder, bool in_log) {
    folder.clear();
    const fs::path path = folder / "template.db";
    {
        Queue queue(small_options(path));
        live(queue);
    }
    {
        test::RawDatabase guest(path);
        guest.exec("CREATE TABLE canary (n INTEGER); INSERT INTO canary VALUES (0)");
        if (!in_log) guest.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    QueueFile file{.database = bytes_of(path), .log = {}};
    if (in_log) file.log = bytes_of(path.string() + "-wal");
    folder.clear();
    return file;
}

QueueFile new_queue(const Folder& folder) {
    folder.clear();
    const fs::path path = folder / "template.db";
    { const Queue queue(small_options(path)); }
    QueueFile file{.database = bytes_of(path), .log = bytes_of(path.string() + "-wal")};
    folder.clear();
    return file;
}

Options small_options(const fs::path& path) {
    Options options;
    options.path = path;
    options.items_max = 30;
    options.payload_bytes_max = 512;
    options.bytes_max = 4096;
    options.batch_items_max = 4;
    options.durability = Durability::process_crash;
    options.turn_timeout = Ms{50};
    options.enqueue_timeout = Ms{1};
    options.label = "fuzz";
    options.clock = std::make_shared<test::FakeClock>();
    options.random = std::make_shared<test::FakeRandom>();
    options.log = [](LogLevel, std::string_view line) { require_one_line(line); };
    return options;
}

std::string bytes_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const fs::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void require_one_line(std::string_view line) {
    require(!line.empty(), "an empty message");
    for (const char c : line) {
        if (static_cast<unsigned char>(c) < 0x20) {
            found("a control character in: " + std::string(line));
        }
    }
}

}  // namespace headpond::fuzz
