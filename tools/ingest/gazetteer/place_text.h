// A text in words, folded for comparison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::ingest {

// Turns names and words into comparison keys: lower case, accents removed, apostrophes dropped,
// words parted by one blank, "Saint", "Mount" and "Fort" shortened. Letters of other scripts are
// kept as they are. Const use is thread-safe.
class Folding {
  public:
    // Each of the accented letters (UTF-8) is folded to plain from now on.
    void add(std::string_view plain, std::string_view letters, bool capital);

    // The key of one word: no blanks, no punctuation.
    std::string word(std::string_view text) const;

    // The key of a whole name.
    std::string name(std::string_view text) const;

    // Whether the word at the start of text begins with a capital letter, as far as is known: ASCII
    // the accented letters that were added, Greek and Cyrillic. Other scripts have no capitals.
    bool starts_with_capital(std::string_view text) const;

  private:
    struct Letter {
        std::string plain;
        bool capital = false;
    };

    const Letter* find(char32_t code) const {
        return code < letters_.size() && !letters_[code].plain.empty() ? &letters_[code] : nullptr;
    }
    void append_word(std::string& key, std::string_view text) const;

    std::vector<Letter> letters_;  // by code point; up to the last accented Latin letter
};

// One word of a text.
struct Token {
    std::string key;      // folded; a possessive 's is removed
    std::string elided;   // for "l'Iran" and "d'Haiti": the key without the article, else empty
    char separator;       // what stands before it: ' ', '-', ',', '(' (also dashes and colons), '.'
    bool capital;         // begins with a capital letter
    bool all_capitals;    // two letters or more, all of them capitals
    bool acronym_dotted;  // "U.S."
    bool number;          // begins with a digit
    bool dotted;          // a full stop follows: "Calif."
};

// How a text uses capitals, which decides what a capital letter is worth as a sign of a name.
enum class Letters { mixed, title, upper, lower };

struct TokenText {
    std::vector<Token> tokens;
    Letters letters = Letters::mixed;
};

// Splits a text into words. Markup (<tag>) parts sentences and is dropped, the common character
// entities are decoded. Reads at most text_bytes_max bytes, so that a page pasted into a summary
// costs no more than a paragraph.
inline constexpr std::size_t text_bytes_max = 2000;
TokenText tokenise(std::string_view text, const Folding& folding);

// The 64-bit FNV-1a hash of a key, and its extension by a blank and another word: the name index
// is probed word by word without building strings.
inline constexpr std::uint64_t key_hash_seed = 14695981039346656037ULL;
std::uint64_t key_hash(std::string_view key, std::uint64_t hash = key_hash_seed);
std::uint64_t key_hash_next_word(std::uint64_t hash, std::string_view word);

}  // namespace headpond::ingest
