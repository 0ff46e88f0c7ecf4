// HEADPOND_SAMPLE_FEED is the path of sample/alerts.xml, taken into the program by the assembler.
#include "sample.h"

#ifndef HEADPOND_SAMPLE_FEED
#error "define HEADPOND_SAMPLE_FEED as the path of sample/alerts.xml, in quotes"
#endif

// clang-format off
__asm__(
    ".pushsection .rodata.headpond_sample, \"a\"\n"
    ".global headpond_sample\n"
    ".hidden headpond_sample\n"
    "headpond_sample:\n"
    ".incbin \"" HEADPOND_SAMPLE_FEED "\"\n"
    ".global headpond_sample_end\n"
    ".hidden headpond_sample_end\n"
    "headpond_sample_end:\n"
    ".byte 0\n"
    ".popsection\n");
// clang-format on

extern "C" {
extern const char headpond_sample[];
extern const char headpond_sample_end[];
}

namespace headpond::ingest {

std::string_view bundled_sample() noexcept {
    return {headpond_sample, static_cast<std::size_t>(headpond_sample_end - headpond_sample)};
}

}  // namespace headpond::ingest
