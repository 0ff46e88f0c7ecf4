// Random operations on a queue of three items against the model, by rapidcheck: it shrinks what
// differs to the fewest steps.
#include "reliability/gate.h"
#include "reliability/model_case.h"

#include <iostream>
#include <sstream>

#include <rapidcheck.h>

namespace headpond::reliability::model {

namespace {

constexpr std::size_t steps_max = 60;

// How often each verb comes, of all.
constexpr std::pair<Verb, unsigned> weights[] = {
    {Verb::enqueue, 40},  {Verb::lease, 40},     {Verb::settle, 36},    {Verb::settle_by_token, 8},
    {Verb::extend, 6},    {Verb::drop, 6},       {Verb::pass_time, 30}, {Verb::cancel, 8},
    {Verb::cleanup, 8},   {Verb::forget, 10},    {Verb::redrive, 7},    {Verb::purge, 3},
    {Verb::set, 12},      {Verb::pause, 3},      {Verb::resume, 3},     {Verb::flush, 4},
    {Verb::transact, 10}, {Verb::owner_dies, 5}, {Verb::step_wall, 3},  {Verb::reopen, 1},
    {Verb::reboot, 1},
};

// The bits of one number after the other.
class Bytes {
  public:
    explicit Bytes(rc::Random random) : random_(random) {}
    std::uint8_t byte() { return static_cast<std::uint8_t>(random_.next() >> 32U); }
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_.next() % n); }

  private:
    rc::Random random_;
};

Verb any_verb(Bytes& bytes) {
    unsigned all = 0;
    for (const auto& [verb, weight] : weights) all += weight;
    std::size_t left = bytes.below(all);
    for (const auto& [verb, weight] : weights) {
        if (left < weight) return verb;
        left -= weight;
    }
    return Verb::enqueue;
}

Case any_case(const rc::Random& random) {
    Bytes bytes(random);
    Case one;
    for (auto& die : one.settings) {
        if (bytes.below(2) == 0) die = bytes.byte();
    }
    one.steps.resize(1 + bytes.below(steps_max));
    for (Step& step : one.steps) {
        step.verb = any_verb(bytes);
        for (auto& die : step.dice) die = bytes.byte();
    }
    return one;
}

// The same with one number at zero.
template <std::size_t N>
std::vector<std::array<std::uint8_t, N>> simpler(const std::array<std::uint8_t, N>& dice) {
    std::vector<std::array<std::uint8_t, N>> all;
    for (std::size_t i = 0; i < N; ++i) {
        if (dice[i] == 0) continue;
        all.push_back(dice);
        all.back()[i] = 0;
    }
    return all;
}

rc::Seq<Case> shrunken(const Case& one) {
    const auto fewer = rc::seq::map(rc::shrink::removeChunks(one.steps), [one](auto&& steps) {
        return Case{.settings = one.settings, .steps = std::move(steps)};
    });
    std::vector<Case> plainer;
    for (const auto& settings : simpler(one.settings)) {
        plainer.push_back({.settings = settings, .steps = one.steps});
    }
    for (std::size_t i = 0; i < one.steps.size(); ++i) {
        for (const auto& dice : simpler(one.steps[i].dice)) {
            plainer.push_back(one);
            plainer.back().steps[i].dice = dice;
        }
    }
    return rc::seq::concat(fewer, rc::seq::fromContainer(std::move(plainer)));
}

}  // namespace

// What rapidcheck prints of a case; its steps in words come with what differed.
void showValue(const Case& one, std::ostream& out) {
    out << one.steps.size() << " steps";
}

namespace {

class Silent final : public rc::detail::TestListener {
  public:
    void onTestCaseFinished(const rc::detail::CaseDescription& /*one*/) override {}
    void onShrinkTried(const rc::detail::CaseDescription& /*one*/, bool /*accepted*/) override {}
    void onTestFinished(const rc::detail::TestMetadata& /*test*/,
                        const rc::detail::TestResult& /*result*/) override {}
};

GateReport run_model(const GateRun& run) {
    GateReport report;
    const auto folder = [&](const char* name) {
        std::filesystem::create_directory(run.memory / name);
        return run.memory / name;
    };
    CaseRunner indexed(folder("unique"), Keys::unique);
    CaseRunner mapped(folder("mapped"), Keys::mapped);
    std::int64_t steps = 0;
    const rc::Gen<Case> cases([](const rc::Random& random, int /*size*/) {
        return rc::shrinkable::shrinkRecur(any_case(random), shrunken);
    });
    const auto property = rc::detail::toProperty([&] {
        const Case one = *cases;
        steps += std::ssize(one.steps);
        return (one.settings.back() % 2 == 0 ? indexed : mapped).run(one);  // empty: a success
    });
    Silent silent;
    rc::detail::TestParams parameters;
    parameters.seed = run.seed;
    parameters.maxSuccess = static_cast<int>(run.amount);
    const auto result = rc::detail::checkProperty(property, {}, parameters, silent, {});
    std::int64_t kept = 0;
    if (result.is<rc::detail::SuccessResult>()) {
        kept = result.get<rc::detail::SuccessResult>().numSuccess;
    } else {
        std::ostringstream words;
        rc::detail::printResultMessage(result, words);
        if (result.is<rc::detail::FailureResult>()) {
            kept = result.get<rc::detail::FailureResult>().numSuccess;
            words.str(result.get<rc::detail::FailureResult>().description);
        }
        report.violation("seed " + std::to_string(run.seed) + ", case " + std::to_string(kept + 1) +
                         ", shrunken: " + words.str());
    }
    report.reached = std::to_string(kept) + " cases, " + std::to_string(steps) + " operations, " +
                     std::to_string(report.violations.size()) + " differences";
    report.enough = kept >= 20'000;
    return report;
}

const Registered registered{{.name = "model",
                             .promised = ">= 20 000 cases, 0 differences",
                             .amount = 20'000,
                             .unit = "cases",
                             .run = run_model}};

}  // namespace

}  // namespace headpond::reliability::model
