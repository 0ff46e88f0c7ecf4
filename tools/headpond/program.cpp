#include "program.h"

#include "arguments.h"
#include "input.h"
#include "output.h"
#include "session.h"
#include "usage.h"
#include "utf8.h"

#include <headpond/error.h>
#include <headpond/version.h>

#include <clocale>
#include <iostream>
#include <new>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace headpond::cli {

namespace {

constexpr const char* exit_codes =
    "Exit codes: 0 ok, 1 nothing to do or a warning, 2 critical or corrupt, 3 usage or failure";

// Made from the option table: what a process may set.
std::string environment_text() {
    std::string text =
        "\nEnvironment:\n  HEADPOND_DB\n      the database file, where --db is absent\n";
    for (const OptionDoc& one : option_docs()) {
        if (one.in_file) continue;
        const std::string unit = one.unit.empty() ? "" : " " + std::string(one.unit);
        text += "  HEADPOND_" + std::string(one.variable) + " (" + one.default_value + unit +
                ")\n      " + std::string(one.about) + "; " + one.allowed + "\n";
    }
    return text +
           "  Variables of settings that live in the file are checked and not applied here: only\n"
           "  `headpond settings set` changes the file.\n\n"
           "enqueue, `settings set` and migrate create a missing file; every other command needs "
           "one.\n";
}

void declare(CLI::App& app, Session& session) {
    app.description("A bounded, persistent, batch-leasing queue in an SQLite file.");
    app.footer(exit_codes);  // the commands inherit it, and the width
    constexpr std::size_t options_width = 24, commands_width = 12;
    app.get_formatter()->column_width(options_width);
    app.require_subcommand(1, 1);
    app.set_version_flag("--version", "headpond " + std::to_string(HEADPOND_VERSION_MAJOR) + "." +
                                          std::to_string(HEADPOND_VERSION_MINOR) + "." +
                                          std::to_string(HEADPOND_VERSION_PATCH));
    app.add_option_function<std::string>(
           "--db", [&session](const std::string& value) { session.databases.push_back(value); },
           "The database file; before or after the command")
        ->type_name("FILE");
    add_switch(app, "--json", session.json, "Print JSON");
    add_enqueue_command(app, session);
    add_lease_command(app, session);
    add_settle_commands(app, session);
    add_item_commands(app, session);
    add_batches_command(app, session);
    add_dead_commands(app, session);
    add_gate_commands(app, session);
    add_settings_commands(app, session);
    add_upkeep_commands(app, session);
    app.footer(exit_codes + ("\n" + environment_text()));
    app.formatter(std::make_shared<CLI::Formatter>());
    app.get_formatter()->column_width(commands_width);
}

// The innermost command that was recognised.
const CLI::App& reached(const CLI::App& app) {
    const auto parsed = app.get_subcommands();
    return parsed.empty() ? app : reached(*parsed.back());
}

std::string full_name(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    return parent == nullptr ? "headpond" : full_name(*parent) + " " + command.get_name();
}

std::string names_of(const std::vector<const CLI::App*>& commands) {
    std::string names;
    for (const CLI::App* one : commands) names += (names.empty() ? "" : ", ") + one->get_name();
    return names;
}

// The parser's complaint as one line: what was wrong, what is allowed.
std::string usage_line(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App& command = reached(app);
    const std::string help = "`" + full_name(command) + " --help`";
    const std::string said = error.what();
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
        const std::string name = said.substr(0, said.find(':'));
        if (said.find("At Most") != std::string::npos) {
            return name + " is given more than once; allowed: once";
        }
        if (const auto line = flag_with_value(said)) return *line;
        return name + " has no value; allowed: " + name + " VALUE, see " + help;
    }
    const auto below = command.get_subcommands([](const CLI::App*) { return true; });
    const bool wants_command = command.get_require_subcommand_min() > 0;
    const std::string allowed =
        "; allowed: " + (wants_command ? names_of(below) + ", see " : "see ") + help;
    const auto extra = command.remaining();
    if (!extra.empty()) {
        const std::string& first = extra.front();
        if (first.size() > 1 && first.starts_with("-") && first != "--") {
            return "no option " + shown(first) + allowed +
                   ", and -- before a value that begins with a dash";
        }
        return (below.empty() ? "unexpected argument " : "no command ") + shown(first) + allowed;
    }
    return (wants_command ? full_name(command) + " needs a command" : said) + allowed;
}

// The parser takes the next argument for the value of `--name=`: whoever writes that means "".
void refuse_empty_values(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view text = argv[i];
        if (text == "--") return;
        if (text.starts_with("--") && text.ends_with("=") && text.find('=') == text.size() - 1) {
            throw UsageError(shown(text) + " has no value; allowed: " +
                             std::string(text.substr(0, text.size() - 1)) + " VALUE");
        }
    }
}

// A closed descriptor 0, 1 or 2 would go to the next file that is opened, and a message into the
// database. Each is filled so that using it fails.
void fill_closed_descriptors() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(fd, F_GETFD) >= 0) continue;
        // Answers the lowest free number, which is fd.
        [[maybe_unused]] const int filled =
            ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

// The arguments parsed, and the action run.
Exit execute(Session& session, int argc, char** argv) {
    CLI::App app("", "headpond");
    declare(app, session);
    refuse_empty_values(argc, argv);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForVersion& version) {
        session.out.line(version.what());
        session.out.flush();
        return Exit::ok;
    } catch (const CLI::CallForHelp&) {
        session.out.line(app.help());
        session.out.flush();
        return Exit::ok;
    } catch (const CLI::ParseError& error) {
        throw UsageError(usage_line(app, error));
    }
    Output::require_open();
    const Exit exit = session.action();
    session.out.flush();
    return exit;
}

Exit guarded(Session& session, int argc, char** argv) {
    try {
        return execute(session, argc, argv);
    } catch (const Error& error) {
        complain(error.what());
        return error.code() == ErrorCode::corrupt ? Exit::critical : Exit::failure;
    } catch (const std::bad_alloc&) {
        complain("out of memory");
    } catch (const std::exception& error) {
        // UsageError, InputError, OutputError, and what the standard library throws.
        complain(error.what());
    }
    return Exit::failure;
}

}  // namespace

int run(int argc, char** argv) noexcept {
    fill_closed_descriptors();
    // A closed pipe is an error like any other, with a line on stderr.
    ::signal(SIGPIPE, SIG_IGN);
    // And so is a file that would grow over the limit of `ulimit -f`.
    ::signal(SIGXFSZ, SIG_IGN);
    // For the width of characters only.
    std::setlocale(LC_CTYPE, "C.UTF-8");
    Session session;
    return static_cast<int>(guarded(session, argc, argv));
}

}  // namespace headpond::cli
