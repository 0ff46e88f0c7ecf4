#include "side.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace headpond::bench {

void lease_exactly(Side& side, std::size_t count) {
    const std::size_t leased = side.lease(count);
    if (leased == count) return;
    throw std::runtime_error("a lease found " + std::to_string(leased) + " items; allowed: " +
                             std::to_string(count) + ", as the backlog is larger");
}

void drain(Side& side, std::size_t count) {
    while (count > 0) {
        const std::size_t part = std::min(count, lease_items_max);
        lease_exactly(side, part);
        side.ack();
        count -= part;
    }
}

}  // namespace headpond::bench
