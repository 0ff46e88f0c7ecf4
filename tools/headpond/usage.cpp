#include "usage.h"

#include <algorithm>

namespace headpond::cli {

std::optional<std::string> flag_with_value(const std::string& complaint) {
    const auto end = complaint.find(" was given a disallowed flag override");
    if (end == std::string::npos) return std::nullopt;
    const std::string option = "--" + complaint.substr(0, end);
    return option + " takes no value; allowed: " + option + " alone";
}

std::string usage_line(std::string complaint) {
    if (const auto line = flag_with_value(complaint)) return *line;
    std::replace(complaint.begin(), complaint.end(), '\n', ' ');
    return complaint + "; allowed: see --help";
}

}  // namespace headpond::cli
