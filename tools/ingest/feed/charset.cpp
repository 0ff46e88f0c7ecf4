#include "feed/charset.h"

#include "feed/fold.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include <iconv.h>
#include <uchardet/uchardet.h>

namespace headpond::ingest {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view replacement = "\uFFFD";
// How far a declaration is looked for, and how much the detector gets to see.
constexpr std::size_t declaration_bytes_max = 1024;
constexpr std::size_t detector_bytes_max = std::size_t{1} << 20;

struct Alias {
    std::string_view label;  // as feeds write it, in lower case
    std::string_view name;   // as glibc knows the superset that writers mean by it
};

// After the labels of the WHATWG Encoding Standard; what is not here goes to iconv by its own name.
constexpr auto aliases = std::to_array<Alias>({
    {"ascii", "CP1252"},
    {"us-ascii", "CP1252"},
    {"iso-8859-1", "CP1252"},
    {"iso8859-1", "CP1252"},
    {"iso_8859-1", "CP1252"},
    {"latin1", "CP1252"},
    {"latin-1", "CP1252"},
    {"l1", "CP1252"},
    {"windows-1252", "CP1252"},
    {"iso-8859-9", "CP1254"},
    {"iso-8859-11", "CP874"},
    {"tis-620", "CP874"},
    {"gb2312", "GB18030"},
    {"gb_2312-80", "GB18030"},
    {"gbk", "GB18030"},
    {"x-gbk", "GB18030"},
    {"cp936", "GB18030"},
    {"euc-cn", "GB18030"},
    {"big5", "BIG5-HKSCS"},
    {"big-5", "BIG5-HKSCS"},
    {"x-x-big5", "BIG5-HKSCS"},
    {"shift_jis", "CP932"},
    {"shift-jis", "CP932"},
    {"sjis", "CP932"},
    {"x-sjis", "CP932"},
    {"windows-31j", "CP932"},
    {"euc-jp", "EUC-JP-MS"},
    {"x-euc-jp", "EUC-JP-MS"},
    {"euc-kr", "CP949"},
    {"ks_c_5601-1987", "CP949"},
    {"windows-949", "CP949"},
    {"koi8", "KOI8-R"},
    {"x-mac-roman", "MACINTOSH"},
    {"utf8", "UTF-8"},
    {"unicode-1-1-utf-8", "UTF-8"},
});

std::string in_lower_case(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

// Without blanks and quotes around it.
std::string_view bare(std::string_view text) {
    constexpr std::string_view around = " \t\r\n\"'";
    const auto first = text.find_first_not_of(around);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(around) - first + 1);
}

// glibc's name; empty for what is no charset name. The check also keeps out iconv's "//" options.
std::string glibc_name(std::string_view charset) {
    const std::string label = in_lower_case(bare(charset));
    const auto may_be_in_name = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               "-_.:+()"sv.find(c) != "-"sv.npos;
    };
    if (label.size() > 40 || !std::all_of(label.begin(), label.end(), may_be_in_name)) return {};
    const auto alias = std::find_if(aliases.begin(), aliases.end(),
                                    [&](const Alias& row) { return row.label == label; });
    return alias == aliases.end() ? label : std::string(alias->name);
}

// Owns an iconv descriptor. One thread at a time.
class Converter {
  public:
    explicit Converter(const std::string& from) : handle_(iconv_open("UTF-8", from.c_str())) {}
    ~Converter() {
        if (known()) iconv_close(handle_);
    }
    Converter(const Converter&) = delete;
    Converter& operator=(const Converter&) = delete;

    bool known() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

    // The errno of one call: 0 when the input is used up, E2BIG, EILSEQ or EINVAL.
    int step(std::string_view& in, std::string& out) {
        std::array<char, 8192> buffer;
        char* to = buffer.data();
        std::size_t room = buffer.size();
        char* from = const_cast<char*>(in.data());  // iconv(3) lacks the const; it does not write
        std::size_t left = in.size();
        const bool finish = in.empty();
        const std::size_t result = finish ? iconv(handle_, nullptr, nullptr, &to, &room)
                                          : iconv(handle_, &from, &left, &to, &room);
        const int error = result == static_cast<std::size_t>(-1) ? errno : 0;
        out.append(buffer.data(), buffer.size() - room);
        in.remove_prefix(in.size() - left);
        return error;
    }

  private:
    iconv_t handle_;
};

std::size_t unit_bytes(std::string_view glibc_charset) {
    if (glibc_charset.find("32") != glibc_charset.npos) return 4;
    return in_lower_case(glibc_charset).find("utf-16") != std::string::npos ? 2 : 1;
}

bool starts_with_zeros(std::string_view bytes, std::string_view pattern) {
    return bytes.substr(0, pattern.size()) == pattern;
}

struct Certain {
    std::string_view charset;
    std::size_t mark_bytes = 0;  // of the byte order mark
};

// What cannot be mistaken: a byte order mark, or the first '<' with its zero bytes.
std::optional<Certain> certain_charset(std::string_view bytes) {
    static constexpr auto signs = std::to_array<std::pair<std::string_view, Certain>>({
        {"\xEF\xBB\xBF"sv, {"UTF-8", 3}},
        {"\xFF\xFE\0\0"sv, {"UTF-32LE", 4}},
        {"\0\0\xFE\xFF"sv, {"UTF-32BE", 4}},
        {"\xFF\xFE"sv, {"UTF-16LE", 2}},
        {"\xFE\xFF"sv, {"UTF-16BE", 2}},
        {"<\0\0\0"sv, {"UTF-32LE", 0}},
        {"\0\0\0<"sv, {"UTF-32BE", 0}},
        {"<\0"sv, {"UTF-16LE", 0}},
        {"\0<"sv, {"UTF-16BE", 0}},
    });
    const auto sign = std::find_if(signs.begin(), signs.end(), [&](const auto& row) {
        return starts_with_zeros(bytes, row.first);
    });
    return sign == signs.end() ? std::nullopt : std::optional{sign->second};
}

// `text/xml; charset=gbk`, or a bare name.
std::string hinted_charset(std::string_view content_type) {
    const std::string lower = in_lower_case(content_type);
    const auto at = lower.find("charset=");
    if (at == std::string::npos) {
        return lower.find('/') == std::string::npos ? std::string(bare(lower)) : std::string();
    }
    const std::string_view value = std::string_view(lower).substr(at + 8);
    return std::string(bare(value.substr(0, value.find(';'))));
}

// The encoding of `<?xml version="1.0" encoding="..."?>`, empty when there is none.
std::string declared_charset(std::string_view bytes) {
    const auto start = bytes.find_first_not_of(" \t\r\n");
    if (start == bytes.npos || bytes.substr(start, 5) != "<?xml") return {};
    std::string_view declaration = bytes.substr(start, declaration_bytes_max);
    declaration = declaration.substr(0, declaration.find("?>"));
    const auto name = declaration.find("encoding");
    if (name == declaration.npos) return {};
    const auto open = declaration.find_first_of("\"'", name);
    if (open == declaration.npos) return {};
    const auto close = declaration.find(declaration[open], open + 1);
    if (close == declaration.npos) return {};
    return in_lower_case(bare(declaration.substr(open + 1, close - open - 1)));
}

// What the bytes look like to the detector, empty when it has no opinion.
std::string detected_charset(std::string_view bytes) {
    const std::unique_ptr<uchardet, decltype(&uchardet_delete)> detector(uchardet_new(),
                                                                         uchardet_delete);
    const std::string_view sample = bytes.substr(0, detector_bytes_max);
    if (uchardet_handle_data(detector.get(), sample.data(), sample.size()) != 0) return {};
    uchardet_data_end(detector.get());
    return uchardet_get_charset(detector.get());
}

std::size_t characters_beyond_ascii(std::string_view utf8) {
    return static_cast<std::size_t>(std::count_if(
        utf8.begin(), utf8.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xC0; }));
}

// glibc lets four-byte sequences above U+10FFFF pass, which are not Unicode. `text` is otherwise
// valid.
void replace_beyond_unicode(Converted& converted) {
    const std::string& text = converted.text;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    std::string repaired;
    std::size_t copied = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (byte(at) < 0xF4 || (byte(at) == 0xF4 && byte(at + 1) < 0x90)) continue;
        if (converted.malformed++ == 0) converted.first_malformed = at;
        repaired.append(text, copied, at - copied).append(replacement);
        copied = at + 4;
        at += 3;
    }
    if (copied == 0) return;
    converted.text = repaired.append(text, copied);
}

// For a body that names no charset at all.
std::pair<Converted, std::string> sniff(std::string_view bytes) {
    Converted utf8 = *convert_to_utf8(bytes, "UTF-8");
    // A few bad bytes among many good characters are damage, not another charset.
    const std::size_t good = characters_beyond_ascii(utf8.text) -
                             std::min(characters_beyond_ascii(utf8.text), utf8.malformed);
    if (utf8.malformed == 0 || utf8.malformed * 10 <= good) return {std::move(utf8), "UTF-8"};
    const std::string detected = detected_charset(bytes);
    if (in_lower_case(detected) != "utf-8" && in_lower_case(detected) != "ascii") {
        if (auto converted = convert_to_utf8(bytes, detected))
            return {std::move(*converted), detected};
    }
    return {*convert_to_utf8(bytes, "windows-1252"), "windows-1252"};
}

// Gives the Decoded its text, and the one warning for all malformed bytes.
Decoded finished(Converted converted, std::string_view charset, std::vector<std::string> warnings) {
    if (converted.malformed > 0) {
        warnings.push_back("malformed bytes in " + for_message(charset) + ": " +
                           std::to_string(converted.malformed) + " place(s), the first at byte " +
                           std::to_string(converted.first_malformed) + ", became U+FFFD");
    }
    return {std::move(converted.text), std::string(charset), std::move(warnings)};
}

// A text that could be read as ASCII so far has no zero bytes, so it is not in UTF-16 or UTF-32.
std::optional<Converted> convert_named(std::string_view bytes, const std::string& charset,
                                       std::string_view where, std::vector<std::string>& warnings) {
    if (charset.empty()) return std::nullopt;
    if (unit_bytes(charset) == 1 || bytes.find('\0') != bytes.npos) {
        if (auto converted = convert_to_utf8(bytes, charset)) return converted;
        warnings.push_back(std::string(where) + " names the charset '" + for_message(charset) +
                           "', which is not known: ignored");
    } else {
        warnings.push_back(std::string(where) + " names the charset '" + for_message(charset) +
                           "', but the bytes are not in it: ignored");
    }
    return std::nullopt;
}

}  // namespace

std::optional<Converted> convert_to_utf8(std::string_view bytes, std::string_view charset) {
    const std::string name = glibc_name(charset);
    Converter converter(name);
    if (name.empty() || !converter.known()) return std::nullopt;

    Converted result;
    result.text.reserve(bytes.size());
    const std::size_t unit = unit_bytes(name);
    std::size_t malformed_end = std::string::npos;  // size of the text after the last U+FFFD
    for (std::string_view in = bytes;;) {
        const bool finishing = in.empty();
        const int error = converter.step(in, result.text);
        if (error == 0 && finishing) break;
        if (error == 0 || error == E2BIG) continue;
        if (error != EILSEQ && error != EINVAL) {
            throw std::system_error(error, std::generic_category(), "iconv from " + name);
        }
        if (malformed_end != result.text.size()) {
            if (result.malformed++ == 0) result.first_malformed = bytes.size() - in.size();
            result.text += replacement;
            malformed_end = result.text.size();
        }
        // EINVAL is a character that the end cuts off: nothing useful follows it.
        in.remove_prefix(error == EINVAL ? in.size() : std::min(unit, in.size()));
    }
    replace_beyond_unicode(result);
    return result;
}

std::string repair_utf8(std::string_view text) {
    return convert_to_utf8(text, "UTF-8")->text;
}

Decoded decode_feed(std::string_view bytes, std::string_view content_type) {
    if (const auto certain = certain_charset(bytes)) {
        const auto rest = bytes.substr(certain->mark_bytes);
        return finished(*convert_to_utf8(rest, certain->charset), certain->charset, {});
    }
    std::vector<std::string> warnings;
    const std::string hinted = hinted_charset(content_type);
    const std::string declared = declared_charset(bytes);
    auto by_hint = convert_named(bytes, hinted, "the content type", warnings);
    if (by_hint && by_hint->malformed == 0) return finished(std::move(*by_hint), hinted, warnings);

    auto by_declaration = convert_named(bytes, declared, "the XML declaration", warnings);
    if (by_hint && by_declaration && by_declaration->malformed == 0) {
        warnings.push_back("the content type says " + for_message(hinted) +
                           ", but only the declared " + for_message(declared) + " fits: believed");
    } else if (by_hint) {
        return finished(std::move(*by_hint), hinted, warnings);
    }
    if (by_declaration) return finished(std::move(*by_declaration), declared, warnings);

    auto [converted, charset] = sniff(bytes);
    return finished(std::move(converted), charset, warnings);
}

}  // namespace headpond::ingest
