#include "store/rows.h"

namespace headpond::store {

std::string_view to_string(AttemptOutcome outcome) noexcept {
    switch (outcome) {
        case AttemptOutcome::acked:
            return "acked";
        case AttemptOutcome::partial:
            return "partial";
        case AttemptOutcome::nacked:
            return "nacked";
        case AttemptOutcome::lapsed:
            return "lapsed";
        case AttemptOutcome::owner_died:
            return "owner_died";
        case AttemptOutcome::released:
            return "released";
        case AttemptOutcome::split:
            return "split";
        case AttemptOutcome::abandoned:
            return "abandoned";
    }
    return "?";
}

std::string_view to_string(GateRow::State state) noexcept {
    switch (state) {
        case GateRow::State::open:
            return "open";
        case GateRow::State::closed:
            return "closed";
        case GateRow::State::half_open:
            return "half_open";
    }
    return "?";
}

}  // namespace headpond::store
