// The process's default VFS, wrapped: counts and records what SQLite asks of the disk, and lets any
// call fail. SQLite's own locking and memory map stay as they are.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace headpond::reliability {

// One change of a file, as a disk would see it.
struct DiskEvent {
    enum class Kind { write, truncate, sync, remove };
    Kind kind = Kind::write;
    std::string file;         // whole path
    std::int64_t offset = 0;  // of a write; the size of a truncate
    std::string data;
};

struct Fault {
    enum class What { io_error, full, kill };
    What what = What::io_error;
    std::int64_t at = 0;  // the number of the call, from 1; with `full`, of the write
    bool from_then_on = false;
};

// One for the process: SQLite keeps a VFS for ever. Not thread-safe: for workloads of one thread.
class ShimVfs {
  public:
    // Registers it as the default on first use.
    static ShimVfs& instance();

    // Each change goes to `sink` after it was made; nullptr ends it.
    void record(std::function<void(const DiskEvent&)> sink);
    // Told when this process takes the write lock of a log, and when it gives it back.
    void watch_write_lock(std::function<void(bool held)> watcher) { watcher_ = std::move(watcher); }
    void write_lock(bool held) {
        if (watcher_) watcher_(held);
    }
    // Starts counting anew; the fault strikes at its number.
    void arm(const Fault& fault);
    // Ends faults and counts on.
    void disarm();
    // Starts counting anew, without a fault.
    void reset();
    [[nodiscard]] std::int64_t calls() const { return calls_; }
    [[nodiscard]] std::int64_t writes() const { return writes_; }
    [[nodiscard]] std::int64_t syncs() const { return syncs_; }
    [[nodiscard]] bool struck() const { return struck_; }

    // For the wrapped methods: counts a call; the code to fail with, or SQLITE_OK.
    int strike(int failure, bool is_write);
    void saw(const DiskEvent& event);

  private:
    ShimVfs();
    std::function<void(const DiskEvent&)> sink_;
    std::function<void(bool)> watcher_;
    Fault fault_;
    bool armed_ = false;
    bool struck_ = false;
    std::int64_t calls_ = 0;
    std::int64_t writes_ = 0;
    std::int64_t syncs_ = 0;
};

}  // namespace headpond::reliability
