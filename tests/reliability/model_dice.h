// How the steps of a case read their numbers. For the sources of CaseRunner only.
#pragma once

#include "reliability/model_case.h"

#include <sstream>

namespace headpond::reliability::model {

// A step's numbers one after the other; zeros when they are used up.
class CaseRunner::Dice {
  public:
    explicit Dice(const Step& step) : step_(step) {}
    std::size_t below(std::size_t n) { return at_ < step_.dice.size() ? step_.dice[at_++] % n : 0; }
    // The last of n: seldom, and never where the numbers are shrunken.
    bool one_in(std::size_t n) { return below(n) == n - 1; }
    Ms ms_below(std::size_t n, std::int64_t unit) {
        return Ms{static_cast<std::int64_t>(below(n)) * unit};
    }
    std::string key() { return "k" + std::to_string(below(8)); }

  private:
    const Step& step_;
    std::size_t at_ = 0;
};

template <class Value>
void CaseRunner::expect(std::string_view what, const Value& expected, const Value& seen) const {
    if (expected == seen) return;
    std::ostringstream out;
    out << what << ": expected " << expected << ", the answer is " << seen;
    differ(out.str());
}

}  // namespace headpond::reliability::model
