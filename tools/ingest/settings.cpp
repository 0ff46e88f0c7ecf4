#include "settings.h"

#include <headpond/error.h>
#include <headpond/version.h>

#include <algorithm>
#include <iostream>
#include <map>

#include <CLI/CLI.hpp>

namespace headpond::ingest {

namespace {

std::string dashed(std::string_view name) {
    std::string text(name);
    std::replace(text.begin(), text.end(), '_', '-');
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    });
    return text;
}

// The flag of an option: its name with dashes, and that of its variable where it differs.
std::string flags(const OptionDoc& doc) {
    const std::string name = "--" + dashed(doc.name);
    const std::string variable = "--" + dashed(doc.variable);
    return name == variable ? name : name + "," + variable;
}

void add_limits(CLI::App& app, std::map<std::string, std::string>& values) {
    for (const OptionDoc& doc : option_docs()) {
        const std::string unit = doc.unit.empty() ? "" : " [" + std::string(doc.unit) + "]";
        app.add_option(flags(doc), values[std::string(doc.name)],
                       std::string(doc.about) + unit + " (default " + doc.default_value +
                           ", variable MOONSHOT_" + std::string(doc.variable) + ")")
            ->type_name("VALUE")
            ->group("Limits");
    }
}

std::string version_text() {
    return "headpond-ingest " + std::to_string(HEADPOND_VERSION_MAJOR) + "." +
           std::to_string(HEADPOND_VERSION_MINOR) + "." + std::to_string(HEADPOND_VERSION_PATCH);
}

std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

}  // namespace

std::optional<IngestSettings> read_settings(int argc, const char* const* argv) {
    IngestSettings settings;
    // Before anything is created: a bad variable stops the start, whatever the flags say.
    settings.queue = Options::from_env("MOONSHOT_");
    settings.queue.log_tag = "Moonshot";
    CLI::App app(
        "Reads feeds, keeps their alerts in an SQLite file, and finds the place of those "
        "that carry no coordinates, in batches through a Headpond queue.",
        "headpond-ingest");
    app.set_version_flag("--version", version_text());
    app.add_option("FEED", settings.feeds,
                   "files in RSS, Atom or RDF; - is standard input; none: the bundled sample");
    app.add_option("--db", settings.database, "the SQLite file (default headpond.db)")
        ->type_name("FILE");
    app.add_option("--resolver", settings.resolver, "gazetteer, or none: every batch fails")
        ->type_name("NAME");
    app.add_flag("--hide-coordinates", settings.hide_coordinates,
                 "treat the feeds' coordinates as unknown, and report how well they were found");
    app.add_option("--output", settings.output, "write all alerts as NDJSON; - is standard output")
        ->type_name("FILE");
    app.add_flag("--json", settings.json, "the summary as one line of JSON");
    app.footer(
        "Exit codes: 0 the input is drained; 3 usage or failure.\n"
        "Limits that are set are kept in the file, for all its users.");
    std::map<std::string, std::string> limits;
    add_limits(app, limits);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& answer) {
        app.exit(answer, std::cout, std::cerr);
        return std::nullopt;
    } catch (const CLI::ParseError& error) {
        throw UsageError(one_line(error.what()) + "; allowed: see --help");
    }
    for (const OptionDoc& doc : option_docs()) {
        const std::string name(doc.name);
        if (app.count("--" + dashed(doc.name)) > 0) settings.queue.set(name, limits[name]);
    }
    if (settings.resolver != "gazetteer" && settings.resolver != "none") {
        throw UsageError("--resolver is '" + settings.resolver + "'; allowed: gazetteer, none");
    }
    settings.queue.path = settings.database;
    return settings;
}

}  // namespace headpond::ingest
