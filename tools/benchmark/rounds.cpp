#include "rounds.h"

#include "interrupts.h"

#include <algorithm>
#include <vector>

namespace headpond::bench {

namespace {

std::size_t calls_for_a_round(const Rounds& rounds, const Contest& contest) {
    std::size_t calls = rounds.calls_min;
    const double wanted_us = rounds.seconds * 1e6;
    // The first calls find cold caches and a short log: the last time counts.
    for (int attempt = 0; attempt < 3; ++attempt) {
        contest.prepare(calls);
        const double us = std::max(contest.subject(calls), contest.reference(calls));
        const double fitting = static_cast<double>(calls) * wanted_us / std::max(us, 1.0);
        calls = std::clamp(static_cast<std::size_t>(fitting), rounds.calls_min, contest.calls_max);
        stop_if_interrupted();
        if (attempt > 0 && calls == rounds.calls_min) break;  // a slow disk: no more is needed
    }
    return calls;
}

}  // namespace

Compared compare(const Rounds& rounds, const Contest& contest) {
    const std::size_t calls = calls_for_a_round(rounds, contest);
    const auto each = static_cast<double>(calls);
    std::vector<double> ratios, subjects, references;
    for (std::size_t round = 0; round < rounds.count; ++round) {
        contest.prepare(calls);
        double subject = 0, reference = 0;
        const bool subject_first = round % 2 == 0;
        if (subject_first) subject = contest.subject(calls);
        reference = contest.reference(calls);
        if (!subject_first) subject = contest.subject(calls);
        ratios.push_back(subject / reference);
        subjects.push_back(subject / each);
        references.push_back(reference / each);
        stop_if_interrupted();
    }
    return {.ratio = spread_of(ratios),
            .subject = spread_of(subjects),
            .reference = spread_of(references)};
}

std::vector<std::vector<double>> take_turns(const Rounds& rounds,
                                            std::span<const Timed> contestants,
                                            std::size_t calls_max) {
    std::vector<std::size_t> calls;
    for (const Timed& one : contestants) {
        calls.push_back(calls_for_a_round(rounds, {.prepare = [](std::size_t) {},
                                                   .subject = one,
                                                   .reference = [](std::size_t) { return 0.0; },
                                                   .calls_max = calls_max}));
    }
    std::vector<std::vector<double>> times(contestants.size());
    for (std::size_t round = 0; round < rounds.count; ++round) {
        for (std::size_t turn = 0; turn < contestants.size(); ++turn) {
            const std::size_t i = (turn + round) % contestants.size();
            times[i].push_back(contestants[i](calls[i]) / static_cast<double>(calls[i]));
            stop_if_interrupted();
        }
    }
    return times;
}

}  // namespace headpond::bench
