// The feed that is bundled with the tool, for a run without a feed.
#pragma once

#include <string_view>

namespace headpond::ingest {

[[nodiscard]] std::string_view bundled_sample() noexcept;

}  // namespace headpond::ingest
