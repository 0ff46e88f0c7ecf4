// What the service is asked.
#pragma once

#include "location.h"

#include <span>
#include <string>
#include <string_view>

namespace headpond::ingest {

// An alert under the key of its item.
struct KeyedAlert {
    std::string key;
    AlertText text;
};

// The body of POST /chat/completions: the alerts as JSON, and a JSON schema for the answer whose
// `key` may only be one of theirs. Summaries are cut to 1200 bytes.
[[nodiscard]] std::string chat_request(std::string_view model, std::span<const KeyedAlert> alerts);

}  // namespace headpond::ingest
