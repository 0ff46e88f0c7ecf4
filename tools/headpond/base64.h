// Base64 (RFC 4648, section 4), for payloads that JSON can't hold as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace headpond::cli {

[[nodiscard]] std::string to_base64(std::string_view bytes);
// nullopt for anything but the standard alphabet with its padding.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace headpond::cli
