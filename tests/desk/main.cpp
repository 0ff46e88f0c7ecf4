// A news desk's day, run fast: headpond-ingest follows 200 feeds with a service that is down a
// tenth of the time. headpond-desk-day [SECONDS [SEED [ALERTS A SECOND]]]; exit 0: all held, 1:
// something did not.
#include "desk/news.h"
#include "support/program.h"
#include "support/temp_dir.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include <sqlite3.h>

namespace headpond::test {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// KiB, from the first third to the last: what the tool remembers of the last 65 536 alerts and
// batches, which a short day does not fill.
constexpr std::int64_t memory_growth_max = 12 * 1024;
// The queue's own tables when they are empty, without `attempts`, which keeps 10 000 rows.
constexpr std::int64_t queue_pages_max = 60;

class Database {
  public:
    explicit Database(std::filesystem::path path) : path_(std::move(path)) {}
    // The first column of the first row; -1 while there is no such table yet.
    [[nodiscard]] std::int64_t number(const std::string& sql) const {
        sqlite3* handle = nullptr;
        std::int64_t value = -1;
        if (sqlite3_open_v2(path_.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
            sqlite3_busy_timeout(handle, 5000);
            sqlite3_stmt* row = nullptr;
            if (sqlite3_prepare_v2(handle, sql.c_str(), -1, &row, nullptr) == SQLITE_OK &&
                sqlite3_step(row) == SQLITE_ROW) {
                value = sqlite3_column_int64(row, 0);
            }
            sqlite3_finalize(row);
        }
        sqlite3_close(handle);
        return value;
    }

  private:
    std::filesystem::path path_;
};

// Of /proc/PID/status, in KiB.
std::int64_t resident_kib(const std::string& pid) {
    std::ifstream status("/proc/" + pid + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) return std::stoll(line.substr(6));
    }
    return 0;
}

std::int64_t size_of(const std::filesystem::path& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    return error ? 0 : static_cast<std::int64_t>(size);
}

class Day {
  public:
    Day(double seconds, std::uint64_t seed, double rate)
        : seconds_(seconds),
          seed_(seed),
          rate_(rate),
          news_(200, 4, seed),
          service_(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000 / 20))) {}

    int run() {
        start();
        live();
        drain();
        stop();
        report();
        return failures_ == 0 ? 0 : 1;
    }

  private:
    // Through a shell, for stderr would fill its pipe; the shell leaves its process to the tool.
    void start() {
        std::ofstream script(dir_ / "start.sh");
        script << "echo $$ > pid; exec '" HEADPOND_BUILD_DIR
                  "/bin/headpond-ingest' --json --db desk.db "
                  "--durability process_crash --resolver moonshot --follow 1 --host-delay 0";
        for (const std::string& address : news_.addresses()) script << ' ' << address;
        script << " 2> log\n";
        script.close();
        ProgramOptions how{.arguments = {"start.sh"}, .directory = dir_.path()};
        how.environment = {
            {"MOONSHOT_API_KEY", "sk-desk"},      {"MOONSHOT_BASE_URL", service_.address()},
            {"MOONSHOT_CALL_TIMEOUT", "5"},       {"MOONSHOT_BREAKER_CLOSED", "0.5"},
            {"MOONSHOT_BREAKER_CLOSED_MAX", "2"}, {"MOONSHOT_BATCH_TIME_THRESHOLD_SECONDS", "0.5"},
            {"MOONSHOT_BACKOFF_BASE", "0.05"},    {"MOONSHOT_RELEASE_DELAY_MIN", "0.05"},
            {"MOONSHOT_CLEANUP_INTERVAL", "5"}};
        tool_ = std::make_unique<Program>("/bin/sh", how);
    }

    void live() {
        const auto begin = Clock::now();
        double next_look = 1;
        for (std::int64_t alert = 0;; ++alert) {
            const double due = static_cast<double>(alert) / rate_;
            if (due >= seconds_) break;
            std::this_thread::sleep_until(
                begin + std::chrono::duration_cast<Clock::duration>(Seconds(due)));
            news_.add();
            if (due >= next_look) {
                look(due / seconds_);
                next_look += 1;
            }
        }
    }

    void look(double part) {
        const std::int64_t kib = resident_kib(pid());
        if (part < 1.0 / 3) memory_first_ = std::max(memory_first_, kib);
        if (part > 1.0 / 3 && part < 2.0 / 3) memory_second_ = std::max(memory_second_, kib);
        if (part > 2.0 / 3) memory_last_ = std::max(memory_last_, kib);
        log_max_ = std::max(log_max_, size_of(dir_ / "desk.db-wal"));
        waiting_max_ = std::max(waiting_max_, database_.number("SELECT count(*) FROM items"));
    }

    void drain() {
        service_.mend();
        const auto give_up = Clock::now() + std::chrono::seconds(60);
        while (
            Clock::now() < give_up &&
            (database_.number("SELECT count(*) FROM alerts") < news_.added() || pending() != 0)) {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    }

    void stop() {
        tool_->signal(SIGTERM);
        exit_ = tool_->finish().exit;
    }

    void report() {
        std::cout << seconds_ << " s, seed " << seed_ << ": " << news_.added()
                  << " alerts in 200 feeds, " << news_.requests() << " requests ("
                  << news_.unchanged() << " unchanged, " << news_.failed()
                  << " failed); the service answered " << service_.answered()
                  << " calls and failed " << service_.refused() << "\n";
        expect("exit code", exit_, exit_ == 0);
        const std::int64_t alerts = database_.number("SELECT count(*) FROM alerts");
        expect("alerts stored", alerts, alerts == news_.added());
        expect("of them pending", pending(), pending() == 0);
        const std::int64_t located = database_.number(
            "SELECT count(*) FROM alerts WHERE location_method = 'moonshot_batch'");
        expect("located by the service", located, located == alerts);
        equal("ledger difference", "SELECT difference FROM ledger", 0);
        equal("range faults", "SELECT count(*) FROM range_faults", 0);
        equal("items left", "SELECT count(*) FROM items", 0);
        equal("outcomes left", "SELECT count(*) FROM outcomes", 0);
        // Of the last 10 000, which the table keeps.
        equal("attempts neither acked nor released",
              "SELECT count(*) FROM attempts WHERE outcome NOT IN ('acked', 'released')", 0);
        expect("calls that failed", service_.refused(), service_.refused() > 0);
        expect("most waiting at once", waiting_max_, waiting_max_ <= 1000);
        expect("memory in the first third, KiB", memory_first_, memory_first_ > 0);
        expect("memory in the second third, KiB", memory_second_, memory_second_ > 0);
        expect("memory in the last third, KiB", memory_last_,
               memory_last_ <= memory_first_ + memory_growth_max);
        expect("longest log, bytes", log_max_, log_max_ <= 8 << 20);
        const std::int64_t pages = database_.number(
            "SELECT count(*) FROM dbstat WHERE name NOT LIKE '%alerts%' AND name NOT LIKE "
            "'%feeds%' AND name <> 'attempts'");
        expect("pages of the queue, drained", pages, pages >= 0 && pages <= queue_pages_max);
        if (failures_ > 0) show_log();
    }

    void show_log() {
        std::ifstream log(dir_ / "log");
        std::deque<std::string> last;
        for (std::string line; std::getline(log, line);) {
            last.push_back(line);
            if (last.size() > 20) last.pop_front();
        }
        for (const std::string& line : last) std::cout << "  " << line << '\n';
    }

    [[nodiscard]] std::int64_t pending() const {
        return database_.number(
            "SELECT count(*) FROM alerts WHERE location_method = 'batch_pending'");
    }
    std::string pid() {
        std::string text;
        std::ifstream(dir_ / "pid") >> text;
        return text;
    }
    void expect(const char* what, std::int64_t value, bool held) {
        std::printf("  %-38s %10lld%s\n", what, static_cast<long long>(value),
                    held ? "" : "  DID NOT HOLD");
        std::fflush(stdout);
        failures_ += held ? 0 : 1;
    }
    void equal(const char* what, const std::string& sql, std::int64_t wanted) {
        const std::int64_t value = database_.number(sql);
        expect(what, value, value == wanted);
    }

    double seconds_;
    std::uint64_t seed_;
    double rate_;
    TempDir dir_;
    News news_;
    TroubledService service_;
    Database database_{dir_ / "desk.db"};
    std::unique_ptr<Program> tool_;
    std::int64_t memory_first_ = 0, memory_second_ = 0, memory_last_ = 0, log_max_ = 0,
                 waiting_max_ = 0;
    int exit_ = -1;
    int failures_ = 0;
};

}  // namespace
}  // namespace headpond::test

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 120;
    const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    const double rate = argc > 3 ? std::atof(argv[3]) : 150;
    if (seconds < 5 || rate < 1) {
        std::cerr << "headpond-desk-day [SECONDS [SEED [ALERTS A SECOND]]]; allowed: 5 seconds or "
                     "more, 1 alert or more\n";
        return 3;
    }
    return headpond::test::Day(seconds, seed, rate).run();
}
