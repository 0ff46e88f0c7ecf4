// pause, resume: the gate that stops leasing for everybody.
#include "arguments.h"
#include "session.h"
#include "times.h"

#include <headpond/admin.h>

#include <memory>

namespace headpond::cli {

namespace {

struct GateArguments {
    Text duration, reason;
};

void print_gate(Session& session, const Gate& gate) {
    if (session.json) {
        session.out.json({{"state", gate.state},
                          {"until", gate.until ? Json(iso_time(*gate.until)) : Json(nullptr)},
                          {"reason", text_or_null(gate.reason)},
                          {"changed_by", text_or_null(gate.changed_by)}});
        return;
    }
    std::string line = "the gate is " + gate.state;
    if (gate.state == "closed") {
        line += " until " + (gate.until ? iso_time(*gate.until) : std::string("it is reopened"));
        if (!gate.reason.empty()) line += ": " + one_line(gate.reason);
    }
    session.out.line(line);
}

Exit pause(Session& session, const GateArguments& given) {
    constexpr Ms longest{366LL * 24 * 3600 * 1000};
    std::optional<Ms> duration;
    if (given.duration) duration = parse_seconds("--for", *given.duration, Ms{1}, longest);
    const std::string reason = given.reason.value_or("paused by hand");
    check_reason("--reason", reason);
    Queue queue = session.open();
    Admin admin(queue);
    admin.pause(duration, reason, author());
    print_gate(session, admin.gate());
    return Exit::ok;
}

Exit resume(Session& session) {
    Queue queue = session.open();
    Admin admin(queue);
    admin.resume(author());
    print_gate(session, admin.gate());
    return Exit::ok;
}

}  // namespace

void add_gate_commands(CLI::App& app, Session& session) {
    auto given = std::make_shared<GateArguments>();
    CLI::App& first = add_command(app, session, "pause",
                                  "Stop leasing for everybody; batches that are out go on.");
    add_text(first, "--for", given->duration, "S",
             "Only for S seconds, decimals allowed; else until `headpond resume`");
    add_text(first, "--reason", given->reason, "TEXT", "Why, for the others who look");
    first.callback([given, &session] {
        session.action = [given, &session] { return pause(session, *given); };
    });
    CLI::App& second = add_command(app, session, "resume", "Let leasing go on at once.");
    second.callback([&session] { session.action = [&session] { return resume(session); }; });
}

}  // namespace headpond::cli
