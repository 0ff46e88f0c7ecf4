// ack, nack, release, split, extend: by token, from any process.
#include "arguments.h"
#include "input.h"
#include "ndjson.h"
#include "session.h"

#include <array>
#include <memory>

namespace headpond::cli {

namespace {

struct SettleArguments {
    Text token, results, rest, error, delay, seconds;
};
using Given = std::shared_ptr<SettleArguments>;

constexpr Ms delay_max{366LL * 24 * 3600 * 1000};

// --- answers -------------------------------------------------------------------------------------

std::string text_of(const Settled& settled, const std::string& rest) {
    std::string text = "acked " + std::to_string(settled.acked);
    const auto add = [&](std::int64_t count, const char* what) {
        if (count > 0) text += std::string(", ") + what + " " + std::to_string(count);
    };
    add(settled.rejected, "rejected");
    add(settled.gone, "gone");
    add(settled.stale, "stale");
    if (settled.abandoned) return text + ", the rest abandoned";
    return rest.empty() ? text : text + ", the rest: " + rest;
}

Exit answer(Session& session, const Settled& settled, const std::string& text) {
    if (session.json) {
        session.out.json({{"fenced", settled.fenced},
                          {"acked", settled.acked},
                          {"rejected", settled.rejected},
                          {"gone", settled.gone},
                          {"stale", settled.stale},
                          {"abandoned", settled.abandoned}});
    } else {
        session.out.line(settled.fenced ? "fenced" : text);
    }
    if (settled.gone > 0) {
        complain(std::to_string(settled.gone) + " named items are not in the batch");
    }
    return settled.fenced || settled.gone > 0 ? Exit::warning : Exit::ok;
}

// --- ack -----------------------------------------------------------------------------------------

// The words are those of Rest.
Rest rest_of(const std::string& word) {
    constexpr std::array<std::pair<std::string_view, Rest>, 5> words{{{"ack", Rest::ack},
                                                                      {"nack", Rest::nack},
                                                                      {"release", Rest::release},
                                                                      {"split", Rest::split},
                                                                      {"keep", Rest::keep}}};
    for (const auto& [name, rest] : words) {
        if (name == word) return rest;
    }
    throw UsageError("--rest is " + shown(word) + "; allowed: ack, nack, release, split, keep");
}

void read_results(const std::string& path, Settlement& settlement, std::int64_t result_bytes_max) {
    // JSON may write a byte as six.
    const auto bytes_max = 6 * static_cast<std::size_t>(result_bytes_max) + 64 * 1024;
    Input input(path);
    LineReader lines(input, bytes_max);
    while (const auto line = lines.next()) {
        if (blank(*line)) continue;
        try {
            parse_verdict(*line, settlement);
        } catch (const LineError& error) {
            throw InputError("line " + std::to_string(lines.number()) + ": " + error.what());
        }
    }
}

Exit ack(Session& session, const SettleArguments& given) {
    check_token(*given.token);
    Settlement settlement;
    settlement.rest = given.results ? Rest::nack : Rest::ack;
    if (given.rest) settlement.rest = rest_of(*given.rest);
    settlement.error = given.results ? "not in results" : "";
    Queue queue = session.open();
    if (given.results) {
        read_results(*given.results, settlement, *queue.options().payload_bytes_max);
    }
    const Settled settled = queue.settle(*given.token, settlement);
    const std::string rest = settlement.rest == Rest::ack ? "" : given.rest.value_or("nack");
    return answer(session, settled, text_of(settled, rest));
}

// --- the others ----------------------------------------------------------------------------------

Exit give_back(Session& session, const SettleArguments& given, Rest rest, const std::string& word) {
    check_token(*given.token);
    Settlement settlement;
    settlement.rest = rest;
    settlement.error = given.error.value_or("");
    if (given.delay) settlement.delay = parse_seconds("--delay", *given.delay, Ms{0}, delay_max);
    Queue queue = session.open();
    const Settled settled = queue.settle(*given.token, settlement);
    return answer(session, settled, settled.abandoned ? "abandoned" : word);
}

Exit extend(Session& session, const SettleArguments& given) {
    check_token(*given.token);
    const Ms duration = parse_seconds("S", *given.seconds, Ms{1}, day);
    Queue queue = session.open();
    return answer(session, queue.extend(*given.token, duration), "extended");
}

constexpr const char* exit_codes =
    "Exit codes: 0 done, 1 fenced (the token is superseded, nothing changed), 3 failure";

CLI::App& add_one(CLI::App& app, Session& session, const Given& given, const std::string& name,
                  const std::string& about) {
    CLI::App& command = add_command(app, session, name, about);
    add_text(command, "TOKEN", given->token, "TEXT", "As `headpond lease` printed it")->required();
    command.footer(exit_codes);
    return command;
}

void add_ack(CLI::App& app, Session& session) {
    auto given = std::make_shared<SettleArguments>();
    CLI::App& command = add_one(app, session, given, "ack", "The batch succeeded: its items end.");
    auto* results = add_text(command, "--results", given->results, "FILE",
                             "Lines {id or key, result} or {id or key, reject}; - is stdin");
    add_text(command, "--rest", given->rest, "WORD",
             "What becomes of the items not named: ack, nack, release, split or keep")
        ->needs(results);
    command.footer(
        "With --results only the items named there are acked, and the rest is nacked.\n"
        "Lines: a result that is not text is result_base64; `reject` gives up that item with a\n"
        "reason; a missing result is empty. One malformed line, and nothing is settled.\n"
        "Exit codes: 0 done, 1 fenced (the token is superseded, nothing changed) or a named item\n"
        "was not in the batch, 3 failure");
    command.callback(
        [given, &session] { session.action = [given, &session] { return ack(session, *given); }; });
}

void add_give_back(CLI::App& app, Session& session, Rest rest, const std::string& name,
                   const std::string& done, const std::string& about) {
    auto given = std::make_shared<SettleArguments>();
    CLI::App& command = add_one(app, session, given, name, about);
    auto* error = add_text(command, "--error", given->error, "TEXT",
                           "Why; kept with the attempt, cut to 1000 bytes");
    if (rest == Rest::nack) error->required();
    if (rest == Rest::nack) {
        add_text(command, "--delay", given->delay, "S", "Due again in S seconds, not by backoff");
    } else if (rest == Rest::release) {
        add_text(command, "--delay", given->delay, "S",
                 "Due again in S seconds, at least release_delay_min");
    }
    command.callback([given, &session, rest, done] {
        session.action = [given, &session, rest, done] {
            return give_back(session, *given, rest, done);
        };
    });
}

}  // namespace

void add_settle_commands(CLI::App& app, Session& session) {
    add_ack(app, session);
    add_give_back(app, session, Rest::nack, "nack", "nacked",
                  "The batch failed: it comes back after a backoff.");
    add_give_back(app, session, Rest::release, "release", "released",
                  "Give the batch back undelivered: the attempt is refunded.");
    add_give_back(app, session, Rest::split, "split", "split",
                  "Give the batch back as two halves, due at once.");
    auto given = std::make_shared<SettleArguments>();
    CLI::App& command =
        add_one(app, session, given, "extend", "Let the lease lapse S seconds from now instead.");
    add_text(command, "S", given->seconds, "SECONDS", "0.001 to 86400")->required();
    command.callback([given, &session] {
        session.action = [given, &session] { return extend(session, *given); };
    });
}

}  // namespace headpond::cli
