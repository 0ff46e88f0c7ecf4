#include "library_side.h"

#include "by_name.h"

#include <array>
#include <stdexcept>
#include <string>

namespace headpond::bench {

namespace {

constexpr std::array options_of_keys{
    KeyOption{"free", [](Options& options) { options.keys = Keys::free; }},
    KeyOption{"unique", [](Options& options) { options.keys = Keys::unique; }},
    KeyOption{"mapped", [](Options& options) { options.keys = Keys::mapped; }},
};

Options options_for(const std::filesystem::path& path, Durability durability,
                    const KeyOption& keys) {
    Options options{.path = path};
    options.items_max = 1'000'000'000;
    options.bytes_max = 1'099'511'627'776;
    options.file_bytes_max = 1'099'511'627'776;
    options.batch_items_max = lease_items_max;
    // It would fall into the rounds of one side alone.
    options.cleanup_interval = Ms{31'622'400'000};
    options.durability = durability;
    options.log = [](LogLevel, std::string_view) {};
    keys.apply(options);
    return options;
}

void require_stored(Enqueued answer) {
    if (answer == Enqueued::stored) return;
    throw std::runtime_error("an enqueue answered " + std::string(to_string(answer)) +
                             "; allowed: stored");
}

}  // namespace

std::span<const KeyOption> key_options() {
    return options_of_keys;
}

const KeyOption& key_option(std::string_view name) {
    return by_name(key_options(), "key option", name);
}

std::shared_ptr<Queue> open_library(const std::filesystem::path& path, Durability durability,
                                    const KeyOption& keys) {
    return std::make_shared<Queue>(options_for(path, durability, keys));
}

void LibrarySide::enqueue(std::span<const NewItem> items) {
    if (items.size() == 1) {
        require_stored(queue_->enqueue(items.front()));
        return;
    }
    for (const Enqueued answer : queue_->enqueue(items)) require_stored(answer);
}

std::size_t LibrarySide::lease(std::size_t count) {
    batch_ = queue_->lease({.items_max = static_cast<std::int64_t>(count)});
    return batch_ ? batch_->items().size() : 0;
}

void LibrarySide::ack() {
    const auto count = static_cast<std::int64_t>(batch_->items().size());
    const Settled settled = batch_->ack();
    if (settled.acked != count) {
        throw std::runtime_error("an ack removed " + std::to_string(settled.acked) +
                                 " items; allowed: " + std::to_string(count));
    }
    batch_.reset();
}

void LibrarySide::collect(std::size_t count) {
    const std::vector<Outcome> outcomes = queue_->outcomes(count);
    ids_.clear();
    for (const Outcome& one : outcomes) ids_.push_back(one.item_id);
    const std::size_t forgotten = queue_->forget(ids_);
    if (forgotten != count) {
        throw std::runtime_error("found " + std::to_string(forgotten) +
                                 " outcomes; allowed: " + std::to_string(count));
    }
}

}  // namespace headpond::bench
