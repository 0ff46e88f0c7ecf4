// The file <db>-owners: kernel locks that say who is alive and whose turn it is, and a byte that
// wakes waiters. One descriptor of its own a queue, so that open-file-description locks of two
// queues in one process exclude each other.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace headpond::platform {

// Thread safety: lock_owner, probe and wake from any thread; take_turn and end_turn by one at a
// time. The descriptor is close-on-exec, and closed in a forked child, which would else keep the
// locks.
class SideFile {
  public:
    // Opens or creates it with `mode`, owned as the database (uid, gid; where we may). Throws io.
    SideFile(const std::string& database, unsigned mode, unsigned uid, unsigned gid);
    SideFile(const SideFile&) = delete;
    SideFile& operator=(const SideFile&) = delete;
    ~SideFile();

    // The kernel frees the lock however this process ends. Throws io.
    void lock_owner(std::int64_t owner_id);
    void unlock_owner(std::int64_t owner_id) noexcept;
    // True: somebody else holds the lock of that owner. A descriptor sees its own locks as free.
    [[nodiscard]] bool held(std::int64_t owner_id) const;
    [[nodiscard]] std::uint64_t inode() const noexcept { return inode_; }

    // The turnstile: byte 1 queues, byte 0 is the turn. Whoever leaves either rings, and who waits
    // asks again at the ring, or after 100 us (for the turn) to 5 ms (in the queue): a process that
    // was killed rings no more. For a millisecond after it got its turn a process may take it again
    // without queueing. False when `deadline` has passed.
    [[nodiscard]] bool take_turn(std::chrono::steady_clock::time_point deadline);
    // `back_soon`: this process may come back within that millisecond, and others need not be woken
    // for what is between.
    void end_turn(bool back_soon = false) noexcept;

    // Wakes whoever watches the file with inotify.
    void wake() noexcept;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    // False in a child of the process that opened it.
    [[nodiscard]] bool usable() const noexcept { return fd_ >= 0; }

  private:
    friend struct ForkRegistry;
    [[nodiscard]] bool lock(std::int64_t byte) const;
    void unlock(std::int64_t byte) const noexcept;
    [[nodiscard]] bool await(std::int64_t byte, std::size_t bell, std::chrono::microseconds pause,
                             std::chrono::steady_clock::time_point deadline);
    void hang_bells(std::int64_t bytes) noexcept;
    void ring(std::size_t bell) const noexcept;
    void listen(std::size_t bell, std::chrono::nanoseconds limit) const noexcept;

    std::string path_;
    int fd_ = -1;
    std::uint64_t inode_ = 0;
    std::chrono::steady_clock::time_point comes_back_until_{};
    // Two words of the file, for the kernel's futex alone: another's truncation of the file would
    // make an access a SIGBUS. Null: none could be had.
    void* bells_ = nullptr;
};

// Waits for a wake() on a side file, from this process or another.
class Waiter {
  public:
    explicit Waiter(std::string side_file);
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter();
    // Before the first wait(): a wake from here on is not missed. Not done at once, because to end
    // a watch costs some 10 ms, and most who open a queue never wait.
    void watch();
    // Returns at a wake, at interrupt(), or after `limit`; by one thread at a time.
    void wait(std::chrono::milliseconds limit);
    // From any thread.
    void interrupt() noexcept;

  private:
    const std::string side_file_;
    bool watched_ = false;
    int inotify_ = -1;  // -1: no watch could be had; wait() then only sleeps until its limit
    int event_ = -1;
};

}  // namespace headpond::platform
