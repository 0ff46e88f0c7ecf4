// From the bytes of a feed to UTF-8.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::ingest {

/// Text in UTF-8, with what had to be replaced.
struct Converted {
    std::string text;                 ///< valid UTF-8
    std::size_t malformed = 0;        ///< runs of bytes without meaning, each now one U+FFFD
    std::size_t first_malformed = 0;  ///< byte offset of the first of them in the input
};

/// Converts by iconv(3). `charset` is any name that feeds and HTTP use; those that in practice mean
/// a superset get it (ISO-8859-1: windows-1252, GB2312: GB18030, Shift_JIS: CP932). nullopt when
/// the name is unknown.
std::optional<Converted> convert_to_utf8(std::string_view bytes, std::string_view charset);

/// UTF-8 with every malformed run replaced by U+FFFD.
std::string repair_utf8(std::string_view text);

/// A feed's body as UTF-8 without byte order mark.
struct Decoded {
    std::string text;
    std::string charset;                ///< what it was read as
    std::vector<std::string> warnings;  ///< each one line without the feed's name
};

/// Decides the charset and converts. In this order: a byte order mark; the zero bytes of UTF-16 or
/// UTF-32 markup; the charset of `content_type` (an HTTP header's value, or a bare charset name);
/// the XML declaration; valid UTF-8; what the bytes look like; windows-1252. A name that is unknown
/// or cannot be true is a warning, and the next in order decides. If the HTTP charset leaves
/// malformed bytes and the declared one does not, the declared one is believed.
Decoded decode_feed(std::string_view bytes, std::string_view content_type);

}  // namespace headpond::ingest
