#include "platform/side_file.h"

#include <headpond/error.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace headpond::platform {

namespace {

constexpr std::int64_t turn_byte = 0;
constexpr std::int64_t queue_byte = 1;
constexpr std::int64_t wake_byte = 2;
constexpr std::int64_t owner_bytes = 4096;
// Words behind those bytes, always 0; the file is made long enough for them.
constexpr std::size_t turn_bell = 0;
constexpr std::size_t queue_bell = 1;
constexpr std::size_t bells_offset = 16;
constexpr std::size_t map_bytes = 64;

void* word_of(void* bells, std::size_t bell) noexcept {
    return static_cast<char*>(bells) + bells_offset + bell * sizeof(std::uint32_t);
}

Error os_error(const std::string& path, const std::string& doing) {
    return {ErrorCode::io, "open", path,
            doing + ": " + std::generic_category().message(errno) +
                "; allowed: a directory, and in it a file of this name, that this user may write"};
}

// The mode is the database's, whatever the umask: who may open that must be able to open this.
int open_or_create(const std::string& path, unsigned mode) {
    constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    for (;;) {
        const int existing = ::open(path.c_str(), flags);
        if (existing >= 0 || errno != ENOENT) return existing;
        const int made = ::open(path.c_str(), flags | O_CREAT | O_EXCL, mode);
        if (made < 0 && errno == EEXIST) continue;  // another was first
        if (made >= 0 && fchmod(made, mode) != 0) errno = 0;
        return made;
    }
}

struct flock range(std::int64_t byte, int type) {
    struct flock one {};
    one.l_type = static_cast<short>(type);
    one.l_whence = SEEK_SET;
    one.l_start = byte;
    one.l_len = 1;
    return one;
}

}  // namespace

// A forked child shares the open file descriptions, and with them the locks: it closes them at
// once, so that they end with the parent.
struct ForkRegistry {
    std::mutex mutex;  // guards files; held across fork, so that the child finds them whole
    std::vector<SideFile*> files;
    // Paths that the parent had open when this process was forked. SQLite's record of its locks is
    // inherited, the locks are not: a connection made here would believe it holds the parent's.
    std::vector<std::string> inherited;

    static ForkRegistry& instance() {
        static auto* registry = new ForkRegistry;  // never destroyed: fork may come late
        return *registry;
    }
    ForkRegistry() {
        pthread_atfork([] { instance().mutex.lock(); }, [] { instance().mutex.unlock(); },
                       [] {
                           for (SideFile* file : instance().files) {
                               ::close(file->fd_);
                               file->fd_ = -1;
                               instance().inherited.push_back(file->path_);
                           }
                           instance().files.clear();
                           instance().mutex.unlock();
                       });
    }
    void refuse_inherited(const std::string& path) {
        const std::lock_guard lock(mutex);
        if (std::find(inherited.begin(), inherited.end(), path) == inherited.end()) return;
        throw Error(ErrorCode::closed, "open", path,
                    "this process was forked from one that has the queue open, and SQLite would "
                    "mistake its locks for its own; allowed: exec a program that opens it, or open "
                    "it only after the fork");
    }
};

SideFile::SideFile(const std::string& database, unsigned mode, unsigned uid, unsigned gid)
    : path_(database + "-owners") {
    auto& registry = ForkRegistry::instance();
    registry.refuse_inherited(path_);
    // A fork between the open and the entry would leave the child a descriptor, and with it our
    // locks, that nobody closes.
    const std::lock_guard lock(registry.mutex);
    registry.files.reserve(registry.files.size() + 1);  // nothing may fail behind the open
    fd_ = open_or_create(path_, mode);
    if (fd_ < 0) throw os_error(path_, "cannot open the side file");
    struct stat facts {};
    if (fstat(fd_, &facts) != 0) {
        const Error error = os_error(path_, "cannot look at the side file");
        ::close(fd_);
        throw error;
    }
    inode_ = facts.st_ino;
    // Best effort: root gives it to the database's owner, so that the owner's processes may open
    // it.
    if (facts.st_uid != uid || facts.st_gid != gid) {
        if (fchown(fd_, uid, gid) != 0) errno = 0;
    }
    hang_bells(facts.st_size);
    registry.files.push_back(this);
}

SideFile::~SideFile() {
    auto& registry = ForkRegistry::instance();
    const std::lock_guard lock(registry.mutex);
    std::erase(registry.files, this);
    if (bells_ != nullptr) munmap(bells_, map_bytes);
    if (fd_ >= 0) ::close(fd_);
}

bool SideFile::lock(std::int64_t byte) const {
    struct flock one = range(byte, F_WRLCK);
    while (fcntl(fd_, F_OFD_SETLK, &one) != 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EACCES) return false;
        throw os_error(path_, "cannot lock the side file");
    }
    return true;
}

void SideFile::unlock(std::int64_t byte) const noexcept {
    struct flock one = range(byte, F_UNLCK);
    while (fcntl(fd_, F_OFD_SETLK, &one) != 0 && errno == EINTR) {
    }
}

void SideFile::lock_owner(std::int64_t owner_id) {
    if (!lock(owner_bytes + owner_id)) {
        throw Error(ErrorCode::io, "open", path_,
                    "the lock of owner " + std::to_string(owner_id) +
                        " is taken already: a process has an earlier file of this name open, which "
                        "was moved or removed; allowed: once that process has closed it");
    }
}

void SideFile::unlock_owner(std::int64_t owner_id) noexcept {
    unlock(owner_bytes + owner_id);
}

bool SideFile::held(std::int64_t owner_id) const {
    struct flock one = range(owner_bytes + owner_id, F_WRLCK);
    while (fcntl(fd_, F_OFD_GETLK, &one) != 0) {
        if (errno != EINTR) throw os_error(path_, "cannot probe the side file");
    }
    return one.l_type != F_UNLCK;
}

// Without them the turn passes by polling alone. The map has a description of its own: one of fd_'s
// would live on in a forked child, and with it our locks.
void SideFile::hang_bells(std::int64_t bytes) noexcept {
    constexpr auto wanted = static_cast<std::int64_t>(map_bytes);
    if (bytes < wanted && ftruncate(fd_, wanted) != 0) return;
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return;
    struct stat facts {};
    if (fstat(fd, &facts) == 0 && facts.st_ino == inode_) {
        void* map = mmap(nullptr, map_bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) bells_ = map;
    }
    ::close(fd);
}

void SideFile::ring(std::size_t bell) const noexcept {
    if (bells_ == nullptr) return;
    (void)syscall(SYS_futex, word_of(bells_, bell), FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void SideFile::listen(std::size_t bell, std::chrono::nanoseconds limit) const noexcept {
    if (bells_ != nullptr) {
        const timespec wait{.tv_sec = 0, .tv_nsec = limit.count()};
        if (syscall(SYS_futex, word_of(bells_, bell), FUTEX_WAIT, 0, &wait, nullptr, 0) == 0)
            return;
        if (errno == ETIMEDOUT || errno == EINTR) return;
    }
    std::this_thread::sleep_for(limit);  // no bell, or somebody wrote to it
}

bool SideFile::await(std::int64_t byte, std::size_t bell, std::chrono::microseconds pause,
                     std::chrono::steady_clock::time_point deadline) {
    while (!lock(byte)) {
        const auto left = deadline - std::chrono::steady_clock::now();
        if (left <= left.zero()) return false;
        listen(bell, std::min<std::chrono::nanoseconds>(pause, left));
    }
    return true;
}

// To hand the turn over costs a switch of processes, and the next one reads anew what this one has
// in its cache: a writer may come back for a while without queueing.
bool SideFile::take_turn(std::chrono::steady_clock::time_point deadline) {
    using namespace std::chrono_literals;
    if (std::chrono::steady_clock::now() < comes_back_until_ && lock(turn_byte)) return true;
    // Who waits for the turn holds the queue's head meanwhile: writers pass one by one, and one
    // whose time is over queues behind the others. Those behind rely on the bell, which wakes them
    // in their order; who asks in between overtakes. The head asks often: between two turns the
    // file is idle.
    if (!await(queue_byte, queue_bell, 5ms, deadline)) return false;
    // Also where the turn's lock fails: nobody would have a turn until this process writes again.
    const struct Head {
        const SideFile& file;
        ~Head() {
            file.unlock(queue_byte);
            file.ring(queue_bell);
        }
    } head{*this};
    const bool taken = await(turn_byte, turn_bell, 100us, deadline);
    comes_back_until_ = std::chrono::steady_clock::now() + 1ms;
    return taken;
}

void SideFile::end_turn(bool back_soon) noexcept {
    unlock(turn_byte);
    // Else the head, if there is one, asks soon enough.
    if (!back_soon || std::chrono::steady_clock::now() >= comes_back_until_) ring(turn_bell);
}

void SideFile::wake() noexcept {
    const char byte = 'w';
    // A lost wake-up costs a waiter its backstop interval, no more.
    if (pwrite(fd_, &byte, 1, wake_byte) != 1) errno = 0;
}

Waiter::Waiter(std::string side_file) : side_file_(std::move(side_file)) {
    event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_ < 0) throw os_error(side_file_, "cannot make an eventfd");
}

void Waiter::watch() {
    if (watched_) return;
    watched_ = true;
    inotify_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    // Instances are a scarce resource of the user: without one the backstop does the work.
    if (inotify_ >= 0 && inotify_add_watch(inotify_, side_file_.c_str(), IN_MODIFY) < 0) {
        ::close(inotify_);
        inotify_ = -1;
    }
}

Waiter::~Waiter() {
    if (inotify_ >= 0) ::close(inotify_);
    ::close(event_);
}

void Waiter::wait(std::chrono::milliseconds limit) {
    std::array<pollfd, 2> fds{{{event_, POLLIN, 0}, {inotify_, POLLIN, 0}}};
    const auto bounded = std::clamp<std::int64_t>(limit.count(), 0, 60'000);
    if (::poll(fds.data(), inotify_ >= 0 ? 2 : 1, static_cast<int>(bounded)) <= 0) return;
    std::array<char, 4096> sink{};
    for (const pollfd& one : fds) {
        while (one.fd >= 0 && ::read(one.fd, sink.data(), sink.size()) > 0) {
        }
    }
}

void Waiter::interrupt() noexcept {
    const std::uint64_t one = 1;
    if (::write(event_, &one, sizeof one) < 0) errno = 0;
}

}  // namespace headpond::platform
