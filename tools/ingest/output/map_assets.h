// The parts of the map page, as they are in the folder map.
#pragma once

#include <string_view>

namespace headpond::ingest {

struct MapAssets {
    std::string_view html;   // with {{style}}, {{script}}, {{land}}, {{about}} and {{alerts}}
    std::string_view style;  // CSS
    std::string_view script;
    std::string_view land;  // JSON: see map/derive.py
};
[[nodiscard]] MapAssets map_assets() noexcept;

}  // namespace headpond::ingest
