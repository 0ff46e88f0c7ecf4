// Hand edits: two processes work on a file while its rows are changed in the shell. They go on, the
// command line's check names what is off, and its repair books it.
#ifdef HEADPOND_CLI  // not without the tools

#include "reliability/file_watch.h"
#include "reliability/gate.h"
#include "reliability/shared.h"
#include "support/child_process.h"
#include "support/raw_database.h"

#include <headpond/headpond.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace headpond::reliability {

namespace {

constexpr int workers = 2;

// What the workers say of themselves, readable while they run and after their death.
struct Board {
    std::atomic<bool> stop{false};
    std::array<std::atomic<std::int64_t>, workers> rounds{};
    std::array<std::atomic<std::int64_t>, workers> settled{};
    std::array<std::atomic<std::int64_t>, workers> errors{};
    char error[workers][300] = {};
};

Options options_of(const std::filesystem::path& path) {
    Options options;
    options.path = path;
    options.durability = Durability::process_crash;
    options.log = [](LogLevel, std::string_view) {};
    options.backoff_base = options.release_delay_min = Ms{0};
    return options;
}

void work(const std::filesystem::path& path, int worker, std::uint64_t seed, Board& board) {
    const auto me = static_cast<std::size_t>(worker);
    std::mt19937_64 random(seed);
    Queue queue(options_of(path));
    for (int key = 0; !board.stop; ++board.rounds[me]) {
        try {
            for (std::uint64_t n = 1 + random() % 4; n > 0; --n) {
                const std::string name = "w" + std::to_string(worker) + "-" + std::to_string(++key);
                (void)queue.enqueue({.key = name,
                                     .payload = std::string(random() % 500, 'p'),
                                     .tracking = Tracking::tracked});
            }
            if (auto batch = queue.lease()) {
                constexpr std::array rests{Rest::ack,  Rest::ack,   Rest::ack,
                                           Rest::nack, Rest::split, Rest::release};
                const Settled settled = batch->settle({.rest = rests[random() % rests.size()]});
                board.settled[me] += settled.acked;
            }
            std::vector<std::int64_t> ids;
            for (const auto& outcome : queue.outcomes(10)) ids.push_back(outcome.item_id);
            (void)queue.forget(ids);
            if (random() % 200 == 0) (void)queue.cleanup();
            (void)queue.health();
        } catch (const Error& error) {
            board.errors[me] += 1;
            std::strncpy(board.error[worker], error.what(), sizeof board.error[worker] - 1);
        }
    }
}

// One statement, as a person would type it.
class Editor {
  public:
    explicit Editor(std::mt19937_64 random) : random_(random) {}

    std::string next() {
        const std::string n = std::to_string(random_() % 400);
        const std::string some = " ORDER BY random() LIMIT " + std::to_string(1 + random_() % 3);
        const std::string items = "(SELECT id FROM items" + some + ")";
        const std::string batches = "(SELECT id FROM batches" + some + ")";
        const std::string key = "'hand-" + std::to_string(++keys_) + "'";
        const std::string below =
            "(SELECT max(seq - 1 - " + n + ", 1) FROM sqlite_sequence WHERE name = 'items')";
        const std::vector<std::string> all{
            "DELETE FROM items WHERE id IN " + items,
            "DELETE FROM items WHERE id IN (SELECT i.id FROM items i, batches b WHERE i.id BETWEEN "
            "b.first_id AND b.last_id)",
            "INSERT INTO items (key, payload, enqueued_at) VALUES (" + key +
                ", x'0102', (SELECT seen_at FROM clock))",
            "INSERT OR IGNORE INTO items (id, key, payload, enqueued_at) VALUES (" + below + ", " +
                key + ", x'01', (SELECT seen_at FROM clock))",
            "UPDATE items SET payload = zeroblob(" + n + ") WHERE id IN " + items,
            "DELETE FROM batches WHERE id IN " + batches,
            "UPDATE batches SET items = items + 1, bytes = " + n + " WHERE id IN " + batches,
            "UPDATE batches SET last_id = last_id + 3 WHERE id IN " + batches,
            "UPDATE batches SET state = 'waiting', not_before = 0 WHERE id IN " + batches,
            "UPDATE batches SET not_before = not_before + " + n + " WHERE id IN " + batches,
            "INSERT OR IGNORE INTO batches (state, first_id, last_id, items, bytes, not_before, "
            "created_at) VALUES ('waiting', " +
                below + ", " + below + " + 2, 3, 3, 0, 0)",
            "DELETE FROM outcomes WHERE item_id IN (SELECT item_id FROM outcomes" + some + ")",
            "INSERT OR IGNORE INTO outcomes (item_id, key, state, queued_at, settled_at) VALUES (" +
                n + ", " + key + ", 'resolved', 0, 0)",
            "DELETE FROM dead_letters WHERE item_id IN (SELECT item_id FROM dead_letters" + some +
                ")",
            "INSERT OR IGNORE INTO dead_letters (item_id, key, source_tag, payload, enqueued_at, "
            "tracked, reason, died_at) VALUES (" +
                n + ", " + key + ", '', x'01', 0, 1, 'rejected', (SELECT seen_at FROM clock))",
            "UPDATE settings SET value = " + std::to_string(5 + random_() % 300) +
                " WHERE name = 'items_max'",
            "UPDATE settings SET value = " + std::to_string(1 + random_() % 30) +
                " WHERE name IN ('batch_items_max', 'attempts_max')",
            "UPDATE gate SET state = 'half_open', trial_batch_id = " + n,
            "UPDATE gate SET state = 'closed', until = (SELECT seen_at + " + n + " FROM clock)",
            "UPDATE gate SET state = 'open', until = NULL, trial_batch_id = NULL"};
        return all[random_() % all.size()];
    }

  private:
    std::mt19937_64 random_;
    int keys_ = 0;
};

struct Ended {
    int exit = -1;
    std::string text;
};
Ended run_command(const std::string& command) {
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("popen failed");
    Ended ended;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;) ended.text += static_cast<char>(c);
    const int status = pclose(pipe);
    ended.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ended;
}

class Editing {
  public:
    Editing(const GateRun& run, GateReport& report)
        : run_(run), report_(report), editor_(run.random(1)), path_(run.memory / "queue.db") {}

    void edit_all() {
        const auto seeds = run_.seed * 2;
        const auto body = [&](int worker) {
            return [&, worker](const test::ChildProcess::Parent& parent) {
                work(path_, worker, seeds + static_cast<std::uint64_t>(worker), board_);
                parent.send("done");
            };
        };
        const test::ChildProcess first(body(0));
        const test::ChildProcess second(body(1));
        wait_for_rounds("the start");
        for (std::int64_t i = 0; i < run_.amount && report_.violations.size() < 10; ++i) edit();
        edit("UPDATE gate SET state = 'open', until = NULL, trial_batch_id = NULL");
        wait_for_rounds("the last edit");
        board_.stop = true;
        for (const auto* child : {&first, &second}) {
            const std::string end = child->receive();
            if (end != "done") report_.violation("a worker ended: '" + end + "'");
        }
        judge_workers();
    }
    void judge_repair() {
        damage("1");
        const Ended found = cli("check");
        if (found.exit != 2) unexpected("check of an edited file", found, "2");
        const Ended repaired = cli("check --repair");
        if (repaired.exit > 1) unexpected("check --repair", repaired, "0 or 1");
        judge_counts();
        damage("2");
        Queue queue(options_of(path_));
        queue.cleanup();
        judge_counts();
        // The workers' releases may have closed it.
        edit("UPDATE gate SET state = 'open', until = NULL, trial_batch_id = NULL");
        while (auto batch = queue.lease({.wait = Ms{1'000}})) batch->ack();
        test::RawDatabase raw(path_);
        const std::string left = raw.text("SELECT group_concat(key) FROM items");
        if (!left.empty()) report_.violation("never leased: " + left.substr(0, 200));
        edited = raw.integer("SELECT edited FROM totals");
    }
    std::int64_t edits = 0, edited = 0;
    [[nodiscard]] std::int64_t rounds() const { return board_.rounds[0] + board_.rounds[1]; }

  private:
    void edit() { edit(editor_.next()); }
    void edit(const std::string& statement) {
        const auto file = run_.memory / "edit.sql";
        std::ofstream(file) << ".timeout 5000\nPRAGMA wal_autocheckpoint=0;\n"
                            << statement << ";\n";
        const Ended ended =
            run_command("sqlite3 -bail '" + path_.string() + "' < '" + file.string() + "'");
        // A range that meets another's first_id is refused by the schema.
        const bool refused = ended.text.find("constraint failed") != std::string::npos;
        if (ended.exit != 0 && !refused) unexpected(statement, ended, "0");
        edits += ended.exit == 0 ? 1 : 0;
        if (!board_.stop) wait_for_rounds(statement);
    }
    // Two items, of which the first is below the last batch and in none; and a wrong count.
    void damage(const std::string& n) {
        edit("INSERT INTO items (key, payload, enqueued_at) VALUES ('orphan-" + n +
             "', x'01', (SELECT seen_at FROM clock)), ('last-" + n +
             "', x'01', (SELECT seen_at FROM clock)); INSERT INTO batches (state, first_id, "
             "last_id, items, bytes, not_before, created_at) SELECT 'waiting', max(id), max(id), "
             "1, 1, 0, 0 FROM items");
        edit("UPDATE batches SET items = items + 1");
    }
    void judge_counts() {
        const Ended clean = cli("check");
        if (clean.exit > 1) unexpected("check after the repair", clean, "0 or 1");
        test::RawDatabase raw(path_);
        const auto off = raw.integer("SELECT difference FROM ledger");
        if (off != 0) report_.violation("the ledger is off by " + std::to_string(off));
        const auto counted = raw.integer(
            "SELECT outcomes <> (SELECT count(*) FROM outcomes) OR dead_letters <> "
            "(SELECT count(*) FROM dead_letters) FROM totals");
        if (counted != 0) report_.violation("outcomes or dead letters are counted wrong");
        const auto orphans = raw.integer(
            "SELECT count(*) FROM items i WHERE id < (SELECT max(first_id) FROM batches) AND NOT "
            "EXISTS (SELECT 1 FROM batches WHERE i.id BETWEEN first_id AND last_id)");
        if (orphans != 0) report_.violation(std::to_string(orphans) + " items are in no batch");
    }
    void wait_for_rounds(const std::string& after) {
        const std::array<std::int64_t, workers> before{board_.rounds[0], board_.rounds[1]};
        const Deadline end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (board_.rounds[0] < before[0] + 2 || board_.rounds[1] < before[1] + 2) {
            if (passed(end)) {
                report_.violation("no progress in 10 s after: " + after);
                return;
            }
            spend(1);
        }
    }
    void judge_workers() {
        for (int worker = 0; worker < workers; ++worker) {
            const auto me = static_cast<std::size_t>(worker);
            if (board_.errors[me] > 0) {
                report_.violation("a worker met " + std::to_string(board_.errors[me]) +
                                  " errors, the last: " + board_.error[worker]);
            }
            if (board_.settled[me] == 0) report_.violation("a worker acked nothing");
        }
    }
    [[nodiscard]] Ended cli(const std::string& command) const {
        return run_command(std::string(HEADPOND_CLI) + " --db '" + path_.string() + "' " + command);
    }
    void unexpected(const std::string& what, const Ended& ended, const std::string& allowed) {
        report_.violation(what + " ended with " + std::to_string(ended.exit) +
                          "; allowed: " + allowed + ": " + ended.text.substr(0, 300));
    }

    const GateRun& run_;
    GateReport& report_;
    Editor editor_;
    const std::filesystem::path path_;
    const Shared<Board> shared_;
    Board& board_ = *shared_;
};

GateReport hand_edits(const GateRun& run) {
    GateReport report;
    Editing editing(run, report);
    editing.edit_all();
    editing.judge_repair();
    report.reached = std::to_string(editing.edits) + " edits beside " +
                     std::to_string(editing.rounds()) + " rounds of two processes, " +
                     std::to_string(editing.edited) + " booked as edited";
    report.enough = editing.edits >= run.amount * 9 / 10 && run.amount >= 200;
    return report;
}

const Registered registered{{.name = "hand edits",
                             .promised = ">= 180 of 200 edits made, no error, check and repair",
                             .amount = 200,
                             .unit = "edits",
                             .run = hand_edits}};

}  // namespace

}  // namespace headpond::reliability

#endif
