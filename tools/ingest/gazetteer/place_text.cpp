#include "gazetteer/place_text.h"

#include <algorithm>

namespace headpond::ingest {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

struct Decoded {
    char32_t code;
    std::size_t bytes;
};

// Reads one UTF-8 character at position; a byte that begins none is taken as itself.
Decoded decode(std::string_view text, std::size_t position) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[position + i]); };
    const std::size_t left = text.size() - position;
    const unsigned char first = byte(0);
    const auto follows = [&](std::size_t i) { return i < left && (byte(i) & 0xC0U) == 0x80U; };
    if (first < 0x80) return {first, 1};
    if ((first & 0xE0U) == 0xC0U && follows(1)) {
        return {((first & 0x1FU) << 6U) | (byte(1) & 0x3FU), 2};
    }
    if ((first & 0xF0U) == 0xE0U && follows(1) && follows(2)) {
        return {((first & 0x0FU) << 12U) | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU), 3};
    }
    if ((first & 0xF8U) == 0xF0U && follows(1) && follows(2) && follows(3)) {
        return {((first & 0x07U) << 18U) | ((byte(1) & 0x3FU) << 12U) | ((byte(2) & 0x3FU) << 6U) |
                    (byte(3) & 0x3FU),
                4};
    }
    return {first, 1};
}

bool is_apostrophe(char32_t c) {
    return c == U'\'' || c == U'`' || c == 0xB4 || c == 0x2018 || c == 0x2019 || c == 0x2BB ||
           c == 0x2BC || c == 0x2BE || c == 0x2BF;
}

// Accents that stand alone, and the vowel signs that Arabic may leave out.
bool is_combining(char32_t c) {
    return (c >= 0x300 && c <= 0x36F) || c == 0x640 || (c >= 0x64B && c <= 0x655) || c == 0x670;
}

// Han, Kana and Hangul are written without blanks between words, or with endings joined to them:
// each of their characters is a word here.
bool is_unspaced(char32_t c) {
    return (c >= 0x3041 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x9FFF) ||
           (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF);
}

bool is_other_capital(char32_t c) {
    return (c >= 0x391 && c <= 0x3A9) || (c >= 0x400 && c <= 0x42F);
}

// The small letter of a Greek or Cyrillic capital without accents; other letters as they are.
char32_t small_letter(char32_t c) {
    if ((c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F)) return c + 0x20;
    if (c >= 0x400 && c <= 0x40F) return c + 0x50;
    return c;
}

// A letter of two bytes, as all small Greek and Cyrillic ones are.
void append_two_bytes(std::string& text, char32_t c) {
    text += static_cast<char>(0xC0U | (c >> 6U));
    text += static_cast<char>(0x80U | (c & 0x3FU));
}

// Non-ASCII characters that part words: the no-break space, general punctuation, CJK punctuation.
bool is_wide_punctuation(char32_t c) {
    return (c >= 0xA0 && c <= 0xBF && c != 0xAA && c != 0xB5 && c != 0xBA) ||
           (c >= 0x2000 && c <= 0x206F) || (c >= 0x3000 && c <= 0x303F) || c == 0xD7 || c == 0xF7 ||
           c == 0x60C || c == 0x61B || c == 0x61F || c == 0x6D4 || c == 0x964 || c == 0x30FB ||
           (c >= 0xFF01 && c <= 0xFF0F) || (c >= 0xFF1A && c <= 0xFF1F);
}

bool is_word_character(char32_t c) {
    if (c < 0x80) {
        const char ascii = static_cast<char>(c);
        return is_digit(ascii) || is_lower(ascii) || is_upper(ascii);
    }
    return !is_wide_punctuation(c);
}

std::string_view shortened(std::string_view word) {
    if (word == "saint" || word == "sankt") return "st";
    if (word == "sainte") return "ste";
    if (word == "mount") return "mt";
    if (word == "fort") return "ft";
    return word;
}

// Words that a full stop shortens without ending a sentence.
bool is_abbreviation(std::string_view key) {
    static constexpr std::string_view words[] = {
        "st", "ste", "mt", "ft", "sen", "gov", "rep", "gen", "dr", "mr", "mrs", "ms", "col", "lt",
        "sgt", "cpt", "rev", "no", "prof", "capt",
        // provinces and states
        "ala", "ariz", "calif", "colo", "conn", "fla", "ill", "ind", "kan", "mich", "minn", "mont",
        "neb", "nev", "okla", "tenn", "tex", "wis", "wyo", "sask", "alta", "ont", "tas", "qld"};
    return key.size() == 1 || std::find(std::begin(words), std::end(words), key) != std::end(words);
}

char separator_of(char32_t c) {
    switch (c) {
        case U'.':
        case U'!':
        case U'?':
        case U'<':
        case U'>':
        case 0x2022:
            return '.';
        case U'(':
        case U')':
        case U'[':
        case U']':
        case U':':
        case U';':
        case U'|':
        case 0x2013:
        case 0x2014:
            return '(';
        case U',':
            return ',';
        case U'-':
        case U'/':
        case 0x2010:
        case 0x2011:
            return '-';
        case U'"':
        case 0x201C:
        case 0x201D:
            return '"';
        default:
            return ' ';
    }
}

int strength(char separator) {
    switch (separator) {
        case '.':
            return 5;
        case '(':
            return 4;
        case ',':
            return 3;
        case '"':
            return 2;
        case '-':
            return 1;
        default:
            return 0;
    }
}

// Reads the tokens of one text, left to right.
class Tokeniser {
  public:
    Tokeniser(std::string_view text, const Folding& folding) : text_(text), folding_(folding) {}

    std::vector<Token> run() {
        while (position_ < text_.size()) {
            if (skip_markup()) continue;
            const Decoded next = decode(text_, position_);
            if (is_word_character(next.code)) {
                read_word();
            } else {
                part(next);
            }
        }
        return std::move(tokens_);
    }

  private:
    // A tag parts sentences; a "<" that no ">" follows soon is a sign of its own.
    bool skip_markup() {
        if (text_[position_] == '<') {
            const std::size_t end = text_.substr(position_, 200).find('>');
            if (end == std::string_view::npos || end < 2) return false;
            position_ += end + 1;
            separator_ = '.';
            return true;
        }
        if (text_[position_] != '&') return false;
        const std::size_t end = text_.substr(position_, 10).find(';');
        const bool ampersand =
            end == std::string_view::npos || text_.substr(position_, 5) == "&amp;";
        if (ampersand) {
            position_ += end == std::string_view::npos ? 1 : end + 1;
            if (position_ < text_.size() && text_[position_] == ' ') add_word("and", "and");
        } else {
            position_ += end + 1;
        }
        return true;
    }

    void part(Decoded next) {
        char separator = separator_of(next.code);
        const bool spaced = position_ == 0 || text_[position_ - 1] == ' ';
        const std::size_t after = position_ + next.bytes;
        const bool space_after = after >= text_.size() || text_[after] == ' ';
        if (separator == '-' && spaced && space_after) separator = '(';
        if (next.code == U'.' && !tokens_.empty() && separator_ == ' ')
            tokens_.back().dotted = true;
        if (separator == '.' && next.code == U'.') separator = full_stop(after, space_after);
        if (strength(separator) > strength(separator_)) separator_ = separator;
        position_ = after;
    }

    // A full stop inside a number or behind an abbreviation ends no sentence.
    char full_stop(std::size_t after, bool space_after) const {
        if (!space_after && after < text_.size() && is_digit(text_[after])) return '-';
        const bool abbreviation = !tokens_.empty() && separator_ == ' ' && tokens_.back().capital &&
                                  is_abbreviation(tokens_.back().key);
        return abbreviation ? ' ' : '.';
    }

    // "U.S." and "D.R.C." are one word. Returns its end, or npos.
    std::size_t dotted_acronym_end() const {
        std::size_t i = position_;
        while (i + 1 < text_.size() && is_upper(text_[i]) && text_[i + 1] == '.') i += 2;
        if (i - position_ < 4 || (i < text_.size() && is_lower(text_[i]))) return std::string::npos;
        return i;
    }

    void read_word() {
        const std::size_t acronym_end = dotted_acronym_end();
        if (acronym_end != std::string_view::npos) {
            std::string letters;
            for (std::size_t i = position_; i < acronym_end; i += 2) letters += text_[i];
            position_ = acronym_end;
            add_word(letters, letters);
            tokens_.back().acronym_dotted = true;
            return;
        }
        const std::size_t start = position_;
        while (position_ < text_.size()) {
            const Decoded next = decode(text_, position_);
            if (is_unspaced(next.code)) {
                if (position_ == start) position_ += next.bytes;
                break;
            }
            const bool inner_apostrophe = is_apostrophe(next.code) && position_ > start;
            if (!is_word_character(next.code) && !inner_apostrophe) break;
            position_ += next.bytes;
        }
        const std::string_view whole = text_.substr(start, position_ - start);
        add_word(whole, without_possessive(whole));
    }

    static std::string_view without_possessive(std::string_view word) {
        for (const std::string_view ending : {"'s", "\u2019s", "'S", "\u2019S"}) {
            if (word.size() > ending.size() && word.ends_with(ending)) {
                return word.substr(0, word.size() - ending.size());
            }
        }
        return word;
    }

    void add_word(std::string_view whole, std::string_view stem) {
        Token token{};
        token.key = folding_.word(stem);
        token.separator = tokens_.empty() ? '.' : separator_;
        token.capital = folding_.starts_with_capital(stem);
        token.number = is_digit(stem.front());
        std::size_t upper = 0;
        for (const char c : stem) upper += is_upper(c) ? 1U : 0U;
        token.all_capitals = upper >= 2 && std::none_of(stem.begin(), stem.end(), is_lower);
        add_elision(token, whole);
        separator_ = ' ';
        if (!token.key.empty()) tokens_.push_back(std::move(token));
    }

    void add_elision(Token& token, std::string_view whole) const {
        if (whole.size() < 4 || std::string_view("dlDL").find(whole[0]) == std::string_view::npos) {
            return;
        }
        const Decoded second = decode(whole, 1);
        if (!is_apostrophe(second.code)) return;
        const std::string_view rest = whole.substr(1 + second.bytes);
        if (!folding_.starts_with_capital(rest)) return;
        token.elided = folding_.word(without_possessive(rest));
        token.capital = true;
    }

    std::string_view text_;
    const Folding& folding_;
    std::size_t position_ = 0;
    char separator_ = '.';
    std::vector<Token> tokens_;
};

// Short words say little: headlines in title case write "in" and "of" small.
Letters letters_of(const std::vector<Token>& tokens) {
    std::size_t words = 0;
    std::size_t capital = 0;
    std::size_t upper = 0;
    std::size_t any_capital = 0;
    for (const Token& token : tokens) {
        any_capital += token.capital ? 1U : 0U;
        if (token.number || token.key.size() < 4) continue;
        ++words;
        capital += token.capital ? 1U : 0U;
        upper += token.all_capitals ? 1U : 0U;
    }
    if (any_capital == 0) return Letters::lower;
    if (words == 0) return Letters::mixed;
    if (upper * 10 >= words * 6) return Letters::upper;
    return words >= 4 && capital * 10 >= words * 8 ? Letters::title : Letters::mixed;
}

}  // namespace

void Folding::add(std::string_view plain, std::string_view letters, bool capital) {
    for (std::size_t i = 0; i < letters.size();) {
        const Decoded letter = decode(letters, i);
        if (letter.code >= letters_.size()) letters_.resize(letter.code + 1);
        letters_[letter.code] = {std::string(plain), capital};
        i += letter.bytes;
    }
}

// Appends the folded word, shortened if it is one of those.
void Folding::append_word(std::string& key, std::string_view text) const {
    const std::size_t start = key.size();
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (static_cast<unsigned char>(c) < 0x80) {
            if (is_upper(c)) {
                key += static_cast<char>(c + ('a' - 'A'));
            } else if (is_lower(c) || is_digit(c)) {
                key += c;
            }
            ++i;
            continue;
        }
        const Decoded letter = decode(text, i);
        if (const Letter* known = find(letter.code)) {
            key += known->plain;
        } else if (is_other_capital(letter.code)) {
            append_two_bytes(key, small_letter(letter.code));
        } else if (!is_apostrophe(letter.code) && !is_combining(letter.code)) {
            key += text.substr(i, letter.bytes);
        }
        i += letter.bytes;
    }
    const std::string_view folded = std::string_view(key).substr(start);
    const std::string_view short_form = shortened(folded);
    if (short_form.size() < folded.size()) {
        // What shortened() gives is a literal or the word itself, so that this copies no own bytes.
        key.replace(start, std::string::npos, short_form);
    }
}

std::string Folding::word(std::string_view text) const {
    std::string key;
    append_word(key, text);
    return key;
}

std::string Folding::name(std::string_view text) const {
    std::string key;
    key.reserve(text.size());
    std::size_t start = 0;
    const auto finish = [&](std::size_t end) {
        if (end <= start) return;
        const std::size_t before = key.size();
        if (before > 0) key += ' ';
        const std::size_t word_start = key.size();
        append_word(key, text.substr(start, end - start));
        if (key.size() == word_start) key.resize(before);
    };
    std::size_t i = 0;
    while (i < text.size()) {
        if (is_lower(text[i])) {  // most are
            ++i;
            continue;
        }
        const Decoded letter = decode(text, i);
        // The dots of "U.S." part no words, those of "St. Louis" do.
        const bool inner_dot = letter.code == U'.' && i > 0 && i + 1 < text.size() &&
                               is_upper(text[i - 1]) && is_upper(text[i + 1]);
        const bool inside =
            inner_dot || is_word_character(letter.code) || is_apostrophe(letter.code);
        if (is_unspaced(letter.code)) {
            finish(i);
            start = i;
            finish(i + letter.bytes);
            start = i + letter.bytes;
        } else if (!inside) {
            finish(i);
            if (letter.code == U'&') key += key.empty() ? "and" : " and";
            start = i + letter.bytes;
        }
        i += letter.bytes;
    }
    finish(text.size());
    return key;
}

bool Folding::starts_with_capital(std::string_view text) const {
    if (text.empty()) return false;
    if (static_cast<unsigned char>(text[0]) < 0x80) return is_upper(text[0]);
    const char32_t first = decode(text, 0).code;
    const Letter* known = find(first);
    return known != nullptr ? known->capital : is_other_capital(first);
}

std::uint64_t key_hash(std::string_view key, std::uint64_t hash) {
    for (const char c : key) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    }
    return hash;
}

std::uint64_t key_hash_next_word(std::uint64_t hash, std::string_view word) {
    return key_hash(word, key_hash(" ", hash));
}

TokenText tokenise(std::string_view text, const Folding& folding) {
    TokenText result;
    result.tokens = Tokeniser(text.substr(0, text_bytes_max), folding).run();
    result.letters = letters_of(result.tokens);
    return result;
}

}  // namespace headpond::ingest
