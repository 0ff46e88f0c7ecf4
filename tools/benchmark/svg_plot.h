// Cost against backlog, as a drawing that needs nothing else.
#pragma once

#include "report.h"

#include <span>
#include <string>

namespace headpond::bench {

// A panel for each work that has a floor at some backlog, a row of panels for each durability; a
// line for the library and one for the floor. Follows the reader's light or dark scheme. Throws
// std::invalid_argument where no row can be drawn.
[[nodiscard]] std::string to_svg(std::span<const Row> rows);

}  // namespace headpond::bench
