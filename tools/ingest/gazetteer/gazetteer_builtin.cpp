// The gazetteer's data, taken into the program by the assembler as it is: a generated source of
// 7 MB would take the compiler minutes. HEADPOND_GAZETTEER_DIR is the folder of the .tsv files.
#include "gazetteer/gazetteer.h"

#include <cstddef>

#ifndef HEADPOND_GAZETTEER_DIR
#error \
    "define HEADPOND_GAZETTEER_DIR as the folder of places.tsv, areas.tsv and words.tsv, in quotes"
#endif

// clang-format off
__asm__(
    ".pushsection .rodata.headpond_gazetteer, \"a\"\n"
    ".balign 16\n"
    ".global headpond_gazetteer_places\n"
    ".hidden headpond_gazetteer_places\n"
    "headpond_gazetteer_places:\n"
    ".incbin \"" HEADPOND_GAZETTEER_DIR "/places.tsv\"\n"
    ".global headpond_gazetteer_places_end\n"
    ".hidden headpond_gazetteer_places_end\n"
    "headpond_gazetteer_places_end:\n"
    ".byte 0\n"
    ".global headpond_gazetteer_areas\n"
    ".hidden headpond_gazetteer_areas\n"
    "headpond_gazetteer_areas:\n"
    ".incbin \"" HEADPOND_GAZETTEER_DIR "/areas.tsv\"\n"
    ".global headpond_gazetteer_areas_end\n"
    ".hidden headpond_gazetteer_areas_end\n"
    "headpond_gazetteer_areas_end:\n"
    ".byte 0\n"
    ".global headpond_gazetteer_words\n"
    ".hidden headpond_gazetteer_words\n"
    "headpond_gazetteer_words:\n"
    ".incbin \"" HEADPOND_GAZETTEER_DIR "/words.tsv\"\n"
    ".global headpond_gazetteer_words_end\n"
    ".hidden headpond_gazetteer_words_end\n"
    "headpond_gazetteer_words_end:\n"
    ".byte 0\n"
    ".popsection\n");
// clang-format on

extern "C" {
extern const char headpond_gazetteer_places[];
extern const char headpond_gazetteer_places_end[];
extern const char headpond_gazetteer_areas[];
extern const char headpond_gazetteer_areas_end[];
extern const char headpond_gazetteer_words[];
extern const char headpond_gazetteer_words_end[];
}

namespace headpond::ingest {

const Gazetteer& Gazetteer::builtin() {
    static const Gazetteer gazetteer{
        {headpond_gazetteer_places,
         static_cast<std::size_t>(headpond_gazetteer_places_end - headpond_gazetteer_places)},
        {headpond_gazetteer_areas,
         static_cast<std::size_t>(headpond_gazetteer_areas_end - headpond_gazetteer_areas)},
        {headpond_gazetteer_words,
         static_cast<std::size_t>(headpond_gazetteer_words_end - headpond_gazetteer_words)}};
    return gazetteer;
}

}  // namespace headpond::ingest
