#include "arguments.h"

#include "../headpond/usage.h"
#include "../headpond/utf8.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iostream>
#include <random>

#include <CLI/CLI.hpp>

namespace headpond::bench {

namespace {

constexpr std::int64_t backlog_min = 1000, backlog_max = 50'000'000;
constexpr std::int64_t sync_delay_max = 1'000'000;  // a second
constexpr std::int64_t rounds_min = 5, rounds_max = 1000;

struct Typed {
    std::string works, backlogs, durabilities, rounds, sync_delay, seed, folder, json, svg;
    bool quick = false, growth = false, peers = false;
};

[[noreturn]] void refuse(std::string_view option, std::string_view text,
                         const std::string& allowed) {
    throw UsageError(std::string(option) + " is " + cli::shown(text) + "; allowed: " + allowed);
}

std::int64_t number(std::string_view option, std::string_view text, std::int64_t least,
                    std::int64_t most) {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value < least || value > most) {
        refuse(option, text,
               "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return value;
}

std::vector<std::string> parts(const std::string& text) {
    std::vector<std::string> all;
    std::size_t at = 0;
    for (;;) {
        const std::size_t comma = text.find(',', at);
        all.push_back(text.substr(at, comma - at));
        if (comma == std::string::npos) return all;
        at = comma + 1;
    }
}

std::string work_names() {
    std::string names;
    for (const Work& one : works()) names += (names.empty() ? "" : ", ") + std::string(one.name);
    return names;
}

std::vector<const Work*> chosen_works(const Typed& typed) {
    std::vector<std::string> names = parts(typed.works);
    for (const std::string& name : names) {
        const auto is_it = [&](const Work& one) { return one.name == name; };
        if (!typed.works.empty() && std::none_of(works().begin(), works().end(), is_it)) {
            refuse("--work", name, work_names());
        }
    }
    std::vector<const Work*> chosen;
    for (const Work& one : works()) {
        const bool named = std::find(names.begin(), names.end(), one.name) != names.end();
        const bool wanted = typed.works.empty() ? one.by_default : named;
        const bool switched =
            (typed.growth && one.name == "growth") || (typed.peers && one.name == "peers");
        if (wanted || switched) chosen.push_back(&one);
    }
    return chosen;
}

std::vector<std::int64_t> chosen_backlogs(const Typed& typed) {
    if (typed.backlogs.empty()) {
        if (typed.quick) return {1000, 100'000};
        return {1000, 100'000, 1'000'000};
    }
    std::vector<std::int64_t> backlogs;
    for (const std::string& text : parts(typed.backlogs)) {
        backlogs.push_back(number("--backlog", text, backlog_min, backlog_max));
    }
    std::sort(backlogs.begin(), backlogs.end());
    backlogs.erase(std::unique(backlogs.begin(), backlogs.end()), backlogs.end());
    return backlogs;
}

std::vector<Durability> chosen_durabilities(const Typed& typed) {
    constexpr std::array all{Durability::power_loss, Durability::process_crash};
    if (typed.durabilities.empty()) return {all.begin(), all.end()};
    const std::vector<std::string> names = parts(typed.durabilities);
    for (const std::string& name : names) {
        if (std::none_of(all.begin(), all.end(),
                         [&](Durability one) { return name_of(one) == name; })) {
            refuse("--durability", name, "power_loss, process_crash");
        }
    }
    std::vector<Durability> chosen;
    for (const Durability one : all) {
        if (std::find(names.begin(), names.end(), name_of(one)) != names.end()) {
            chosen.push_back(one);
        }
    }
    return chosen;
}

std::chrono::microseconds chosen_sync_delay(const Typed& typed,
                                            const std::vector<const Work*>& works) {
    if (typed.sync_delay.empty()) return {};
    const auto delay = number("--sync-delay", typed.sync_delay, 0, sync_delay_max);
    if (std::any_of(works.begin(), works.end(),
                    [](const Work* one) { return one->name == "peers"; })) {
        throw UsageError(
            "--sync-delay would slow the library and the floor, not the peers; allowed: without "
            "the work peers");
    }
    return std::chrono::microseconds(delay);
}

void declare(CLI::App& app, Typed& typed) {
    const auto text = [&](const char* name, std::string& value, const std::string& about,
                          const char* type) {
        app.add_option(name, value, about)->type_name(type);
    };
    const auto flag = [&](const char* name, bool& value, const std::string& about) {
        app.add_flag(name, value, about)->disable_flag_override();
    };
    flag("--quick", typed.quick, "under a minute: backlogs 1k and 100k, short rounds");
    text("--work", typed.works, "these alone, of: " + work_names(), "A,B");
    text("--backlog", typed.backlogs, "items in the queue (default 1000,100000,1000000)", "A,B");
    text("--durability", typed.durabilities, "power_loss, process_crash (default both)", "A,B");
    text("--rounds", typed.rounds, "interleaved rounds a row (default 9; with --quick 5)", "N");
    flag("--growth", typed.growth, "the work growth as well: many minutes, and 10 GB of disk");
    flag("--peers", typed.peers, "the work peers as well; tools/setup peers installs them");
    text("--sync-delay", typed.sync_delay,
         "every sync of an SQLite file takes so much longer: what a slower disk would cost", "US");
    text("--folder", typed.folder,
         "where a folder for the files is made, and removed at the end (default .)", "DIR");
    text("--seed", typed.seed, "of keys and payloads (default: a new one)", "N");
    text("--json", typed.json, "write the rows as JSON; - is standard output", "FILE");
    text("--svg", typed.svg, "plot cost against backlog", "FILE");
    std::string about = "Works:\n";
    for (const Work& one : works()) {
        about += "  " + std::string(one.name) + std::string(11 - one.name.size(), ' ') +
                 std::string(one.about) + "\n";
    }
    app.footer(about + "Exit codes: 0 measured, 3 usage or failure");
}

// The parser takes the next argument for the value of `--name=`: whoever writes that means "".
void refuse_empty_values(int argc, const char* const* argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view text = argv[i];
        const bool empty = text.empty() || (text.starts_with("--") && text.ends_with("="));
        if (empty) throw UsageError(cli::shown(text) + " has no value; allowed: see --help");
    }
}

}  // namespace

std::optional<Arguments> read_arguments(int argc, const char* const* argv) {
    Typed typed;
    CLI::App app("Measures the library against the floor: SQLite's C interface and one table.",
                 "headpond-bench");
    declare(app, typed);
    refuse_empty_values(argc, argv);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& answer) {
        app.exit(answer, std::cout, std::cerr);
        return std::nullopt;
    } catch (const CLI::ParseError& error) {
        throw UsageError(cli::usage_line(error.what()));
    }
    Arguments arguments;
    arguments.works = chosen_works(typed);
    Scope& scope = arguments.scope;
    scope.backlogs = chosen_backlogs(typed);
    scope.durabilities = chosen_durabilities(typed);
    if (typed.quick) {
        scope.rounds = {.count = 5, .seconds = 0.05, .calls_min = 4};
        scope.team_seconds = 0.3;
        scope.growth_calls = 100;
    }
    if (!typed.backlogs.empty()) scope.growth_backlog = scope.backlogs.back();
    if (!typed.rounds.empty()) {
        scope.rounds.count =
            static_cast<std::size_t>(number("--rounds", typed.rounds, rounds_min, rounds_max));
    }
    constexpr std::int64_t seed_max = 4'294'967'295;
    scope.seed = typed.seed.empty()
                     ? std::random_device{}()
                     : static_cast<std::uint64_t>(number("--seed", typed.seed, 0, seed_max));
    arguments.sync_delay = chosen_sync_delay(typed, arguments.works);
    if (!typed.folder.empty()) arguments.folder = typed.folder;
    if (!std::filesystem::is_directory(arguments.folder)) {
        refuse("--folder", arguments.folder.string(), "an existing folder");
    }
    arguments.json = typed.json;
    arguments.svg = typed.svg;
    if (arguments.svg == "-") refuse("--svg", typed.svg, "a path");
    const auto plotted = [](const Work* one) { return one->plotted; };
    if (!arguments.svg.empty() &&
        std::none_of(arguments.works.begin(), arguments.works.end(), plotted)) {
        std::string names;
        for (const Work& one : works()) {
            if (one.plotted) names += (names.empty() ? "" : ", ") + std::string(one.name);
        }
        throw UsageError("--svg has nothing to plot; allowed: with one of the works " + names);
    }
    return arguments;
}

}  // namespace headpond::bench
