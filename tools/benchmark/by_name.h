// Which of some named things a name means.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace headpond::bench {

// `what`: the kind, for the error. Throws std::invalid_argument with the names that there are.
template <class Named>
[[nodiscard]] const Named& by_name(std::span<const Named> all, std::string_view what,
                                   std::string_view name) {
    std::string names;
    for (const Named& one : all) {
        if (one.name == name) return one;
        names += (names.empty() ? "" : ", ") + std::string(one.name);
    }
    throw std::invalid_argument("no " + std::string(what) + " " + std::string(name) +
                                "; allowed: " + names);
}

}  // namespace headpond::bench
