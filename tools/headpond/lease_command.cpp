// lease: takes a batch and prints it with its token.
#include "arguments.h"
#include "interrupts.h"
#include "session.h"
#include "times.h"
#include "utf8.h"

#include <headpond/admin.h>

#include <memory>
#include <optional>

namespace headpond::cli {

namespace {

struct LeaseArguments {
    Text items_max, wait, lease_time;
    bool when_due = false;
};

LeaseRequest request_of(const LeaseArguments& given) {
    LeaseRequest request;
    // Another command settles it: only time ends this lease.
    request.detached = true;
    if (given.when_due) request.when = When::due;
    if (given.items_max) request.items_max = parse_count("--max", *given.items_max, 1, 1'000'000);
    if (given.wait) request.wait = parse_seconds("--wait", *given.wait, Ms{0}, day);
    if (given.lease_time) {
        request.lease_time = parse_seconds("--lease-seconds", *given.lease_time, Ms{1}, day);
    }
    return request;
}

// Why there was nothing to lease, as one line.
std::string reason_of(Queue& queue, const LeaseRequest& request) {
    const Gate gate = Admin(queue).gate();
    const std::string why = gate.reason.empty() ? "" : " (" + gate.reason + ")";
    if (gate.state == "closed") {
        return "the gate is closed until " +
               (gate.until ? iso_time(*gate.until) : std::string("it is reopened")) + why;
    }
    const Health health = queue.health();
    if (gate.state == "half_open" && health.items > 0) {
        return "the gate is half open" + why + ": it waits for its trial batch";
    }
    std::string text;
    const auto add = [&](std::int64_t items, const std::string& what) {
        if (items > 0) text += (text.empty() ? "" : ", ") + std::to_string(items) + " " + what;
    };
    const bool due = request.when == When::due;
    add(health.ready, due ? "ready but not due" : "ready");
    add(health.waiting, "waiting for their retry");
    add(health.leased, "leased");
    return text.empty() ? "the queue is empty" : text;
}

Json items_of(const Batch& batch) {
    Json items = Json::array();
    for (const Item& item : batch.items()) {
        Json one{{"id", item.id}, {"key", item.key}, {"tag", item.source_tag}};
        put_bytes(one, "payload", item.payload);
        one["enqueued_at"] = iso_time(item.enqueued_at);
        items.push_back(std::move(one));
    }
    return items;
}

void print_json(Output& out, const Batch& batch) {
    out.json({{"batch", batch.id()},
              {"token", batch.token()},
              {"attempt", batch.attempt()},
              {"attempts_max", batch.attempts_max()},
              {"expires_at", iso_time(batch.deadline())},
              {"items", items_of(batch)}});
}

void print_text(Output& out, const Batch& batch) {
    out.line("token    " + std::string(batch.token()));
    out.line("batch    " + std::to_string(batch.id()));
    out.line("attempt  " + std::to_string(batch.attempt()) + "/" +
             std::to_string(batch.attempts_max()));
    out.line("expires  " + iso_time(batch.deadline()));
    out.line("items    " + std::to_string(batch.items().size()));
    out.line("");
    TextTable table({{"id", true}, {"key", false, 36}, {"tag"}, {"bytes", true}, {"payload"}});
    for (const Item& item : batch.items()) {
        constexpr std::size_t most = 320;  // more than a line, whatever its characters
        table.add({std::to_string(item.id), item.key, item.source_tag,
                   std::to_string(item.payload.size()), item.payload.substr(0, most)});
    }
    table.print(out);
}

Exit nothing(Session& session, const std::string& reason) {
    complain("nothing to lease: " + reason);
    if (session.json) session.out.json({{"batch", nullptr}, {"reason", reason}});
    return Exit::warning;
}

Exit lease(Session& session, const LeaseArguments& given) {
    const LeaseRequest request = request_of(given);
    std::optional<Interrupts> interrupts;
    if (request.wait > Ms{0}) interrupts.emplace();
    Queue queue = session.open();
    const std::stop_token stop = interrupts ? interrupts->token() : std::stop_token();
    auto batch = queue.lease(request, stop);
    if (!batch) {
        return nothing(session, stop.stop_requested() ? "interrupted" : reason_of(queue, request));
    }
    try {
        if (session.json) {
            print_json(session.out, *batch);
        } else {
            print_text(session.out, *batch);
        }
        session.out.flush();
    } catch (const OutputError&) {
        // Nobody learned the token: without this the batch would rest until the lease lapses.
        batch->release(Ms{0}, "the lease could not be printed");
        throw;
    }
    return Exit::ok;
}

}  // namespace

void add_lease_command(CLI::App& app, Session& session) {
    auto given = std::make_shared<LeaseArguments>();
    CLI::App& command = add_command(app, session, "lease",
                                    "Take a batch and print it with the token that settles it.");
    add_text(command, "--max", given->items_max, "N",
             "At most N items, where a new batch is cut (a retried one comes whole)");
    add_switch(command, "--when-due", given->when_due,
               "Only when batch_items_due are ready, or the oldest has lingered batch_linger");
    add_text(command, "--wait", given->wait, "S",
             "Wait up to S seconds for work; an interrupt ends the wait");
    add_text(command, "--lease-seconds", given->lease_time, "S",
             "The lease lapses after S seconds, decimals allowed (HEADPOND_LEASE_TIME, else 60)");
    command.footer(
        "The lease is detached: only time ends it, not the end of a process. ack, nack, release,\n"
        "split and extend want the token.\n"
        "Exit codes: 0 leased, 1 nothing to lease (why is on stderr), 3 failure");
    command.callback([given, &session] {
        session.action = [given, &session] { return lease(session, *given); };
    });
}

}  // namespace headpond::cli
