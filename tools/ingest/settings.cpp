#include "settings.h"

#include "../headpond/usage.h"
#include "../headpond/utf8.h"

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

// The parser takes the next argument for the value of `--name=`: whoever writes that means "".
void refuse_empty_values(int argc, const char* const* argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view text = argv[i];
        if (text == "--") return;
        if (text.starts_with("--") && text.find('=') == text.size() - 1) {
            throw UsageError(cli::shown(text) + " has no value; allowed: " +
                             std::string(text.substr(0, text.size() - 1)) + " VALUE");
        }
    }
}

// An option has two flags where its variable's name differs: the one that was typed.
std::string typed_flag(const OptionDoc& doc, int argc, const char* const* argv) {
    const std::string variable = "--" + dashed(doc.variable);
    for (int i = 1; i < argc; ++i) {
        const std::string_view text = argv[i];
        if (text == "--") break;
        if (text.substr(0, text.find('=')) == variable) return variable;
    }
    return "--" + dashed(doc.name);
}

// Sets those that were given; a bad value is named by the flag that was typed.
void set_limits(const CLI::App& app, const std::map<std::string, std::string>& values,
                Options& options, int argc, const char* const* argv) {
    for (const OptionDoc& doc : option_docs()) {
        const std::string name(doc.name);
        if (app.count("--" + dashed(doc.name)) == 0) continue;
        try {
            options.set(name, values.at(name));
        } catch (const Error& error) {
            std::string said = error.message();
            if (said.starts_with(name)) {
                said.replace(0, name.size(), typed_flag(doc, argc, argv));
            }
            throw UsageError(said);
        }
    }
}

void require_sense(const CLI::App& app, const IngestSettings& settings) {
    const std::string& resolver = settings.resolver;
    if (resolver != "gazetteer" && resolver != "moonshot" && resolver != "none") {
        throw UsageError("--resolver is " + cli::shown(resolver) +
                         "; allowed: gazetteer, moonshot, none");
    }
    const std::string& tag = settings.queue.log_tag;
    if (cli::one_line(tag) != tag) {
        throw UsageError(
            std::string(app.count("--log-tag") > 0 ? "--log-tag" : "MOONSHOT_LOG_TAG") + " is " +
            cli::shown(tag) + ", with control characters; allowed: 1 to 40 " +
            "bytes of printable UTF-8");
    }
    if (std::count(settings.feeds.begin(), settings.feeds.end(), "-") > 1) {
        throw UsageError(
            "the feed - is given more than once; allowed: once, as standard input has "
            "one end");
    }
}

Ms seconds_of(const CLI::App& app, const std::string& flag, Ms least, Ms most, Ms otherwise) {
    if (app.count(flag) == 0) return otherwise;
    return cli::parse_seconds(flag, app[flag]->as<std::string>(), least, most);
}

void set_fetch(const CLI::App& app, const std::vector<std::string>& feeds, FetchSettings& fetch) {
    constexpr Ms hour{3'600'000};
    fetch.timeout = seconds_of(app, "--feed-timeout", Ms{100}, hour, fetch.timeout);
    fetch.connect_timeout = std::min(fetch.connect_timeout, fetch.timeout);
    fetch.host_delay = seconds_of(app, "--host-delay", Ms{0}, hour, fetch.host_delay);
    if (app.count("--feed-bytes-max") > 0) {
        fetch.bytes_max = static_cast<std::size_t>(cli::parse_count(
            "--feed-bytes-max", app["--feed-bytes-max"]->as<std::string>(), 1, 1 << 30));
    }
    if (app.count("--follow") == 0) return;
    fetch.follow = seconds_of(app, "--follow", Ms{1'000}, cli::day, Ms{0});
    if (feeds.empty() || std::count(feeds.begin(), feeds.end(), "-") > 0) {
        throw UsageError("--follow is given " +
                         std::string(feeds.empty() ? "without a feed" : "with the feed -") +
                         "; allowed: with addresses and files, which can be read again");
    }
}

void require_outputs(const CLI::App& app, IngestSettings& settings) {
    bool any = false;
    for (const char* option : {"--output", "--geojson", "--map"}) {
        if (app.count(option) == 0) continue;
        any = true;
        if (app[option]->as<std::string>().empty()) {
            throw UsageError(std::string(option) + " is ''; allowed: a writable path, or -");
        }
    }
    if (app.count("--since") == 0) return;
    const auto text = app["--since"]->as<std::string>();
    settings.since = parse_since(text);
    if (!settings.since) {
        throw UsageError("--since is " + cli::shown(text) +
                         "; allowed: " + std::string(since_allowed));
    }
    if (!any) {
        throw UsageError(
            "--since is given without an output; allowed: with --output, --geojson or --map");
    }
}

void add_feed_options(CLI::App& app, IngestSettings& settings) {
    app.add_option("FEED", settings.feeds,
                   "RSS, Atom or RDF: addresses (http, https), files; - is standard input; none: "
                   "the bundled sample");
    app.add_option("--follow", "read all feeds again every so many seconds, until a signal")
        ->type_name("SECONDS");
    app.add_option("--feed-bytes-max", "bytes of an address's feed, unpacked (default 16777216)")
        ->type_name("BYTES");
    app.add_option("--feed-timeout", "seconds for a whole answer (default 30)")
        ->type_name("SECONDS");
    app.add_option("--host-delay", "seconds between two requests to one host (default 1)")
        ->type_name("SECONDS");
    app.add_option("--db", settings.database, "the SQLite file (default headpond.db)")
        ->type_name("FILE");
    app.add_flag("--hide-coordinates", settings.hide_coordinates,
                 "treat the feeds' coordinates as unknown, and report how well they were found")
        ->disable_flag_override();
}

void add_resolver_options(CLI::App& app, IngestSettings& settings, MoonshotFlags& moonshot) {
    app.add_option("--resolver", settings.resolver,
                   "gazetteer, moonshot, or none: every batch fails (default gazetteer)")
        ->type_name("NAME");
    app.add_option("--workers", "batches that the resolver has at once (default 1)")
        ->type_name("N");
    moonshot.add_to(app);
}

void add_output_options(CLI::App& app, IngestSettings& settings) {
    app.add_option("--output", settings.output, "write all alerts as NDJSON; - is standard output")
        ->type_name("FILE");
    app.add_option("--geojson", settings.geojson, "write those with a position as GeoJSON; or -")
        ->type_name("FILE");
    app.add_option("--map", settings.map, "write a page with a map of all alerts; or -")
        ->type_name("FILE");
    app.add_option("--since", "write only alerts added since: 2026-11-24T08:00:00Z, 2026-11-24, 6h")
        ->type_name("WHEN");
    app.add_flag("--json", settings.json, "the summary as one line of JSON")
        ->disable_flag_override();
}

}  // namespace

std::optional<IngestSettings> read_settings(int argc, const char* const* argv) {
    IngestSettings settings;
    // Before anything is created: a bad variable stops the start, whatever the flags say.
    settings.queue = Options::from_env("MOONSHOT_");
    CLI::App app(
        "Reads feeds, keeps their alerts in an SQLite file, and finds the place of those "
        "that carry no coordinates, in batches through a Headpond queue.",
        "headpond-ingest");
    app.set_version_flag("--version", version_text());
    add_feed_options(app, settings);
    MoonshotFlags moonshot;
    add_resolver_options(app, settings, moonshot);
    add_output_options(app, settings);
    app.footer(
        "Exit codes: 0 the input is drained, or left pending by a signal or a closed gate;\n"
        "2 the database is corrupt; 3 usage or failure.\n"
        "Limits that are set are kept in the file, for all its users.");
    std::map<std::string, std::string> limits;
    add_limits(app, limits);
    refuse_empty_values(argc, argv);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& answer) {
        app.exit(answer, std::cout, std::cerr);
        return std::nullopt;
    } catch (const CLI::ParseError& error) {
        throw UsageError(cli::usage_line(error.what()));
    }
    set_limits(app, limits, settings.queue, argc, argv);
    require_sense(app, settings);
    if (app.count("--workers") > 0) {
        settings.workers = static_cast<int>(
            cli::parse_count("--workers", app["--workers"]->as<std::string>(), 1, 64));
    }
    if (settings.resolver == "moonshot") settings.moonshot = moonshot.read();
    set_fetch(app, settings.feeds, settings.fetch);
    require_outputs(app, settings);
    settings.queue.path = settings.database;
    return settings;
}

}  // namespace headpond::ingest
