// The library, with its default options and limits that the backlog fits in.
#pragma once

#include "side.h"

#include <headpond/batch.h>
#include <headpond/options.h>
#include <headpond/queue.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace headpond::bench {

// A way to treat keys: its name in the rows, and how the library is told.
struct KeyOption {
    std::string_view name;
    void (*apply)(Options&);
};
// The first is the cheapest; the work `checked` has a row for each of the others.
[[nodiscard]] std::span<const KeyOption> key_options();
// Throws std::invalid_argument.
[[nodiscard]] const KeyOption& key_option(std::string_view name);

// Creates a missing file.
[[nodiscard]] std::shared_ptr<Queue> open_library(const std::filesystem::path& path,
                                                  Durability durability, const KeyOption& keys);

class LibrarySide : public Side {
  public:
    // Several may share a queue, each on a thread of its own.
    explicit LibrarySide(std::shared_ptr<Queue> queue) : queue_(std::move(queue)) {}
    LibrarySide(const std::filesystem::path& path, Durability durability, const KeyOption& keys)
        : LibrarySide(open_library(path, durability, keys)) {}

    void enqueue(std::span<const NewItem> items) override;
    std::size_t lease(std::size_t count) override;
    void ack() override;
    void collect(std::size_t count) override;

    [[nodiscard]] Queue& queue() noexcept { return *queue_; }

  private:
    std::shared_ptr<Queue> queue_;
    std::optional<Batch> batch_;
    std::vector<std::int64_t> ids_;
};

}  // namespace headpond::bench
