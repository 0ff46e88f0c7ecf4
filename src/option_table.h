// The one table of options: it gives Options::set and from_env, the settings in the file, --help
// and the README's table.
#pragma once

#include "engine/settings.h"
#include "store/rows.h"

#include <headpond/options.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace headpond {

enum class OptionKind { count, time, word, text };

using OptionMember =
    std::variant<std::optional<std::int64_t> Options::*, std::optional<Ms> Options::*,
                 std::optional<bool> Options::*, std::optional<Overflow> Options::*,
                 std::optional<StaleFrom> Options::*, std::optional<Keys> Options::*, Ms Options::*,
                 Durability Options::*, std::string Options::*>;

// Raw values are counts, bytes, milliseconds, or the index of a word.
struct OptionRow {
    std::string_view name;
    std::string_view variable;  // after the prefix; empty: the name in capitals
    OptionKind kind;
    std::string_view unit;
    std::int64_t minimum, maximum, initial;
    std::string_view words;  // joined by '|', in the order of their values
    OptionMember member;
    std::int64_t engine::Settings::*setting;  // null: of the process
    std::string_view about;

    [[nodiscard]] bool in_file() const noexcept { return setting != nullptr; }
    [[nodiscard]] std::string variable_name() const;
    [[nodiscard]] std::string allowed() const;
    // Text as one would write it; times in seconds.
    [[nodiscard]] std::string format(std::int64_t raw) const;
    // Throws Error misuse, naming `shown_as`, the value and what is allowed.
    [[nodiscard]] std::int64_t parse(std::string_view text, std::string_view shown_as) const;
    // As a row of `settings`.
    [[nodiscard]] store::SettingRow setting_row(std::int64_t raw, store::Millis at,
                                                std::string_view by) const;
};

[[nodiscard]] std::span<const OptionRow> option_table();
// Throws misuse for a name that is none.
[[nodiscard]] const OptionRow& option_row(std::string_view name, std::string_view operation);

// What Options sets of this row; nullopt: nothing, or an option that has no raw value (text).
[[nodiscard]] std::optional<std::int64_t> get_option(const Options& options, const OptionRow& row);
void set_option(Options& options, const OptionRow& row, std::int64_t raw);
// Throws misuse where a value that was set in code is out of its range.
void check_options(const Options& options);

// The file's rows as settings. Throws misuse for a value that is not allowed (a hand edit that the
// table's CHECK let through).
[[nodiscard]] engine::Settings read_settings(const std::vector<store::SettingRow>& rows);

}  // namespace headpond
