#include "session.h"

#include "arguments.h"
#include "utf8.h"

#include <array>
#include <cstdlib>
#include <iostream>

#include <pwd.h>
#include <unistd.h>

namespace headpond::cli {

std::filesystem::path Session::database() const {
    if (databases.size() > 1) throw UsageError("--db is given twice; allowed: once");
    if (!databases.empty()) {
        const std::string& path = databases.front();
        if (path.starts_with("-")) {
            throw UsageError("--db has the value " + shown(path) +
                             "; allowed: the path of a file (./ before a leading dash)");
        }
        return path;
    }
    const char* variable = std::getenv("HEADPOND_DB");
    if (variable == nullptr) {
        throw UsageError("no database is named; allowed: --db FILE, or the variable HEADPOND_DB");
    }
    return variable;
}

Options Session::options(Migrate migrate) const {
    const Options given = Options::from_env("HEADPOND_");
    Options options;
    options.durability = given.durability;
    options.lease_time = given.lease_time;
    options.turn_timeout = given.turn_timeout;
    options.enqueue_timeout = given.enqueue_timeout;
    options.log_tag = given.log_tag;
    options.path = database();
    options.migrate = migrate;
    options.log = [](LogLevel level, std::string_view line) {
        if (level != LogLevel::debug) std::cerr << one_line(line) << '\n';
    };
    return options;
}

Queue Session::open(Migrate migrate) const {
    return Queue(options(migrate));
}

CLI::App& add_command(CLI::App& parent, Session& session, const std::string& name,
                      const std::string& about) {
    CLI::App& command = *parent.add_subcommand(name, about);
    command
        .add_option_function<std::string>(
            "--db", [&session](const std::string& value) { session.databases.push_back(value); },
            "The database file; else the variable HEADPOND_DB")
        ->type_name("FILE");
    add_switch(command, "--json", session.json, "Print JSON");
    return command;
}

CLI::Option* add_text(CLI::App& command, const std::string& name, Text& target,
                      const std::string& shape, const std::string& about) {
    const auto keep = [&command, &target, name](const std::string& value) {
        // The parser takes whatever follows: an option of this command was hardly meant as a value.
        if (value.starts_with("--") && command.get_option_no_throw(value) != nullptr &&
            name.starts_with("-")) {
            throw UsageError(name + " has no value, " + value + " follows; allowed: " + name +
                             " VALUE");
        }
        target = value;
    };
    return command.add_option_function<std::string>(name, keep, about)->type_name(shape);
}

CLI::Option* add_switch(CLI::App& command, const std::string& name, bool& target,
                        const std::string& about) {
    return command
        .add_flag_function(
            name, [&target](std::int64_t) { target = true; }, about)
        ->disable_flag_override()
        ->multi_option_policy(CLI::MultiOptionPolicy::Throw);
}

void complain(std::string_view text) {
    std::cerr << "headpond: " << one_line(text) << '\n';
}

void complain_more(const std::string& what, std::int64_t last) {
    complain("more " + what + " follow; go on with --after " + std::to_string(last));
}

std::string author() {
    std::array<char, 256> host{};
    if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
    const passwd* entry = getpwuid(geteuid());
    const std::string user = entry != nullptr ? entry->pw_name : "uid" + std::to_string(geteuid());
    return user + "@" + host.data();
}

}  // namespace headpond::cli
