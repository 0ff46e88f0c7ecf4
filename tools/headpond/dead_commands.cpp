// dead ls, redrive, purge: items that were given up.
#include "arguments.h"
#include "session.h"
#include "times.h"

#include <headpond/admin.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include <unistd.h>

namespace headpond::cli {

namespace {

struct DeadArguments {
    Text key, reason, limit, after;
    bool all = false, yes = false;
};
using Given = std::shared_ptr<DeadArguments>;

constexpr std::int64_t limit_max = 1'000'000'000;

DeadFilter filter_of(const DeadArguments& given, std::int64_t usual_limit) {
    DeadFilter filter;
    std::int64_t limit = usual_limit;
    if (given.limit) limit = parse_count("--limit", *given.limit, 1, limit_max);
    filter.limit = static_cast<std::size_t>(limit);
    if (given.key) check_key("--key", *given.key);
    filter.key = given.key.value_or("");
    if (given.reason) {
        constexpr std::string_view words[] = {"abandoned", "rejected", "evicted", "expired"};
        if (std::find(std::begin(words), std::end(words), *given.reason) == std::end(words)) {
            throw UsageError("--reason is " + shown(*given.reason) +
                             "; allowed: abandoned, rejected, evicted, expired");
        }
        filter.reason = *given.reason;
    }
    return filter;
}

// --- ls ------------------------------------------------------------------------------------------

Exit list(Session& session, const DeadArguments& given) {
    constexpr std::int64_t usual = 100;
    DeadFilter filter = filter_of(given, usual);
    const std::int64_t after = given.after ? parse_id("--after", *given.after) : 0;
    const std::size_t most = filter.limit++;
    Queue queue = session.open();
    auto letters = Admin(queue).dead(filter, after);
    if (letters.size() > most) {
        letters.pop_back();
        complain_more("dead letters", letters.back().item_id);
    }
    if (session.json) {
        Json rows = Json::array();
        for (const DeadLetter& letter : letters) {
            Json one{{"item_id", letter.item_id}, {"key", letter.key}, {"tag", letter.source_tag}};
            put_bytes(one, "payload", letter.payload);
            one["reason"] = letter.reason;
            one["batch"] = letter.batch ? Json(*letter.batch) : Json(nullptr);
            one["attempts"] = letter.attempts;
            one["last_error"] = text_or_null(letter.last_error);
            one["died_at"] = iso_time(letter.died_at);
            rows.push_back(std::move(one));
        }
        session.out.json(rows);
        return Exit::ok;
    }
    TextTable table({{"id", true},
                     {"key", false, 36},
                     {"reason", false, 9},
                     {"attempts", true},
                     {"last_error"}});
    for (const DeadLetter& letter : letters) {
        table.add({std::to_string(letter.item_id), letter.key, letter.reason,
                   std::to_string(letter.attempts), letter.last_error});
    }
    table.print(session.out);
    return Exit::ok;
}

// --- redrive, purge ------------------------------------------------------------------------------

// On a terminal the question; else --yes must have been given. One key's letters need neither.
bool confirmed(const DeadArguments& given, const std::string& what) {
    if (given.yes || given.key) return true;
    if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
        throw UsageError(what + " needs --yes where there is no terminal to ask on");
    }
    std::cerr << what << "? [y/N] " << std::flush;
    std::string reply;
    std::getline(std::cin, reply);
    return reply == "y" || reply == "yes" || reply == "Y";
}

// Counts first; the filter to act on, or nothing to do.
std::optional<DeadFilter> select(Session& session, const DeadArguments& given, const Admin& admin,
                                 const DeadFilter& filter, const std::string& verb) {
    const std::int64_t count = admin.count_dead(filter);
    const std::string matched = "matching dead letters: " + std::to_string(count);
    if (session.json) {
        complain(matched);
    } else {
        session.out.line(matched);
        session.out.flush();
    }
    if (count == 0) return std::nullopt;
    if (!confirmed(given, verb + " " + std::to_string(count) +
                              (count == 1 ? " dead letter" : " dead letters"))) {
        return std::nullopt;
    }
    return filter;
}

DeadFilter bulk_filter(const DeadArguments& given, const std::string& verb) {
    if (!given.key && !given.reason && !given.limit && !given.all) {
        throw UsageError(verb + " of what? allowed: --key, --reason, --limit, or --all");
    }
    return filter_of(given, limit_max);
}

Exit redrive(Session& session, const DeadArguments& given) {
    const DeadFilter filter = bulk_filter(given, "redrive");
    Queue queue = session.open();
    Admin admin(queue);
    Redriven done;
    if (const auto selected = select(session, given, admin, filter, "redrive")) {
        done = admin.redrive(*selected);
    }
    if (session.json) {
        session.out.json({{"redriven", done.redriven},
                          {"duplicates", done.duplicates},
                          {"remaining", done.remaining}});
    } else {
        session.out.line("redriven " + std::to_string(done.redriven));
    }
    if (done.duplicates > 0) {
        complain(std::to_string(done.duplicates) + " were left: their key is in the queue");
    }
    if (done.remaining > 0) {
        complain(std::to_string(done.remaining) +
                 " were left: the queue is full, or their payload is over payload_bytes_max");
    }
    const bool all = done.redriven > 0 && done.duplicates == 0 && done.remaining == 0;
    return all ? Exit::ok : Exit::warning;
}

Exit purge(Session& session, const DeadArguments& given) {
    const DeadFilter filter = bulk_filter(given, "purge");
    Queue queue = session.open();
    Admin admin(queue);
    std::int64_t purged = 0;
    if (const auto selected = select(session, given, admin, filter, "purge")) {
        purged = admin.purge(*selected);
    }
    if (session.json) {
        session.out.json({{"purged", purged}});
    } else {
        session.out.line("purged " + std::to_string(purged));
    }
    return purged > 0 ? Exit::ok : Exit::warning;
}

using Run = Exit (*)(Session&, const DeadArguments&);

void add_one(CLI::App& dead, Session& session, Run run, const std::string& name,
             const std::string& about, bool changes) {
    auto given = std::make_shared<DeadArguments>();
    CLI::App& command = add_command(dead, session, name, about);
    auto* key = add_text(command, "--key", given->key, "KEY", "Only this key's");
    auto* reason = add_text(command, "--reason", given->reason, "WORD",
                            "Only abandoned, rejected, evicted or expired ones");
    add_text(command, "--limit", given->limit, "N",
             changes ? "At most N, oldest death first"
                     : "At most N, oldest death first; 100 if left out");
    if (!changes) {
        add_text(command, "--after", given->after, "ID",
                 "Only those that follow the letter with this id");
    } else {
        add_switch(command, "--all", given->all, "All that match nothing else")
            ->excludes(key)
            ->excludes(reason);
        add_switch(command, "--yes", given->yes, "Do not ask; needed where there is no terminal");
        command.footer(
            "Prints first how many match. With --key it does not ask.\n"
            "Exit codes: 0 done, 1 nothing done or something left, 3 failure");
    }
    command.callback([given, &session, run] {
        session.action = [given, &session, run] { return run(session, *given); };
    });
}

}  // namespace

void add_dead_commands(CLI::App& app, Session& session) {
    CLI::App& dead = add_command(app, session, "dead", "Items that were given up.");
    dead.require_subcommand(1);
    add_one(dead, session, list, "ls", "List them; payloads are in --json.", false);
    add_one(dead, session, redrive, "redrive",
            "Put them back as new items, as far as there is room; nothing is evicted.", true);
    add_one(dead, session, purge, "purge", "Delete them for good.", true);
}

}  // namespace headpond::cli
