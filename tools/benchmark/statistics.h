// Medians, and how far the rounds lie apart.
#pragma once

#include <vector>

namespace headpond::bench {

struct Spread {
    double median = 0, min = 0, max = 0;
};

// Throws std::invalid_argument where there is no value.
[[nodiscard]] Spread spread_of(std::vector<double> values);

}  // namespace headpond::bench
