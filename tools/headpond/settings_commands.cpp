// settings, settings set: the limits that live in the file.
#include "arguments.h"
#include "session.h"
#include "times.h"

#include <headpond/admin.h>

#include <algorithm>
#include <memory>

namespace headpond::cli {

namespace {

Json to_json(const Setting& setting) {
    return {{"name", setting.name},
            {"value", value_of(setting.value)},
            {"unit", text_or_null(setting.unit)},
            {"allowed", setting.allowed},
            {"changed_at", iso_time(setting.changed_at)},
            {"changed_by", setting.changed_by}};
}

// The column `unit` says already what the number counts.
std::string without_kind(const std::string& allowed) {
    for (const std::string_view kind : {"a whole number from ", "seconds from "}) {
        if (allowed.starts_with(kind)) return allowed.substr(kind.size());
    }
    return allowed;
}

Exit list(Session& session) {
    Queue queue = session.open();
    const auto all = Admin(queue).settings();
    if (session.json) {
        Json rows = Json::array();
        for (const Setting& setting : all) rows.push_back(to_json(setting));
        session.out.json(rows);
        return Exit::ok;
    }
    TextTable table({{"name"}, {"value", true}, {"unit"}, {"allowed"}});
    for (const Setting& setting : all) {
        table.add({setting.name, setting.value, setting.unit, without_kind(setting.allowed)});
    }
    table.print(session.out);
    return Exit::ok;
}

// Before the file is opened, so that a wrong name or value creates nothing.
void check_setting(const std::string& name, const std::string& value) {
    std::string names;
    for (const OptionDoc& one : option_docs()) {
        if (!one.in_file) {
            if (one.name != name) continue;
            throw UsageError(name +
                             " belongs to the process, not to the file; allowed: the "
                             "variable HEADPOND_" +
                             std::string(one.variable));
        }
        if (one.name == name) {
            Options{}.set(name, value);  // throws, naming the value and what is allowed
            return;
        }
        names += (names.empty() ? "" : ", ") + std::string(one.name);
    }
    throw UsageError("no setting is named " + shown(name) + "; allowed: " + names);
}

Setting find(const Admin& admin, const std::string& name) {
    for (Setting& setting : admin.settings()) {
        if (setting.name == name) return std::move(setting);
    }
    throw UsageError("the file has no setting " + shown(name));
}

Exit set(Session& session, const std::string& name, const std::string& value) {
    check_setting(name, value);
    Queue queue = session.open(Migrate::create_only);
    Admin admin(queue);
    const std::string before = find(admin, name).value;
    admin.set(name, value, author());
    const Setting after = find(admin, name);
    if (session.json) {
        session.out.json(to_json(after));
    } else {
        session.out.line(name + ": " + before + " -> " + after.value +
                         (after.unit.empty() ? "" : " " + after.unit));
    }
    return Exit::ok;
}

// Made from the option table.
std::string names_text() {
    std::string text = "Settings, their defaults, and what is allowed:\n";
    for (const OptionDoc& one : option_docs()) {
        if (!one.in_file) continue;
        const std::string unit = one.unit.empty() ? "" : " " + std::string(one.unit);
        text += "  " + std::string(one.name) + " (" + one.default_value + unit + ")\n      " +
                std::string(one.about) + "; " + one.allowed + "\n";
    }
    return text + "Times are in seconds.";
}

}  // namespace

void add_settings_commands(CLI::App& app, Session& session) {
    struct Given {
        Text name, value;
    };
    auto given = std::make_shared<Given>();
    CLI::App& all = add_command(app, session, "settings",
                                "The limits that hold for everybody who uses the file.");
    all.require_subcommand(0, 1);
    all.footer(names_text());
    all.callback([&session] {
        if (!session.action) session.action = [&session] { return list(session); };
    });
    CLI::App& one = add_command(all, session, "set", "Change one. Creates a missing file.");
    one.footer(names_text());
    add_text(one, "NAME", given->name, "TEXT", "As `headpond settings` lists it")->required();
    add_text(one, "VALUE", given->value, "TEXT", "The new value; times in seconds")->required();
    one.callback([given, &session] {
        session.action = [given, &session] { return set(session, *given->name, *given->value); };
    });
}

}  // namespace headpond::cli
