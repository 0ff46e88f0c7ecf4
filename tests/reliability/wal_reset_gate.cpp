// SQLite's WAL-reset bug (3.7.0 to 3.51.2, sqlite.org/wal.html), replayed: a checkpoint has read
// the log's header; before it looks at how much is already copied, another connection restarts the
// log; the checkpoint then notes more frames as copied than the new log has, and what is later
// written into those frames never reaches the database. The control does it with SQLite alone; the
// library is given the same interleaving, and a foreign writer that tries as often.
#include "reliability/gate.h"
#include "reliability/interleaved_vfs.h"
#include "support/child_process.h"

#include <headpond/headpond.h>

#include <memory>
#include <random>
#include <sstream>

#include <sqlite3.h>

namespace headpond::reliability {

namespace {

// The shape of one try: how far the log reaches before the false note and after it.
struct Shape {
    int large_rows = 0;  // of a page and more each: over wal_bytes_max in one commit
    int small_rows = 0;  // a commit each: the frames that a false note would swallow

    explicit Shape(std::mt19937_64& random)
        : large_rows(static_cast<int>(24 + random() % 24)),
          small_rows(static_cast<int>(1 + random() % 4)) {}
};
constexpr std::int64_t log_max = 64 * 1024;
const std::string large(4000, 'l');
const std::string small(120, 's');

// A connection that keeps off SQLite's own checkpoints, as the README asks of foreigners.
class Connection {
  public:
    Connection(const std::string& path, const char* vfs) {
        const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        if (sqlite3_open_v2(path.c_str(), &handle_, flags, vfs) != SQLITE_OK) {
            throw std::runtime_error("cannot open " + path);
        }
        sqlite3_wal_autocheckpoint(handle_, 0);
        sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, static_cast<int*>(nullptr));
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { sqlite3_close(handle_); }

    bool try_exec(const std::string& sql) {
        return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
    }
    void exec(const std::string& sql) {
        if (!try_exec(sql)) throw std::runtime_error(sqlite3_errmsg(handle_) + (": " + sql));
    }
    // The first column of the first row; the error where there is one.
    std::string text(const std::string& sql) {
        sqlite3_stmt* row = nullptr;
        std::string value;
        const bool found = sqlite3_prepare_v2(handle_, sql.c_str(), -1, &row, nullptr) == 0 &&
                           sqlite3_step(row) == SQLITE_ROW;
        if (found) {
            const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(row, 0));
            value = bytes == nullptr ? "" : bytes;
        } else {
            value = sqlite3_errmsg(handle_);
        }
        sqlite3_finalize(row);
        return value;
    }
    // Whether every frame of the log is now in the database.
    bool checkpoint() {
        int frames = 0;
        int moved = 0;
        return sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames,
                                         &moved) == SQLITE_OK &&
               frames == moved;
    }

  private:
    sqlite3* handle_ = nullptr;
};

// A writer beside the subject, with a table of its own in the same file.
class Foreigner {
  public:
    Foreigner(const std::string& path, std::mt19937_64& random)
        : writer_(path, "unix"), guard_(path, "unix"), random_(random) {
        writer_.exec(
            "PRAGMA busy_timeout=5000; CREATE TABLE foreigner(id INTEGER PRIMARY KEY, "
            "word TEXT UNIQUE); PRAGMA busy_timeout=0");
    }
    bool write() {
        const bool written =
            writer_.try_exec("BEGIN IMMEDIATE; INSERT INTO foreigner(word) VALUES ('" +
                             std::to_string(random_()) + "'); COMMIT");
        rows_ += written ? 1 : 0;
        return written;
    }
    // Its own checkpoint is guarded: only the subject's is on trial.
    bool checkpoint() {
        if (!guard_.try_exec("BEGIN IMMEDIATE")) return false;
        const bool whole = writer_.checkpoint();
        guard_.exec("ROLLBACK");
        return whole;
    }
    // Empty: the file is whole and has what was acknowledged.
    std::string fault(const std::string& table, std::int64_t expected) {
        const std::string whole = writer_.text("PRAGMA integrity_check");
        if (whole != "ok") return "integrity_check: " + whole.substr(0, whole.find('\n'));
        if (expected < 0) return "more acks than items that were stored";
        const std::string rows = writer_.text("SELECT count(*) FROM " + table);
        if (rows != std::to_string(expected)) {
            return rows + " rows in " + table + "; allowed: the " + std::to_string(expected) +
                   " acknowledged";
        }
        const std::string own = writer_.text("SELECT count(*) FROM foreigner");
        if (own == std::to_string(rows_)) return {};
        return own + " rows of the foreign writer; allowed: the " + std::to_string(rows_) +
               " committed";
    }

  private:
    Connection writer_, guard_;
    std::mt19937_64& random_;
    std::int64_t rows_ = 0;
};

// What the moments of one try came to.
struct Moments {
    bool ready = false;   // all frames were copied before the subject's checkpoint
    bool inside = false;  // the foreigner committed inside it
};

void arm(Foreigner& foreigner, Moments& moments) {
    InterleavedVfs::install().arm(
        [&] { moments.ready = foreigner.write() && foreigner.checkpoint(); },
        [&] { moments.inside = foreigner.write(); });
}

// SQLite alone, unguarded; true: it corrupted, or lost what was committed.
bool control_try(const std::string& path, std::mt19937_64& random) {
    const Shape shape(random);
    Connection subject(path, "interleaved");
    subject.exec(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
        "CREATE TABLE rows(id INTEGER PRIMARY KEY, key TEXT UNIQUE, payload TEXT)");
    Foreigner foreigner(path, random);
    std::int64_t rows = 0;
    const auto insert = [&](const std::string& payload) {
        subject.exec("INSERT INTO rows(key, payload) VALUES ('" + std::to_string(random()) +
                     "', '" + payload + "')");
        ++rows;
    };
    const auto insert_large = [&] {
        subject.exec("BEGIN IMMEDIATE");
        for (int i = 0; i < shape.large_rows; ++i) insert(large);
        subject.exec("COMMIT");
    };
    Moments moments;
    arm(foreigner, moments);
    insert_large();
    subject.checkpoint();
    InterleavedVfs::install().disarm();
    for (int i = 0; i < shape.small_rows; ++i) insert(small);
    // Twice, so that the log passes the false note and the end of the next checkpoint shows the
    // hole.
    insert_large();
    insert_large();
    subject.checkpoint();
    return !foreigner.fault("rows", rows).empty();
}

// A library process beside: for every "go" it writes through the queue and says what it did.
void neighbour(const test::ChildProcess::Parent& parent) {
    std::unique_ptr<Queue> queue;
    int next = 0;
    for (std::string path; !(path = parent.receive()).empty();) {
        if (!queue) {
            Options options;
            options.path = path;
            options.log = [](LogLevel, std::string_view) {};
            queue = std::make_unique<Queue>(std::move(options));
        }
        std::int64_t added = 0;
        for (int i = 0; i < 10; ++i) {
            const std::string key = "neighbour " + std::to_string(next++);
            added += queue->enqueue({.key = key, .payload = small}) == Enqueued::stored ? 1 : 0;
        }
        if (auto batch = queue->lease()) added -= batch->ack().acked;
        parent.send(std::to_string(added));
    }
}

class LibraryTries {
  public:
    LibraryTries(std::string path, std::unique_ptr<test::ChildProcess> neighbour,
                 std::mt19937_64& random)
        : path_(std::move(path)),
          neighbour_(std::move(neighbour)),
          random_(random),
          queue_(options()),
          foreigner_(path_, random) {
        // Open before the first try: an open reads, and a reader keeps frames from being copied.
        neighbour_->send(path_);
        resident_ += std::stoll(neighbour_->receive());
    }

    // The fault, empty where the file stood the try.
    std::string run() {
        try {
            return replay();
        } catch (const Error& error) {
            return error.what();
        }
    }
    // Tries that met both moments of the interleaving; those in which the guard kept it out.
    [[nodiscard]] std::int64_t replayed() const { return replayed_; }
    [[nodiscard]] std::int64_t refused() const { return refused_; }

  private:
    std::string replay() {
        const Shape shape(random_);
        neighbour_->send(path_);
        Moments moments;
        arm(foreigner_, moments);
        enqueue(shape.large_rows, large);  // its checkpoint follows the commit
        const bool met = InterleavedVfs::install().met();
        InterleavedVfs::install().disarm();
        replayed_ += met && moments.ready ? 1 : 0;
        refused_ += met && moments.ready && !moments.inside ? 1 : 0;
        resident_ += std::stoll(neighbour_->receive());
        for (int i = 0; i < shape.small_rows; ++i) enqueue(1, small);
        for (int i = 0; i < 2; ++i) enqueue(shape.large_rows, large);
        while (auto batch = queue_.lease()) resident_ -= batch->ack().acked;
        return foreigner_.fault("items", resident_);
    }
    [[nodiscard]] Options options() const {
        Options options;
        options.path = path_;
        options.wal_bytes_max = log_max;
        options.items_max = 100'000;
        options.log = [](LogLevel, std::string_view) {};
        return options;
    }
    void enqueue(int count, const std::string& payload) {
        std::vector<std::string> keys;
        for (int i = 0; i < count; ++i) keys.push_back("key " + std::to_string(next_++));
        std::vector<NewItem> items;
        for (const auto& key : keys) items.push_back({.key = key, .payload = payload});
        for (const Enqueued answer : queue_.enqueue(items)) {
            resident_ += answer == Enqueued::stored ? 1 : 0;
        }
    }

    const std::string path_;
    std::unique_ptr<test::ChildProcess> neighbour_;
    std::mt19937_64& random_;
    Queue queue_;
    Foreigner foreigner_;
    std::int64_t next_ = 0, resident_ = 0, replayed_ = 0, refused_ = 0;
};

// All tries; the shim stays in this process. Sends faults, an empty line, and the counts.
void try_all(const test::ChildProcess::Parent& parent, const GateRun& run) {
    auto beside = std::make_unique<test::ChildProcess>(neighbour);
    InterleavedVfs::install();
    auto random = run.random();
    std::int64_t corrupted = 0;
    for (std::int64_t i = 0; i < run.amount; ++i) {
        const auto path = run.memory / ("control-" + std::to_string(i));
        corrupted += control_try(path, random) ? 1 : 0;
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path.string() + suffix);
        }
    }
    LibraryTries library(run.memory / "queue.db", std::move(beside), random);
    std::string fault;
    for (std::int64_t i = 0; i < run.amount && fault.empty(); ++i) {
        fault = library.run();
        if (!fault.empty()) parent.send("try " + std::to_string(i) + ": " + fault);
    }
    parent.send("");
    std::ostringstream counts;
    counts << corrupted << ' ' << library.replayed() << ' ' << library.refused();
    parent.send(counts.str());
}

GateReport wal_reset(const GateRun& run) {
    GateReport report;
    test::ChildProcess child([&](const auto& parent) { try_all(parent, run); });
    for (std::string line; !(line = child.receive()).empty();) report.violation(line);
    std::int64_t corrupted = 0;
    std::int64_t replayed = 0;
    std::int64_t refused = 0;
    std::istringstream counts(child.receive());
    if (!(counts >> corrupted >> replayed >> refused)) {
        report.violation("the process that tries has ended before its time");
    }
    report.reached = "unguarded: " + std::to_string(corrupted) + " of " +
                     std::to_string(run.amount) + " tries corrupt on SQLite " +
                     sqlite3_libversion() +
                     "; the library's checkpoint: " + std::to_string(report.violations.size()) +
                     " of " + std::to_string(replayed) + ", the foreign write kept out " +
                     std::to_string(refused) + " times";
    report.enough = corrupted > 0 && replayed >= run.amount;
    return report;
}

const Registered registered{{.name = "WAL reset",
                             .promised = "unguarded corrupts, the library's checkpoint does not",
                             .amount = 400,
                             .unit = "tries",
                             .run = wal_reset}};

}  // namespace

}  // namespace headpond::reliability
