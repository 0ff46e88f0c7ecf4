#include "option_table.h"

#include "engine/text.h"

#include <headpond/error.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace headpond {

namespace {

using engine::Settings;
constexpr std::int64_t second = 1000;
constexpr std::int64_t kibi = 1024;
constexpr std::int64_t mebi = kibi * kibi;
constexpr std::int64_t gibi = mebi * kibi;
constexpr std::int64_t year = 366LL * 24 * 3600 * second;
constexpr std::int64_t many = 1'000'000'000;

constexpr OptionRow count(std::string_view name, std::string_view variable, std::string_view unit,
                          std::int64_t minimum, std::int64_t maximum, std::int64_t initial,
                          std::optional<std::int64_t> Options::*member,
                          std::int64_t Settings::*setting, std::string_view about) {
    return {name, variable, OptionKind::count, unit, minimum, maximum, initial,
            "",   member,   setting,           about};
}
constexpr OptionRow time(std::string_view name, std::string_view variable, std::int64_t minimum,
                         std::int64_t maximum, std::int64_t initial, OptionMember member,
                         std::int64_t Settings::*setting, std::string_view about) {
    return {name,    variable, OptionKind::time, "s",     minimum, maximum,
            initial, "",       member,           setting, about};
}
constexpr OptionRow word(std::string_view name, std::string_view words, std::int64_t initial,
                         OptionMember member, std::int64_t Settings::*setting,
                         std::string_view about) {
    return {name, "", OptionKind::word, "", 0, 0, initial, words, member, setting, about};
}

using O = Options;
using S = Settings;

const std::array table{
    count("items_max", "MAX_BUFFER_SIZE", "items", 1, many, 1000, &O::items_max, &S::items_max,
          "items resident at once"),
    count("bytes_max", "", "bytes", 1, 1024 * gibi, 64 * mebi, &O::bytes_max, &S::bytes_max,
          "payload bytes resident at once"),
    count("payload_bytes_max", "", "bytes", 1, 500'000'000, mebi, &O::payload_bytes_max,
          &S::payload_bytes_max, "bytes of one payload or one result"),
    word("overflow", "evict_oldest|refuse|block", 0, &O::overflow, &S::overflow,
         "what an enqueue into a full queue does"),
    time("age_max", "MAX_BUFFER_AGE", 1, year, 3600 * second, &O::age_max, &S::age_max,
         "older items expire"),
    time("cleanup_interval", "CLEANUP_INTERVAL", 1, year, 900 * second, &O::cleanup_interval,
         &S::cleanup_interval, "time between cleanups"),
    count("cleanup_rows", "", "rows", 1, 100'000, 500, &O::cleanup_rows, &S::cleanup_rows,
          "rows that one cleanup transaction deletes"),
    count("attempts_max", "MAX_RETRIES", "attempts", 1, 1'000'000, 3, &O::attempts_max,
          &S::attempts_max, "deliveries of a batch before it is abandoned"),
    count("batch_items_max", "", "items", 1, 1'000'000, 25, &O::batch_items_max,
          &S::batch_items_max, "items in a batch"),
    count("batch_bytes_max", "", "bytes", 1, gibi, 8 * mebi, &O::batch_bytes_max,
          &S::batch_bytes_max, "payload bytes in a batch; one item always fits"),
    count("batch_items_due", "LOCATION_BATCH_THRESHOLD", "items", 1, many, 10, &O::batch_items_due,
          &S::batch_items_due, "ready items that make a batch due"),
    time("batch_linger", "BATCH_TIME_THRESHOLD_SECONDS", 0, year, 300 * second, &O::batch_linger,
         &S::batch_linger, "how long the oldest ready item waits for a fuller batch"),
    time("backoff_base", "", 0, year, second, &O::backoff_base, &S::backoff_base,
         "ceiling of the first retry's delay, doubled each attempt"),
    time("backoff_max", "", 0, year, 300 * second, &O::backoff_max, &S::backoff_max,
         "ceiling of every retry's delay"),
    time("release_delay_min", "", 0, year, second, &O::release_delay_min, &S::release_delay_min,
         "a released batch rests at least this long"),
    word("isolate_poison", "no|yes", 0, &O::isolate_poison, &S::isolate_poison,
         "split an exhausted batch, so that one item dies alone"),
    time("pending_max", "MAX_ALERT_BATCH_AGE", 1, year, 7200 * second, &O::pending_max,
         &S::pending_max, "a tracked item pending longer is stale"),
    word("stale_from", "queued|published", 0, &O::stale_from, &S::stale_from,
         "what pending_max counts from"),
    count("outcomes_max", "", "rows", 1, many, 10'000, &O::outcomes_max, &S::outcomes_max,
          "outcomes kept unread"),
    time("outcome_age_max", "", 1, year, 7200 * second, &O::outcome_age_max, &S::outcome_age_max,
         "unread outcomes are dropped after it"),
    count("dead_max", "", "rows", 1, many, 10'000, &O::dead_max, &S::dead_max, "dead letters kept"),
    time("dead_age_max", "", 1, year, 7 * 24 * 3600 * second, &O::dead_age_max, &S::dead_age_max,
         "dead letters are dropped after it"),
    word("keep_dropped", "no|yes", 0, &O::keep_dropped, &S::keep_dropped,
         "evicted and expired items become dead letters too"),
    count("attempts_kept", "", "rows", 1, many, 10'000, &O::attempts_kept, &S::attempts_kept,
          "rows of the table attempts"),
    count("breaker_failures", "", "releases", 1, 1'000'000, 5, &O::breaker_failures,
          &S::breaker_failures, "releases in a row that close the gate"),
    time("breaker_closed", "", 1, year, 30 * second, &O::breaker_closed, &S::breaker_closed,
         "how long the gate stays closed, doubled at each failed trial"),
    time("breaker_closed_max", "", 1, year, 900 * second, &O::breaker_closed_max,
         &S::breaker_closed_max, "ceiling of breaker_closed's doubling"),
    word(
        "keys", "unique|free|mapped", 0, &O::keys, &S::keys,
        "free: neither checked nor indexed; mapped: unique, checked in memory instead of an index"),
    count("wal_bytes_max", "", "bytes", 64 * kibi, gibi, 4 * mebi, &O::wal_bytes_max,
          &S::wal_bytes_max, "a log over this is checkpointed by the next writer"),
    count("file_bytes_max", "", "bytes", mebi, 1024 * gibi, 4 * gibi, &O::file_bytes_max,
          &S::file_bytes_max, "a file over this takes no newcomers"),
    count("disk_free_min", "", "bytes", 0, 1024 * gibi, 4 * mebi, &O::disk_free_min,
          &S::disk_free_min, "with less free disk no newcomers are taken"),
    OptionRow{"durability", "", OptionKind::word, "", 0, 0, 0, "power_loss|process_crash",
              &O::durability, nullptr, "what an acknowledged call survives"},
    time("lease_time", "", 1, 24 * 3600 * second, 60 * second, &O::lease_time, nullptr,
         "a lease lapses after it, unless extended"),
    time("turn_timeout", "", 1, 3600 * second, 5 * second, &O::turn_timeout, nullptr,
         "wait for the write lock, then the call fails as busy"),
    time("enqueue_timeout", "", 0, 24 * 3600 * second, 30 * second, &O::enqueue_timeout, nullptr,
         "overflow = block: wait for room, then refused"),
    OptionRow{"log_tag", "", OptionKind::text, "", 1, 40, 0, "", &O::log_tag, nullptr,
              "the word in brackets at the start of log lines"},
};

std::vector<std::string_view> split_words(std::string_view words) {
    std::vector<std::string_view> all;
    while (!words.empty()) {
        const auto end = words.find('|');
        all.push_back(words.substr(0, end));
        words = end == std::string_view::npos ? "" : words.substr(end + 1);
    }
    return all;
}

// Seconds with up to three decimals, without trailing zeros.
std::string seconds_text(std::int64_t milliseconds) {
    std::string text = std::to_string(milliseconds / second);
    const std::int64_t rest = std::abs(milliseconds % second);
    if (milliseconds < 0 && milliseconds > -second) text = "-" + text;
    if (rest == 0) return text;
    std::string decimals = std::to_string(rest + second).substr(1);
    while (decimals.back() == '0') decimals.pop_back();
    return text + "." + decimals;
}

std::string shown_value(std::string_view text) {
    constexpr std::size_t most = 60;
    return "'" + engine::clean(text, most) + (text.size() > most ? "...'" : "'");
}

// Plain decimal digits only: no sign, no exponent, no blanks.
std::optional<std::int64_t> parse_count(std::string_view text) {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

std::optional<std::int64_t> parse_seconds(std::string_view text) {
    const auto point = text.find('.');
    const auto whole = parse_count(text.substr(0, point));
    if (!whole || *whole < 0 || *whole > year) return std::nullopt;
    std::int64_t milliseconds = *whole * second;
    if (point == std::string_view::npos) return milliseconds;
    const std::string_view decimals = text.substr(point + 1);
    if (decimals.empty() || decimals.size() > 9 ||
        decimals.find_first_not_of("0123456789") != std::string_view::npos) {
        return std::nullopt;
    }
    std::int64_t scale = 100;
    for (const char digit : decimals.substr(0, 3)) {
        milliseconds += (digit - '0') * scale;
        scale /= 10;
    }
    return milliseconds;
}

void check_text(const OptionRow& row, std::string_view text, std::string_view shown_as) {
    const auto bytes = static_cast<std::int64_t>(text.size());
    if (bytes >= row.minimum && bytes <= row.maximum && engine::is_utf8(text)) return;
    throw Error(ErrorCode::misuse, "options", "",
                std::string(shown_as) + " is " + shown_value(text) + "; allowed: " + row.allowed());
}

// A number that was written in the shell may read 3600.0 or 1.0e-05.
std::int64_t parse_stored(const OptionRow& row, const std::string& text) {
    const std::string shown = "the file's setting " + std::string(row.name);
    if (row.kind != OptionKind::time || text.find_first_of(".eE") == std::string::npos) {
        return row.parse(text, shown);
    }
    char* end = nullptr;
    const double seconds = std::strtod(text.c_str(), &end);
    if (*end != '\0' || !(seconds >= 0) || seconds > static_cast<double>(year)) {
        return row.parse(text, shown);  // throws, naming it
    }
    const auto raw = static_cast<std::int64_t>(std::llround(seconds * static_cast<double>(second)));
    return row.parse(seconds_text(raw), shown);
}

}  // namespace

std::string OptionRow::variable_name() const {
    if (!variable.empty()) return std::string(variable);
    std::string text(name);
    std::transform(text.begin(), text.end(), text.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return text;
}

std::string OptionRow::allowed() const {
    switch (kind) {
        case OptionKind::count:
            return "a whole number from " + std::to_string(minimum) + " to " +
                   std::to_string(maximum);
        case OptionKind::time:
            return "seconds from " + seconds_text(minimum) + " to " + seconds_text(maximum) +
                   ", decimals allowed";
        case OptionKind::word: {
            std::string text;
            for (const auto one : split_words(words)) {
                text += (text.empty() ? "" : ", ") + std::string(one);
            }
            return text;
        }
        case OptionKind::text:
            return "text of " + std::to_string(minimum) + " to " + std::to_string(maximum) +
                   " bytes of UTF-8";
    }
    return {};
}

std::string OptionRow::format(std::int64_t raw) const {
    if (kind == OptionKind::time) return seconds_text(raw);
    if (kind == OptionKind::word) {
        const auto all = split_words(words);
        const auto index = static_cast<std::size_t>(raw);
        return std::string(index < all.size() ? all[index] : "?");
    }
    return std::to_string(raw);
}

std::int64_t OptionRow::parse(std::string_view text, std::string_view shown_as) const {
    std::optional<std::int64_t> raw;
    if (kind == OptionKind::word) {
        const auto all = split_words(words);
        const auto it = std::find(all.begin(), all.end(), text);
        if (it != all.end()) return it - all.begin();
    } else {
        raw = kind == OptionKind::time ? parse_seconds(text) : parse_count(text);
    }
    if (!raw || *raw < minimum || *raw > maximum) {
        throw Error(ErrorCode::misuse, "options", "",
                    std::string(shown_as) + " is " + shown_value(text) + "; allowed: " + allowed());
    }
    return *raw;
}

store::SettingRow OptionRow::setting_row(std::int64_t raw, store::Millis at,
                                         std::string_view by) const {
    store::SettingRow row;
    row.name = name;
    row.value = format(raw);
    row.unit = unit;
    if (kind == OptionKind::word) {
        row.allowed = words;
    } else {
        row.minimum = format(minimum);
        row.maximum = format(maximum);
    }
    row.changed_at = at;
    row.changed_by = by;
    return row;
}

std::span<const OptionRow> option_table() {
    return table;
}

const OptionRow& option_row(std::string_view name, std::string_view operation) {
    for (const OptionRow& row : table) {
        if (row.name == name) return row;
    }
    std::string all;
    for (const OptionRow& row : table) all += (all.empty() ? "" : ", ") + std::string(row.name);
    throw Error(ErrorCode::misuse, operation, "",
                "no option named " + shown_value(name) + "; allowed: " + all);
}

namespace {

struct Get {
    const Options& options;
    using Answer = std::optional<std::int64_t>;
    Answer operator()(std::optional<std::int64_t> Options::*m) const { return options.*m; }
    Answer operator()(std::optional<Ms> Options::*m) const {
        return options.*m ? Answer((options.*m)->count()) : std::nullopt;
    }
    template <class Word>  // bool and the enumerations
    Answer operator()(std::optional<Word> Options::*m) const {
        return options.*m ? Answer(static_cast<std::int64_t>(*(options.*m))) : std::nullopt;
    }
    Answer operator()(Ms Options::*m) const { return (options.*m).count(); }
    Answer operator()(Durability Options::*m) const {
        return static_cast<std::int64_t>(options.*m);
    }
    Answer operator()(std::string Options::* /*m*/) const { return std::nullopt; }
};

struct Set {
    Options& options;
    std::int64_t raw;
    void operator()(std::optional<std::int64_t> Options::*m) const { options.*m = raw; }
    void operator()(std::optional<Ms> Options::*m) const { options.*m = Ms{raw}; }
    template <class Word>  // bool and the enumerations
    void operator()(std::optional<Word> Options::*m) const {
        options.*m = static_cast<Word>(raw);
    }
    void operator()(Ms Options::*m) const { options.*m = Ms{raw}; }
    void operator()(Durability Options::*m) const { options.*m = static_cast<Durability>(raw); }
    void operator()(std::string Options::* /*m*/) const {}
};

}  // namespace

std::optional<std::int64_t> get_option(const Options& options, const OptionRow& row) {
    return std::visit(Get{options}, row.member);
}

void set_option(Options& options, const OptionRow& row, std::int64_t raw) {
    std::visit(Set{options, raw}, row.member);
}

void check_options(const Options& options) {
    for (const OptionRow& row : table) {
        if (row.kind == OptionKind::text) continue;
        const auto raw = get_option(options, row);
        if (!raw) continue;
        const auto words = static_cast<std::int64_t>(split_words(row.words).size());
        const bool fits = row.kind == OptionKind::word ? *raw >= 0 && *raw < words
                                                       : *raw >= row.minimum && *raw <= row.maximum;
        if (fits) continue;
        throw Error(
            ErrorCode::misuse, "options", "",
            std::string(row.name) + " is " + row.format(*raw) + "; allowed: " + row.allowed());
    }
    check_text(option_row("log_tag", "options"), options.log_tag, "log_tag");
}

engine::Settings read_settings(const std::vector<store::SettingRow>& rows) {
    engine::Settings settings;
    for (const OptionRow& row : table) {
        if (!row.in_file()) continue;
        const auto it = std::find_if(rows.begin(), rows.end(),
                                     [&](const auto& one) { return one.name == row.name; });
        settings.*row.setting = it == rows.end() ? row.initial : parse_stored(row, it->value);
    }
    return settings;
}

void Options::set(std::string_view name, std::string_view value) {
    const OptionRow& row = option_row(name, "options");
    if (row.kind == OptionKind::text) {
        check_text(row, value, name);
        log_tag = value;
        return;
    }
    set_option(*this, row, row.parse(value, name));
}

Options Options::from_env(std::string_view prefix) {
    Options options;
    for (const OptionRow& row : table) {
        const std::string variable = std::string(prefix) + row.variable_name();
        const char* value = std::getenv(variable.c_str());
        if (value == nullptr) continue;
        if (row.kind == OptionKind::text) {
            check_text(row, value, variable);
            options.log_tag = value;
            continue;
        }
        set_option(options, row, row.parse(value, variable));
    }
    return options;
}

std::vector<OptionDoc> option_docs() {
    std::vector<OptionDoc> docs;
    static const std::vector<std::string>& variables = *[] {
        auto* all = new std::vector<std::string>;
        for (const OptionRow& row : table) all->push_back(row.variable_name());
        return all;
    }();
    for (std::size_t i = 0; i < table.size(); ++i) {
        const OptionRow& row = table[i];
        docs.push_back({.name = row.name,
                        .variable = variables[i],
                        .unit = row.unit,
                        .default_value = row.kind == OptionKind::text ? Options{}.log_tag
                                                                      : row.format(row.initial),
                        .allowed = row.allowed(),
                        .about = row.about,
                        .in_file = row.in_file()});
    }
    return docs;
}

}  // namespace headpond
