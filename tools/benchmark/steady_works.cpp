// Works that a backlog is as large after as before: the library against the floor.
#include "floor_side.h"
#include "library_side.h"
#include "material.h"
#include "works.h"

#include <algorithm>

namespace headpond::bench {

namespace {

enum class Shape { enqueue, cycle };

struct Steady {
    std::string_view name;
    Shape shape = Shape::cycle;
    std::size_t per_call = 100;
    Tracking tracking = Tracking::untracked;
    const KeyOption* keys = &key_options().front();
};

using Items = std::span<const NewItem>;

// What was added is removed again, untimed, before it makes the backlog another one.
double time_enqueues(Side& side, Items items, std::size_t per_call, std::int64_t backlog) {
    const auto part_max = static_cast<std::size_t>(
        std::clamp<std::int64_t>(backlog, 1000, static_cast<std::int64_t>(lease_items_max)));
    Stopwatch watch;
    while (!items.empty()) {
        const Items part = items.first(std::min(items.size(), part_max / per_call * per_call));
        watch.start();
        for (std::size_t at = 0; at < part.size(); at += per_call) {
            side.enqueue(part.subspan(at, per_call));
        }
        watch.stop();
        drain(side, part.size());
        items = items.subspan(part.size());
    }
    return watch.microseconds();
}

double time_cycles(Side& side, Items items, std::size_t per_call, bool tracked) {
    Stopwatch watch;
    watch.start();
    for (std::size_t at = 0; at < items.size(); at += per_call) {
        side.enqueue(items.subspan(at, per_call));
        lease_exactly(side, per_call);
        side.ack();
        if (tracked) side.collect(per_call);
    }
    watch.stop();
    return watch.microseconds();
}

Row measure(const Steady& work, const Scope& scope, const BacklogFiles& files,
            Durability durability, std::int64_t backlog) {
    const auto library_path = files.library(*work.keys, work.tracking, backlog);
    const auto floor_path = files.floor(backlog);
    LibrarySide library(library_path, durability, *work.keys);
    FloorSide floor(floor_path, durability);
    files.settle();

    Material material(scope.seed_of(std::string(work.name) + library_path.filename().string() +
                                    std::string(name_of(durability))));
    Items items;
    const bool tracked = work.tracking == Tracking::tracked;
    const auto timed = [&](Side& side) {
        return work.shape == Shape::enqueue ? time_enqueues(side, items, work.per_call, backlog)
                                            : time_cycles(side, items, work.per_call, tracked);
    };
    constexpr std::size_t items_a_round_max = 50'000;
    const Compared compared =
        compare(scope.rounds, {.prepare =
                                   [&](std::size_t calls) {
                                       items = material.make(calls * work.per_call, work.tracking);
                                   },
                               .subject = [&](std::size_t) { return timed(library); },
                               .reference = [&](std::size_t) { return timed(floor); },
                               .calls_max = items_a_round_max / work.per_call});
    const auto per_call = static_cast<double>(work.per_call);
    return {.work = std::string(work.name),
            .keys = std::string(work.keys->name),
            .backlog = backlog,
            .per_call = static_cast<std::int64_t>(work.per_call),
            .durability = std::string(name_of(durability)),
            .ratio = compared.ratio,
            .us = compared.subject.median / per_call,
            .floor_us = compared.reference.median / per_call,
            .plotted = true};
}

void run(const Steady& work, const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    for (const Durability durability : scope.durabilities) {
        for (const std::int64_t backlog : scope.backlogs) {
            sink(measure(work, scope, files, durability, backlog));
        }
    }
}

}  // namespace

void run_enqueue(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    run({.name = "enqueue", .shape = Shape::enqueue}, scope, files, sink);
}

void run_cycle(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    run({.name = "cycle"}, scope, files, sink);
}

void run_tracked(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    run({.name = "tracked", .tracking = Tracking::tracked}, scope, files, sink);
}

void run_checked(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    for (const KeyOption& keys : key_options().subspan(1)) {
        run({.name = "checked", .tracking = Tracking::tracked, .keys = &keys}, scope, files, sink);
    }
}

void run_single(const Scope& scope, const BacklogFiles& files, const Sink& sink) {
    run({.name = "single", .per_call = 1}, scope, files, sink);
}

}  // namespace headpond::bench
