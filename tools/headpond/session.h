// What the commands share: the database, the result stream, and how commands and options are
// declared.
#pragma once

#include "output.h"

#include <headpond/options.h>
#include <headpond/queue.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace headpond::cli {

// The Nagios order.
enum class Exit { ok = 0, warning = 1, critical = 2, failure = 3 };

// One run of the program. Not thread-safe; outlives the parser that refers to it.
class Session {
  public:
    // Which file; from --db, else HEADPOND_DB. Throws UsageError where there is none, or two.
    [[nodiscard]] std::filesystem::path database() const;
    // The process-level options of HEADPOND_ variables, the path, and a log on stderr. File-level
    // variables are checked and left out: `settings set` alone changes the file (rule 16).
    [[nodiscard]] Options options(Migrate migrate) const;
    [[nodiscard]] Queue open(Migrate migrate = Migrate::require_newest) const;

    bool json = false;                   // --json was given
    Output out;                          // stdout
    std::vector<std::string> databases;  // the values of --db, as given
    std::function<Exit()> action;        // what the parsed command does
};

// Declares a command with --db and --json.
CLI::App& add_command(CLI::App& parent, Session& session, const std::string& name,
                      const std::string& about);

using Text = std::optional<std::string>;
// Declares an option or a positional that takes one text, kept in `target`; `shape` is shown in
// help
// ("TEXT", "S"). Commands check the text themselves, so that every message says what is allowed.
CLI::Option* add_text(CLI::App& command, const std::string& name, Text& target,
                      const std::string& shape, const std::string& about);
// Declares a flag that may be given once.
CLI::Option* add_switch(CLI::App& command, const std::string& name, bool& target,
                        const std::string& about);

// One line on stderr. Control characters become '?', so that a message stays one line.
void complain(std::string_view text);

// Says on stderr that a list went no further than `last`, and how to go on.
void complain_more(const std::string& what, std::int64_t last);

// Who changes something by hand: user@host.
[[nodiscard]] std::string author();

// One group of commands each.
void add_batches_command(CLI::App& app, Session& session);
void add_dead_commands(CLI::App& app, Session& session);
void add_enqueue_command(CLI::App& app, Session& session);
void add_gate_commands(CLI::App& app, Session& session);
void add_item_commands(CLI::App& app, Session& session);
void add_lease_command(CLI::App& app, Session& session);
void add_settle_commands(CLI::App& app, Session& session);
void add_settings_commands(CLI::App& app, Session& session);
void add_upkeep_commands(CLI::App& app, Session& session);

}  // namespace headpond::cli
