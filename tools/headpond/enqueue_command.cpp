// enqueue: one item from the arguments and stdin, or a stream of lines.
#include "arguments.h"
#include "input.h"
#include "ndjson.h"
#include "session.h"
#include "times.h"

#include <headpond/admin.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace headpond::cli {

namespace {

struct EnqueueArguments {
    Text key, tag, published;
    bool track = false, ndjson = false;
};

Exit exit_of(Enqueued answer) {
    return answer == Enqueued::stored ? Exit::ok : Exit::warning;
}

// --- one item ------------------------------------------------------------------------------------

LineItem item_of(const EnqueueArguments& given) {
    LineItem item;
    item.key = *given.key;
    item.tag = given.tag.value_or("");
    check_key("--key", item.key);
    check_tag("--tag", item.tag);
    if (given.track) item.tracking = Tracking::tracked;
    if (given.published) {
        item.published_at = parse_iso(*given.published);
        if (!item.published_at) {
            throw UsageError("--published is " + shown(*given.published) +
                             "; allowed: " + std::string(iso_allowed));
        }
    }
    return item;
}

Exit enqueue_one(Session& session, const EnqueueArguments& given) {
    LineItem item = item_of(given);
    const Options options = session.options(Migrate::create_only);
    (void)migrations(options.path);  // a path that can't be right is told before stdin is read
    Input input("-");
    // Before the file is made: a stdin that can't be read changes nothing.
    bool more = input.read_some(item.payload);
    Queue queue(options);
    // One byte over the limit is enough to be told `too_large`.
    const auto bytes_max = static_cast<std::size_t>(*queue.options().payload_bytes_max);
    while (more && item.payload.size() <= bytes_max) more = input.read_some(item.payload);
    const Enqueued answer = queue.enqueue(item.view());
    if (session.json) {
        session.out.json({{"key", item.key}, {"result", to_string(answer)}});
    } else {
        session.out.line(to_string(answer));
    }
    return exit_of(answer);
}

// --- a stream ------------------------------------------------------------------------------------

// Reads, stores and answers in chunks of bounded size. The queue is opened with the first item, so
// that a stream that starts with a bad line creates nothing.
class Stream {
  public:
    Stream(Session& session, Options options)
        : session_(session),
          options_(std::move(options)),
          input_("-"),
          lines_(input_, line_bytes_max(default_payload_bytes_max())) {
        const auto states = migrations(options_.path);
        const auto applied = [](const Migration& one) { return one.applied; };
        if (std::any_of(states.begin(), states.end(), applied)) open();
    }

    Exit run() {
        try {
            read_all();
        } catch (const InputError&) {
            store();
            throw;
        }
        return total_ == 0 ? Exit::warning : worst_;
    }

  private:
    static constexpr std::size_t items_max = 500;
    static constexpr std::size_t bytes_max = 4UL << 20U;

    void read_all() {
        for (;;) {
            // A slow writer's items are not kept waiting for the next one.
            if (!lines_.ready()) store();
            const auto line = lines_.next();
            if (!line) break;
            if (blank(*line)) continue;
            bytes_ += line->size();
            try {
                items_.push_back(parse_item(*line));
            } catch (const LineError& error) {
                throw InputError("line " + std::to_string(lines_.number()) + ": " + error.what());
            }
            numbers_.push_back(lines_.number());
            if (items_.size() >= items_max || bytes_ >= bytes_max) store();
        }
        store();
    }

    void store() {
        if (items_.empty()) return;
        if (!queue_) open();
        std::vector<NewItem> views;
        views.reserve(items_.size());
        for (const LineItem& item : items_) views.push_back(item.view());
        const auto answers = queue_->enqueue(views);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            if (session_.json) {
                session_.out.json({{"line", numbers_[i]},
                                   {"key", items_[i].key},
                                   {"result", to_string(answers[i])}});
            } else {
                session_.out.line(to_string(answers[i]));
            }
            worst_ = std::max(worst_, exit_of(answers[i]));
        }
        total_ += answers.size();
        items_.clear();
        numbers_.clear();
        bytes_ = 0;
        session_.out.flush();
    }

    void open() {
        queue_.emplace(options_);
        lines_.limit(line_bytes_max(*queue_->options().payload_bytes_max));
    }

    // JSON may write a byte as \u00XX, six bytes long: a payload at its limit always fits.
    static std::size_t line_bytes_max(std::int64_t payload_bytes_max) {
        constexpr std::size_t most = 1UL << 30U, rest = 64 * 1024;
        return std::min(6 * static_cast<std::size_t>(payload_bytes_max) + rest, most);
    }
    static std::int64_t default_payload_bytes_max() {
        for (const OptionDoc& one : option_docs()) {
            if (one.name == "payload_bytes_max") return std::stoll(one.default_value);
        }
        throw std::logic_error("the option payload_bytes_max is gone");
    }

    Session& session_;
    Options options_;
    Input input_;
    LineReader lines_;
    std::optional<Queue> queue_;
    std::vector<LineItem> items_;
    std::vector<std::int64_t> numbers_;  // the lines of items_
    std::size_t bytes_ = 0;              // of the lines of items_
    std::size_t total_ = 0;
    Exit worst_ = Exit::ok;
};

Exit enqueue(Session& session, const EnqueueArguments& given) {
    if (given.ndjson) return Stream(session, session.options(Migrate::create_only)).run();
    if (!given.key) throw UsageError("enqueue needs an item; allowed: --key KEY, or --ndjson");
    return enqueue_one(session, given);
}

}  // namespace

void add_enqueue_command(CLI::App& app, Session& session) {
    auto given = std::make_shared<EnqueueArguments>();
    CLI::App& command = add_command(app, session, "enqueue",
                                    "Store one item (payload on stdin), or a stream of them.");
    auto* lines = add_switch(command, "--ndjson", given->ndjson,
                             "Read lines {key, tag, payload, track, published_at} from stdin");
    const auto alone = [&](CLI::Option* option) { option->excludes(lines); };
    alone(add_text(command, "--key", given->key, "KEY", "1 to 1024 bytes of UTF-8"));
    alone(add_text(command, "--tag", given->tag, "TAG", "Where it comes from, up to 256 bytes"));
    alone(add_text(command, "--published", given->published, "ISO",
                   "Its publishing time, ISO 8601 with a zone"));
    alone(add_switch(command, "--track", given->track, "Keep its outcome"));
    command.footer(
        "Prints one word an item: stored, duplicate, too_large, refused or no_room.\n"
        "Lines: a payload that is not text is payload_base64 instead; a missing payload is empty;\n"
        "blank lines are skipped. Lines are stored in groups, at the latest when the writer "
        "pauses.\n"
        "At a malformed line the command stores what stood before it, prints `line N: ...` on\n"
        "stderr and exits 3; what follows is not read.\n"
        "Exit codes: 0 all stored, 1 something was not stored or nothing was given, 3 failure");
    command.callback([given, &session] {
        session.action = [given, &session] { return enqueue(session, *given); };
    });
}

}  // namespace headpond::cli
