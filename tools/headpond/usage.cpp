#include "usage.h"

namespace headpond::cli {

std::optional<std::string> flag_with_value(const std::string& complaint) {
    const auto end = complaint.find(" was given a disallowed flag override");
    if (end == std::string::npos) return std::nullopt;
    const std::string option = "--" + complaint.substr(0, end);
    return option + " takes no value; allowed: " + option + " alone";
}

}  // namespace headpond::cli
