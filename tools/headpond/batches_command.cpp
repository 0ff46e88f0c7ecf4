// batches: those leased and waiting, who holds them, what keeps them.
#include "arguments.h"
#include "session.h"
#include "times.h"

#include <headpond/admin.h>

#include <algorithm>
#include <memory>

namespace headpond::cli {

namespace {

struct BatchArguments {
    Text limit, after;
};

constexpr std::int64_t limit_usual = 100, limit_max = 1'000'000;

Json time_or_null(const std::optional<WallTime>& time) {
    return time ? Json(iso_time(*time)) : Json(nullptr);
}

std::string attempt_of(const ListedBatch& batch) {
    return std::to_string(batch.attempts) + "/" + std::to_string(batch.attempts_max);
}

// Of a lease: 8s, or -3s where it is overdue by 3 s. Empty: waiting.
std::string left_of(const ListedBatch& batch, WallTime now) {
    if (!batch.lease_expires_at) return {};
    const auto ms = (*batch.lease_expires_at - now).count();
    return ms > 0 ? std::to_string((ms + 999) / 1000) + "s"
                  : "-" + std::to_string(-ms / 1000) + "s";
}

// As the view `leases` has it: of a long program[pid]@host the host goes, then the end of the
// program; the pid stays.
std::string owner_of(const ListedBatch& batch) {
    constexpr std::size_t most = 17;
    const std::string& label = batch.owner;
    const auto open = label.find('['), close = label.find(']');
    if (label.size() <= most || open == std::string::npos || close == std::string::npos ||
        close < open || close - open + 1 >= most) {
        return label;
    }
    const std::string pid = label.substr(open, close - open + 1);
    return label.substr(0, std::min(open, most - pid.size())) + pid;
}

Json json_of(const ListedBatch& batch, WallTime now) {
    return {{"batch", batch.id},
            {"state", batch.state},
            {"items", batch.items},
            {"bytes", batch.bytes},
            {"attempt", attempt_of(batch)},
            {"attempts", batch.attempts},
            {"attempts_max", batch.attempts_max},
            {"releases", batch.releases},
            {"owner", text_or_null(batch.owner)},
            {"leased_at", time_or_null(batch.leased_at)},
            {"lease_expires_at", time_or_null(batch.lease_expires_at)},
            {"left", text_or_null(left_of(batch, now))},
            {"not_before", time_or_null(batch.not_before)},
            {"created_at", iso_time(batch.created_at)},
            {"why", batch.why},
            {"leasable", batch.leasable},
            {"last_error", text_or_null(batch.last_error)}};
}

void print_json(Session& session, const BatchPage& page, bool with_ready) {
    Json all = Json::array();
    if (with_ready) {
        Json ready = json_of({}, page.now);  // the same fields as every row
        for (auto& field : ready) field = nullptr;
        ready["state"] = "ready";
        ready["items"] = page.ready_held;
        ready["why"] = "gate closed";
        ready["leasable"] = page.ready_leasable;
        ready["last_error"] = text_or_null(page.gate_reason);
        all.push_back(std::move(ready));
    }
    for (const ListedBatch& batch : page.batches) all.push_back(json_of(batch, page.now));
    session.out.json(all);
}

void print_table(Session& session, const BatchPage& page, bool with_ready) {
    TextTable table({{"batch", true},
                     {"items", true},
                     {"attempt"},
                     {"owner"},
                     {"why", false, 13},
                     {"leasable", false, 13},
                     {"last_error"}});
    if (with_ready) {
        table.add({"", std::to_string(page.ready_held), "", "", "gate closed", page.ready_leasable,
                   page.gate_reason});
    }
    for (const ListedBatch& batch : page.batches) {
        table.add({std::to_string(batch.id), std::to_string(batch.items), attempt_of(batch),
                   owner_of(batch), batch.why, batch.leasable, batch.last_error});
    }
    table.print(session.out);
}

Exit batches(Session& session, const BatchArguments& given) {
    std::int64_t limit = limit_usual, after = 0;
    if (given.limit) limit = parse_count("--limit", *given.limit, 1, limit_max);
    if (given.after) after = parse_id("--after", *given.after);
    Queue queue = session.open();
    const BatchPage page = Admin(queue).batches(static_cast<std::size_t>(limit), after);
    if (page.more) complain_more("batches", page.batches.back().id);
    const bool with_ready = after == 0 && page.ready_held > 0;
    if (session.json) {
        print_json(session, page, with_ready);
    } else {
        print_table(session, page, with_ready);
    }
    return Exit::ok;
}

}  // namespace

void add_batches_command(CLI::App& app, Session& session) {
    auto given = std::make_shared<BatchArguments>();
    CLI::App& command = add_command(app, session, "batches",
                                    "Batches leased and waiting: who holds them, what keeps them.");
    add_text(command, "--limit", given->limit, "N", "At most N, lowest id first; 100 if left out");
    add_text(command, "--after", given->after, "ID", "Only batches with a higher id");
    command.footer(
        "A row without a batch counts the items that the gate keeps from entering one.\n"
        "Exit codes: 0 ok, 3 failure");
    command.callback([given, &session] {
        session.action = [given, &session] { return batches(session, *given); };
    });
}

}  // namespace headpond::cli
