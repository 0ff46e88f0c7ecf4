#include "statistics.h"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

namespace headpond::bench {

Spread spread_of(std::vector<double> values) {
    if (values.empty()) {
        throw std::invalid_argument("no values to take a median of; allowed: at least one");
    }
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    const double median =
        values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    return {.median = median, .min = values.front(), .max = values.back()};
}

}  // namespace headpond::bench
