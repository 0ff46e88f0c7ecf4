// health, check, cleanup, migrate, backup, version: the file as a whole.
#include "arguments.h"
#include "session.h"

#include <headpond/admin.h>
#include <headpond/version.h>

#include <memory>

namespace headpond::cli {

namespace {

// --- health --------------------------------------------------------------------------------------

Exit exit_of(HealthLevel level) {
    switch (level) {
        case HealthLevel::ok:
            return Exit::ok;
        case HealthLevel::warning:
            return Exit::warning;
        case HealthLevel::critical:
            return Exit::critical;
    }
    return Exit::failure;
}

Exit health(Session& session) {
    Queue queue = session.open();
    const Health health = queue.health();
    if (session.json) {
        Json rows = Json::array();
        for (const HealthRow& row : health.rows) {
            rows.push_back({{"metric", row.metric},
                            {"value", value_of(row.value)},
                            {"limit", value_of(row.limit)},
                            {"note", row.note}});
        }
        session.out.json(rows);
        for (const auto& reason : health.reasons) complain(reason);
        return exit_of(health.level);
    }
    TextTable table({{"metric"}, {"value", true}, {"limit", true}, {"note"}});
    for (const HealthRow& row : health.rows) {
        table.add({row.metric, row.value, row.limit, row.note});
    }
    table.print(session.out);
    constexpr const char* words[] = {"ok", "warning", "critical", "failure"};
    const Exit exit = exit_of(health.level);
    if (exit != Exit::ok) session.out.line("");
    for (const auto& reason : health.reasons) {
        session.out.line(std::string(words[static_cast<int>(exit)]) + ": " + one_line(reason));
    }
    return exit;
}

// --- check ---------------------------------------------------------------------------------------

void print_check(Session& session, const CheckReport& report, bool repaired) {
    if (session.json) {
        Json findings = Json::array();
        for (const CheckFinding& finding : report.findings) {
            findings.push_back(
                {{"what", finding.what}, {"detail", finding.detail}, {"warning", finding.warning}});
        }
        session.out.json({{"ok", report.ok()},
                          {"findings", findings},
                          {"sqlite_version", report.sqlite_version},
                          {"wal_reset_bug", report.wal_reset_bug},
                          {"edited", report.edited}});
        return;
    }
    if (repaired) session.out.line("hand edits booked: " + std::to_string(report.edited));
    for (const CheckFinding& finding : report.findings) {
        session.out.line((finding.warning ? "warning: " : "fault: ") + one_line(finding.what) +
                         ": " + one_line(finding.detail));
    }
    if (report.findings.empty()) session.out.line("ok: integrity, schema, ledger, ranges");
    session.out.line("note: SQLite " + report.sqlite_version +
                     (report.wal_reset_bug ? " has the WAL-reset bug; only this library may write"
                                           : " does not have the WAL-reset bug"));
}

Exit check(Session& session, bool repair) {
    Queue queue = session.open();
    Admin admin(queue);
    const CheckReport report = repair ? admin.repair() : admin.check();
    print_check(session, report, repair);
    if (!report.ok()) return Exit::critical;
    return report.findings.empty() ? Exit::ok : Exit::warning;
}

// --- cleanup -------------------------------------------------------------------------------------

Exit cleanup(Session& session) {
    Queue queue = session.open();
    const CleanupReport report = queue.cleanup();
    const Json counts{{"expired", report.expired},
                      {"stale", report.stale},
                      {"evicted", report.evicted},
                      {"reclaimed", report.reclaimed},
                      {"abandoned", report.abandoned},
                      {"dead_dropped", report.dead_dropped},
                      {"outcomes_dropped", report.outcomes_dropped},
                      {"attempts_dropped", report.attempts_dropped},
                      {"edited", report.edited},
                      {"recounted", report.recounted},
                      {"pages_freed", report.pages_freed}};
    if (session.json) {
        session.out.json(counts);
        return Exit::ok;
    }
    TextTable table({{"cleanup"}, {"count", true}});
    for (const auto& [name, count] : counts.items()) {
        table.add({name, count.is_boolean() ? (count.get<bool>() ? "yes" : "no") : count.dump()});
    }
    table.print(session.out);
    return Exit::ok;
}

// --- migrate, backup, version --------------------------------------------------------------------

Exit migrate_file(Session& session) {
    const auto applied = migrate(session.options(Migrate::at_open));
    if (session.json) {
        Json all = Json::array();
        for (const Migration& one : applied) {
            all.push_back({{"version", one.version}, {"name", one.name}});
        }
        session.out.json({{"applied", all}});
        return Exit::ok;
    }
    for (const Migration& one : applied) {
        session.out.line("applied " + std::to_string(one.version) + " " + one.name);
    }
    if (applied.empty()) session.out.line("up to date");
    return Exit::ok;
}

Exit backup(Session& session, const std::string& target) {
    Queue queue = session.open();
    Admin(queue).backup(target);
    std::error_code error;
    const auto bytes = std::filesystem::file_size(target, error);
    if (session.json) {
        session.out.json({{"backup", target}, {"bytes", error ? Json(nullptr) : Json(bytes)}});
    } else {
        session.out.line("copied to " + one_line(target));
    }
    return Exit::ok;
}

Exit version(Session& session) {
    const std::string text = std::to_string(HEADPOND_VERSION_MAJOR) + "." +
                             std::to_string(HEADPOND_VERSION_MINOR) + "." +
                             std::to_string(HEADPOND_VERSION_PATCH);
    if (session.json) {
        session.out.json({{"version", text}});
    } else {
        session.out.line("headpond " + text);
    }
    return Exit::ok;
}

CLI::App& add_plain(CLI::App& app, Session& session, Exit (*run)(Session&), const std::string& name,
                    const std::string& about) {
    CLI::App& command = add_command(app, session, name, about);
    command.callback(
        [run, &session] { session.action = [run, &session] { return run(session); }; });
    return command;
}

}  // namespace

void add_upkeep_commands(CLI::App& app, Session& session) {
    add_plain(app, session, health, "health", "Is it well? The rows of the view `health`.")
        .footer(
            "Exit codes: 0 well, 1 a warning, 2 critical, 3 failure; the reasons follow the\n"
            "table, or are on stderr with --json");
    auto repair = std::make_shared<bool>(false);
    CLI::App& command = add_command(app, session, "check",
                                    "Check integrity, schema, ledger and ranges; reads all rows.");
    add_switch(command, "--repair", *repair,
               "First recount: book hand edits, adopt items that belong to no batch");
    command.footer("Exit codes: 0 nothing found, 1 warnings only, 2 something is off, 3 failure");
    command.callback([repair, &session] {
        session.action = [repair, &session] { return check(session, *repair); };
    });
    add_plain(app, session, cleanup, "cleanup",
              "Run the cleanup now: expire, trim, recount, give pages back.");
    add_plain(app, session, migrate_file, "migrate",
              "Create the file, or bring its schema to this release's.");
    auto target = std::make_shared<Text>();
    CLI::App& copy = add_command(app, session, "backup", "Copy the queue while others use it.");
    add_text(copy, "FILE", *target, "PATH", "A new path; an existing file is refused")->required();
    copy.callback([target, &session] {
        session.action = [target, &session] { return backup(session, **target); };
    });
    add_plain(app, session, version, "version", "Print the version.");
}

}  // namespace headpond::cli
