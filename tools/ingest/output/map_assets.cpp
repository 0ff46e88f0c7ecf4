// HEADPOND_MAP_DIR is the folder of the page's parts, taken into the program by the assembler.
#include "output/map_assets.h"

#include <cstddef>

#ifndef HEADPOND_MAP_DIR
#error "define HEADPOND_MAP_DIR as the folder of page.html, in quotes"
#endif

// clang-format off
#define HEADPOND_MAP_PART(name, file)                       \
    ".global headpond_map_" name "\n"                       \
    ".hidden headpond_map_" name "\n"                       \
    "headpond_map_" name ":\n"                              \
    ".incbin \"" HEADPOND_MAP_DIR "/" file "\"\n"           \
    ".global headpond_map_" name "_end\n"                   \
    ".hidden headpond_map_" name "_end\n"                   \
    "headpond_map_" name "_end:\n"                          \
    ".byte 0\n"

__asm__(
    ".pushsection .rodata.headpond_map, \"a\"\n"
    HEADPOND_MAP_PART("html", "page.html")
    HEADPOND_MAP_PART("style", "page.css")
    HEADPOND_MAP_PART("script", "page.js")
    HEADPOND_MAP_PART("land", "land.json")
    ".popsection\n");
// clang-format on

extern "C" {
extern const char headpond_map_html[];
extern const char headpond_map_html_end[];
extern const char headpond_map_style[];
extern const char headpond_map_style_end[];
extern const char headpond_map_script[];
extern const char headpond_map_script_end[];
extern const char headpond_map_land[];
extern const char headpond_map_land_end[];
}

namespace headpond::ingest {

namespace {

std::string_view between(const char* begin, const char* end) noexcept {
    return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

MapAssets map_assets() noexcept {
    return {.html = between(headpond_map_html, headpond_map_html_end),
            .style = between(headpond_map_style, headpond_map_style_end),
            .script = between(headpond_map_script, headpond_map_script_end),
            .land = between(headpond_map_land, headpond_map_land_end)};
}

}  // namespace headpond::ingest
