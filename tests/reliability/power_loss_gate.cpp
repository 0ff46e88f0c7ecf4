// Power cuts: a workload's writes and syncs are recorded, the disk is rebuilt as it may be after a
// cut at every one of them, and the queue is opened again.
//
// What a recovered file may hold is not computed from the rules but observed: after each write the
// file as the workload sees it is read ("all kept"), which gives the chain of committed states. A
// recovered state must be one of them, at or after the last call that was acknowledged as durable.
#include "reliability/gate.h"
#include "reliability/oracle.h"
#include "reliability/shim_vfs.h"
#include "reliability/workload.h"
#include "support/raw_database.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <set>
#include <unordered_map>

namespace headpond::reliability {

namespace {

constexpr std::int64_t sector = 512;
constexpr std::size_t violations_max = 20;

std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed) {
    return std::hash<std::string_view>{}(bytes) ^ (seed * 0x9e3779b97f4a7c15ULL);
}

// --- the disk ------------------------------------------------------------------------------------

// One file: what a sync has made certain, and the changes since.
struct DiskFile {
    std::string durable;
    std::vector<const DiskEvent*> pending;

    static void apply(std::string& bytes, const DiskEvent& event) {
        if (event.kind == DiskEvent::Kind::truncate) {
            bytes.resize(static_cast<std::size_t>(event.offset));
        } else {
            put(bytes, event.offset, event.data);
        }
    }
    static void put(std::string& bytes, std::int64_t offset, std::string_view data) {
        const auto end = static_cast<std::size_t>(offset) + data.size();
        if (bytes.size() < end) bytes.resize(end);
        std::copy(data.begin(), data.end(), bytes.begin() + offset);
    }
    void sync() {
        for (const DiskEvent* event : pending) apply(durable, *event);
        pending.clear();
    }
};

// What of the pending changes a cut leaves.
enum class Cut { drop_all, keep_all, some, torn };

std::string after_cut(const DiskFile& file, Cut cut, std::mt19937_64& random) {
    std::string bytes = file.durable;
    if (cut == Cut::drop_all) return bytes;
    for (const DiskEvent* event : file.pending) {
        if (cut == Cut::keep_all) {
            DiskFile::apply(bytes, *event);
            continue;
        }
        if (cut == Cut::some || event->kind == DiskEvent::Kind::truncate) {
            if (random() % 2 == 0) DiskFile::apply(bytes, *event);
            continue;
        }
        const auto size = static_cast<std::int64_t>(event->data.size());
        for (std::int64_t from = 0; from < size;) {  // sectors of the file, not of the write
            const std::int64_t upto =
                std::min(size, ((event->offset + from) / sector + 1) * sector - event->offset);
            if (random() % 2 == 0) {
                DiskFile::put(bytes, event->offset + from,
                              std::string_view(event->data)
                                  .substr(static_cast<std::size_t>(from),
                                          static_cast<std::size_t>(upto - from)));
            }
            from = upto;
        }
    }
    return bytes;
}

// --- the recording -------------------------------------------------------------------------------

struct Recording {
    std::vector<DiskEvent> events;
    // Calls that were acknowledged as durable: how many events had happened.
    std::vector<std::size_t> durable_after;
    std::string history;
    std::int64_t unsynced_leases = 0;  // leases that took a batch and made no sync
};

Recording record(const std::filesystem::path& path, Durability durability, std::uint64_t seed,
                 int rounds) {
    Recording recording;
    auto& vfs = ShimVfs::instance();
    vfs.reset();
    vfs.record([&](const DiskEvent& event) {
        if (event.file == path.string() || event.file == path.string() + "-wal" ||
            event.file == path.string() + "-journal") {
            recording.events.push_back(event);
        }
    });
    History history;
    std::int64_t syncs = 0;
    bool unsynced = false;  // the last call
    Workload::Order order{.path = path, .durability = durability, .seed = seed, .rounds = rounds};
    order.after_call = [&](bool durable) {
        if (durable) recording.durable_after.push_back(recording.events.size());
        unsynced = vfs.syncs() == syncs;
        syncs = vfs.syncs();
    };
    order.holding = [&](bool held) { recording.unsynced_leases += held && unsynced ? 1 : 0; };
    Workload(order, history).run();
    vfs.record(nullptr);
    recording.history = history.text();
    return recording;
}

// --- what a file holds ---------------------------------------------------------------------------

// All rows of all tables as one hash: two files with the same digest hold the same queue. 0: no
// queue yet.
std::uint64_t digest(const std::filesystem::path& path) {
    test::RawDatabase raw(path.string());
    std::uint64_t sum = 0;
    const auto tables = raw.rows(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "ORDER BY name");
    for (const auto& table : tables) {
        for (const auto& row : raw.rows("SELECT * FROM " + table[0] + " ORDER BY 1")) {
            for (const auto& value : row) sum = hash_of(value, sum + 1);
        }
        sum = hash_of(table[0], sum + 1);
    }
    return sum;
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// --- cutting -------------------------------------------------------------------------------------

class Cutting {
  public:
    Cutting(const GateRun& run, Durability durability, std::uint64_t seed)
        : durability_(durability),
          seed_(seed),
          source_(run.memory / "source" / "queue.db"),
          target_(run.memory / "after" / "queue.db"),
          random_(run.random(seed)),
          a_try_(run.amount < 5000) {
        std::filesystem::create_directories(source_.parent_path());
        std::filesystem::create_directories(target_.parent_path());
        // A small amount is a try: of a short life.
        recording_ = record(source_, durability, seed, a_try_ ? 8 : 40);
        std::filesystem::remove_all(source_.parent_path());
    }

    // Adds states until there are `wanted` more, or nothing new comes.
    void run(std::int64_t wanted, GateReport& report) {
        report_ = &report;
        if (recording_.unsynced_leases == 0) {
            report.violation("every lease synced: it needs no sync (rule 12)");
        }
        walk({Cut::keep_all});
        walk({Cut::drop_all});
        wanted_ = std::max(wanted, states() + wanted / 2);
        walk({Cut::some, Cut::torn});
        for (int pass = 0; pass < 8 && !enough(); ++pass) {
            walk({Cut::some, Cut::torn, Cut::some, Cut::torn});
        }
    }
    [[nodiscard]] std::int64_t states() const { return static_cast<std::int64_t>(seen_.size()); }
    [[nodiscard]] std::size_t events() const { return recording_.events.size(); }

  private:
    [[nodiscard]] bool enough() const {
        return states() >= wanted_ || report_->violations.size() >= violations_max;
    }

    void walk(const std::vector<Cut>& cuts) {
        DiskFile db, log, journal;
        std::size_t acknowledged = 0;  // events before the last durable call's end
        auto next_call = recording_.durable_after.begin();
        for (std::size_t i = 0; i < recording_.events.size(); ++i) {
            const DiskEvent& event = recording_.events[i];
            DiskFile& file = event.file.ends_with("-wal")       ? log
                             : event.file.ends_with("-journal") ? journal
                                                                : db;
            if (event.kind == DiskEvent::Kind::sync) {
                file.sync();
            } else if (event.kind == DiskEvent::Kind::remove) {
                file = {};
            } else {
                file.pending.push_back(&event);
            }
            while (next_call != recording_.durable_after.end() && *next_call <= i + 1) {
                acknowledged = *next_call++;
            }
            for (const Cut cut : cuts) {
                const bool random = cut == Cut::some || cut == Cut::torn;
                if (random && enough()) return;
                if (report_->violations.size() >= violations_max) return;
                try_one({after_cut(db, cut, random_), after_cut(log, cut, random_),
                         after_cut(journal, cut, random_)},
                        cut, i, acknowledged);
            }
        }
    }

    // The files as a cut left them. The journal is that of the file's first transaction, before it
    // has a log.
    struct Disk {
        std::string db, log, journal;
    };

    void put(const Disk& disk) const {
        write_file(target_, disk.db);
        write_file(target_.string() + "-wal", disk.log);
        std::filesystem::remove(target_.string() + "-journal");
        if (!disk.journal.empty()) write_file(target_.string() + "-journal", disk.journal);
        std::filesystem::remove(target_.string() + "-shm");
        std::filesystem::remove(target_.string() + "-owners");
    }

    void try_one(const Disk& disk, Cut cut, std::size_t event, std::size_t acknowledged) {
        const std::uint64_t state = hash_of(disk.journal, hash_of(disk.log, hash_of(disk.db, 1)));
        // A state that was seen before may be too old for this event.
        const auto known = seen_.find(state);
        const bool fresh = known == seen_.end();
        if (fresh) put(disk);
        std::string trouble;
        try {
            const std::uint64_t found = fresh ? digest(target_) : known->second;
            seen_.emplace(state, found);
            if (cut == Cut::keep_all) {
                last_[found] = event;
            }
            const auto it = last_.find(found);
            if (it == last_.end()) {
                trouble = "holds what was never committed";
            } else if (durability_ == Durability::power_loss && !committed(found, acknowledged)) {
                trouble = "lost a call that was acknowledged as durable";
            }
        } catch (const std::exception& error) {
            trouble = error.what();
            seen_.emplace(state, 0);
        }
        // In a try the chain is only looked at.
        if (fresh && !(a_try_ && cut == Cut::keep_all)) {
            for (const auto& broken : broken_invariants(target_, Workload::items_highest))
                trouble += "; " + broken;
        }
        if (trouble.empty()) return;
        constexpr const char* names[] = {"drop all", "keep all", "some", "torn"};
        report_->violation("seed " + std::to_string(seed_) + ", event " + std::to_string(event) +
                           " (" + names[static_cast<int>(cut)] + "): " + trouble);
    }

    // Whether the state is the last durable call's, or a later one's.
    [[nodiscard]] bool committed(std::uint64_t state, std::size_t acknowledged) const {
        return acknowledged == 0 || last_.at(state) + 1 >= acknowledged;
    }

    const Durability durability_;
    const std::uint64_t seed_;
    const std::filesystem::path source_, target_;
    std::mt19937_64 random_;
    const bool a_try_;
    Recording recording_;
    std::unordered_map<std::uint64_t, std::uint64_t> seen_;  // state of the disk, its digest
    std::unordered_map<std::uint64_t, std::size_t> last_;    // the last event that shows a state
    std::int64_t wanted_ = 0;
    GateReport* report_ = nullptr;
};

// As many workloads as it takes; answers the number of distinct states.
std::int64_t cut_power(const GateRun& run, Durability durability, std::int64_t states,
                       GateReport& report) {
    std::int64_t reached = 0;
    for (std::uint64_t seed = run.seed; reached < states; ++seed) {
        Cutting cutting(run, durability, seed);
        // At most this share from one workload, so that several are tried.
        cutting.run(std::min(states - reached, std::max<std::int64_t>(states / 4, 200)), report);
        reached += cutting.states();
        if (report.violations.size() >= violations_max) break;
    }
    return reached;
}

GateReport power_loss(const GateRun& run) {
    GateReport report;
    const std::int64_t durable = cut_power(run, Durability::power_loss, run.amount, report);
    const std::int64_t crash = cut_power(run, Durability::process_crash, run.amount / 6, report);
    report.reached = std::to_string(durable) + " states at power_loss, " + std::to_string(crash) +
                     " at process_crash, " + std::to_string(report.violations.size()) +
                     " violations";
    report.enough = durable >= 30'000 && crash >= 5'000;
    return report;
}

const Registered registered{
    {.name = "power loss",
     .promised = ">= 30000 distinct states at power_loss, 5000 at process_crash, 0 violations",
     .amount = 30'000,
     .unit = "states",
     .run = power_loss}};

}  // namespace

}  // namespace headpond::reliability
