// peek, why, outcome, cancel: what is in the queue, and one key.
#include "arguments.h"
#include "session.h"
#include "times.h"

#include <headpond/admin.h>

#include <algorithm>
#include <memory>

namespace headpond::cli {

namespace {

struct ItemArguments {
    Text key, count, after;
};
using Given = std::shared_ptr<ItemArguments>;

std::string text_of(const std::optional<std::int64_t>& number) {
    return number ? std::to_string(*number) : "";
}

// --- peek ----------------------------------------------------------------------------------------

Exit peek(Session& session, const ItemArguments& given) {
    constexpr std::size_t usual = 10;
    std::size_t limit = usual;
    if (given.count) limit = static_cast<std::size_t>(parse_count("N", *given.count, 1, 1'000'000));
    const std::int64_t after = given.after ? parse_id("--after", *given.after) : 0;
    Queue queue = session.open();
    auto items = Admin(queue).peek(limit + 1, after);
    if (items.size() > limit) {
        items.pop_back();
        complain_more("items", items.back().id);
    }
    if (session.json) {
        Json all = Json::array();
        for (const PeekedItem& item : items) {
            all.push_back({{"id", item.id},
                           {"key", item.key},
                           {"tag", item.source_tag},
                           {"bytes", item.payload_bytes},
                           {"state", item.state},
                           {"batch", item.batch ? Json(*item.batch) : Json(nullptr)},
                           {"enqueued_at", iso_time(item.enqueued_at)}});
        }
        session.out.json(all);
        return Exit::ok;
    }
    TextTable table(
        {{"id", true}, {"key", false, 36}, {"tag"}, {"bytes", true}, {"state"}, {"batch", true}});
    for (const PeekedItem& item : items) {
        table.add({std::to_string(item.id), item.key, item.source_tag,
                   std::to_string(item.payload_bytes), item.state, text_of(item.batch)});
    }
    table.print(session.out);
    return Exit::ok;
}

// --- why, outcome, cancel ------------------------------------------------------------------------

Json rows_of(const Table& table) {
    Json rows = Json::array();
    for (const auto& row : table.rows) {
        Json one = Json::object();
        for (std::size_t i = 0; i < row.size(); ++i) one[table.columns[i]] = row[i];
        rows.push_back(std::move(one));
    }
    return rows;
}

Exit why(Session& session, const ItemArguments& given) {
    check_key("KEY", *given.key);
    Queue queue = session.open();
    const Why why = Admin(queue).why(*given.key);
    if (session.json) {
        session.out.json({{"key", why.key},
                          {"known", why.known},
                          {"summary", why.summary},
                          {"trail", rows_of(why.trail)}});
    } else {
        session.out.line(one_line(why.summary));
        TextTable table({{"at", false, 20}, {"event", false, 11}, {"detail", false, 24}});
        for (const auto& row : why.trail.rows) {
            table.add(std::vector(row.end() - std::min<std::ptrdiff_t>(3, std::ssize(row)),
                                  row.end()));  // without the key, where it is a column
        }
        if (!table.empty()) table.print(session.out);
    }
    return why.known ? Exit::ok : Exit::warning;
}

void print_outcome(Session& session, const Outcome& outcome) {
    if (session.json) {
        Json one{{"key", outcome.key},
                 {"state", to_string(outcome.state)},
                 {"reason", text_or_null(outcome.reason)}};
        put_bytes(one, "result", outcome.result);
        one["item_id"] = outcome.item_id;
        one["published_at"] =
            outcome.published_at ? Json(iso_time(*outcome.published_at)) : Json(nullptr);
        one["queued_at"] = iso_time(outcome.queued_at);
        one["settled_at"] = iso_time(outcome.settled_at);
        session.out.json(one);
        return;
    }
    std::string line(to_string(outcome.state));
    if (!outcome.reason.empty()) line += ": " + outcome.reason;
    session.out.line(line + ", settled " + iso_time(outcome.settled_at));
    if (!outcome.result.empty()) session.out.line(one_line(outcome.result));
}

Exit outcome(Session& session, const ItemArguments& given) {
    check_key("KEY", *given.key);
    Queue queue = session.open();
    const Admin admin(queue);
    const bool waits = admin.pending(*given.key);
    const auto found = waits ? std::nullopt : admin.outcome(*given.key);
    if (found) {
        print_outcome(session, *found);
        return Exit::ok;
    }
    const std::string state = waits ? "pending" : "none";
    if (session.json) {
        session.out.json({{"key", *given.key}, {"state", waits ? Json(state) : Json(nullptr)}});
    } else {
        session.out.line(waits ? "pending: the item is in the queue"
                               : "none: never tracked, not entered, or forgotten");
    }
    return Exit::warning;
}

Exit cancel(Session& session, const ItemArguments& given) {
    check_key("KEY", *given.key);
    Queue queue = session.open();
    const bool done = queue.cancel(*given.key);
    if (session.json) {
        session.out.json({{"key", *given.key}, {"cancelled", done}});
    } else {
        session.out.line(done ? "cancelled" : "not cancelled: not in the queue, or leased");
    }
    return done ? Exit::ok : Exit::warning;
}

using Run = Exit (*)(Session&, const ItemArguments&);

void add_for_key(CLI::App& app, Session& session, Run run, const std::string& name,
                 const std::string& about, const std::string& codes) {
    auto given = std::make_shared<ItemArguments>();
    CLI::App& command = add_command(app, session, name, about);
    add_text(command, "KEY", given->key, "TEXT",
             "The item's key; -- before one with a leading dash")
        ->required();
    command.footer("Exit codes: " + codes);
    command.callback([given, &session, run] {
        session.action = [given, &session, run] { return run(session, *given); };
    });
}

}  // namespace

void add_item_commands(CLI::App& app, Session& session) {
    auto given = std::make_shared<ItemArguments>();
    CLI::App& first = add_command(app, session, "peek", "The oldest items, without touching them.");
    add_text(first, "N", given->count, "COUNT", "How many; 10 if left out");
    add_text(first, "--after", given->after, "ID", "Only items with a higher id");
    first.callback([given, &session] {
        session.action = [given, &session] { return peek(session, *given); };
    });
    add_for_key(app, session, why, "why", "All that is known of a key, and why it is where it is.",
                "0 known, 1 unknown, 3 failure");
    add_for_key(app, session, outcome, "outcome", "What became of a tracked item.",
                "0 an outcome, 1 pending or none, 3 failure");
    add_for_key(app, session, cancel, "cancel", "Remove a ready or waiting item.",
                "0 cancelled, 1 not in the queue or leased, 3 failure");
}

}  // namespace headpond::cli
