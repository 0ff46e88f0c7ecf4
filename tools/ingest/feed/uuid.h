// Keys of alerts.
#pragma once

#include <string>
#include <string_view>

namespace headpond::ingest {

/// The name-based uuid (RFC 4122 version 5, SHA-1) of an alert, in lower case with hyphens. The
/// same three strings give the same uuid on every machine and in every release, so that a feed read
/// twice yields no alert twice. The parts may not contain a newline: it separates them.
std::string alert_uuid(std::string_view source, std::string_view title, std::string_view link);

}  // namespace headpond::ingest
