// Works that a backlog must not make slower: the library against itself.
#include "library_side.h"
#include "material.h"
#include "works.h"

#include <chrono>
#include <deque>
#include <map>
#include <optional>

namespace headpond::bench {

namespace {

constexpr std::int64_t small_backlog = 1000;
constexpr std::int64_t ready_backlog = 100'000;  // behind what stands ahead of a lease
constexpr std::size_t batch_items = 100;
constexpr Ms one_day{86'400'000};

double time_health(Queue& queue, std::size_t calls) {
    Stopwatch watch;
    watch.start();
    for (std::size_t i = 0; i < calls; ++i) (void)queue.health();
    watch.stop();
    return watch.microseconds();
}

// What is leased is acked and made up for, untimed.
double time_leases(LibrarySide& side, std::span<const NewItem> items) {
    Stopwatch watch;
    for (std::size_t at = 0; at < items.size(); at += batch_items) {
        watch.start();
        lease_exactly(side, batch_items);
        watch.stop();
        side.ack();
        side.enqueue(items.subspan(at, batch_items));
    }
    return watch.microseconds();
}

// A queue whose oldest items are waiting and leased in batches; holds the leases.
class Crowd {
  public:
    Crowd(const std::filesystem::path& path, std::uint64_t seed)
        : side_(path, Durability::process_crash, key_options().front()), material_(seed) {
        constexpr std::size_t waiting_batches = 1000, leased_batches = 2000, leased_items = 10;
        fill(waiting_batches * batch_items + leased_batches * leased_items);
        for (std::size_t i = 0; i < waiting_batches; ++i) {
            auto batch = lease(batch_items);
            (void)batch.settle({.rest = Rest::nack, .error = "later", .delay = one_day});
        }
        for (std::size_t i = 0; i < leased_batches; ++i) held_.push_back(lease(leased_items));
        fill(static_cast<std::size_t>(ready_backlog));
    }

  private:
    void fill(std::size_t count) {
        while (count > 0) {
            const std::size_t part = std::min(count, lease_items_max);
            side_.enqueue(material_.make(part, Tracking::untracked));
            count -= part;
        }
    }
    Batch lease(std::size_t items) {
        auto batch = side_.queue().lease(
            {.items_max = static_cast<std::int64_t>(items), .lease_time = one_day});
        if (!batch || batch->items().size() != items) {
            throw std::runtime_error("a lease ahead found too few items; allowed: " +
                                     std::to_string(items));
        }
        return std::move(*batch);
    }

    LibrarySide side_;
    Material material_;
    std::deque<Batch> held_;
};

Row measure_leases(const Scope& scope, const BacklogFiles& files, Durability durability,
                   const std::filesystem::path& ahead_path) {
    const KeyOption& keys = key_options().front();
    LibrarySide ahead(ahead_path, durability, keys);
    LibrarySide none(files.library(keys, Tracking::untracked, ready_backlog), durability, keys);
    Material material(scope.seed_of("lease" + std::string(name_of(durability))));
    std::span<const NewItem> items;
    const Compared compared = compare(
        scope.rounds, {.prepare =
                           [&](std::size_t calls) {
                               items = material.make(calls * batch_items, Tracking::untracked);
                           },
                       .subject = [&](std::size_t) { return time_leases(ahead, items); },
                       .reference = [&](std::size_t) { return time_leases(none, items); },
                       .calls_max = 300});
    return {.work = "lease",
            .keys = std::string(keys.name),
            .backlog = ready_backlog,
            .per_call = batch_items,
            .durability = std::string(name_of(durability)),
            .ratio = compared.ratio,
            .us = compared.subject.median / batch_items,
            .floor_us = compared.reference.median / batch_items,
            .note = "behind 100k waiting items and 2000 leased batches / behind none"};
}

}  // namespace

void run_health(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    const KeyOption& keys = key_options().front();
    const auto small_path = files.library(keys, Tracking::untracked, small_backlog);
    for (const Durability durability : scope.durabilities) {
        LibrarySide small(small_path, durability, keys);
        for (const std::int64_t backlog : scope.backlogs) {
            std::optional<LibrarySide> other;
            if (backlog != small_backlog) {
                other.emplace(files.library(keys, Tracking::untracked, backlog), durability, keys);
            }
            Queue& queue = other ? other->queue() : small.queue();
            const Compared compared =
                compare(scope.rounds,
                        {.prepare = [](std::size_t) {},
                         .subject = [&](std::size_t calls) { return time_health(queue, calls); },
                         .reference =
                             [&](std::size_t calls) { return time_health(small.queue(), calls); }});
            sink({.work = "health",
                  .keys = std::string(keys.name),
                  .backlog = backlog,
                  .per_call = 1,
                  .durability = std::string(name_of(durability)),
                  .ratio = compared.ratio,
                  .us = compared.subject.median,
                  .floor_us = compared.reference.median,
                  .note = "us a call / the same with 1k"});
        }
    }
}

void run_lease(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    const auto path = files.own("library-ahead");
    const Crowd crowd(path, scope.seed_of("lease ahead"));
    files.settle();
    for (const Durability durability : scope.durabilities) {
        sink(measure_leases(scope, files, durability, path));
    }
}

}  // namespace headpond::bench
