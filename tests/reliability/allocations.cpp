#include "reliability/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include <sqlite3.h>

namespace headpond::reliability {

namespace {

struct Plan {
    std::atomic<bool> armed{false};
    std::atomic<bool> counting{false};
    std::atomic<bool> from_then_on{false};
    std::atomic<std::int64_t> at{0};
    std::atomic<std::int64_t> count{0};

    bool fails() {
        if (!armed || !counting) return false;
        const std::int64_t number = ++count;
        if (number != at && !(from_then_on && number > at)) return false;
        return true;
    }
};
constinit Plan sqlite_plan;
constinit Plan cxx_plan;

sqlite3_mem_methods real;

void* allocate(int bytes) {
    return sqlite_plan.fails() ? nullptr : real.xMalloc(bytes);
}
void* reallocate(void* old, int bytes) {
    return sqlite_plan.fails() ? nullptr : real.xRealloc(old, bytes);
}

}  // namespace

void count_sqlite_allocations() {
    sqlite3_shutdown();
    sqlite3_mem_methods counted{};
    bool done = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) == SQLITE_OK;
    counted = real;
    counted.xMalloc = allocate;
    counted.xRealloc = reallocate;
    done = done && sqlite3_config(SQLITE_CONFIG_MALLOC, &counted) == SQLITE_OK;
    if (!done || sqlite3_initialize() != SQLITE_OK) {
        throw std::runtime_error("SQLite does not let its allocator be wrapped");
    }
}

void fail_allocation(Allocator allocator, std::int64_t at, bool from_then_on) {
    Plan& plan = allocator == Allocator::sqlite ? sqlite_plan : cxx_plan;
    plan.at = at;
    plan.from_then_on = from_then_on;
    plan.count = 0;
    plan.armed = true;
}

void count_allocations(bool on) {
    sqlite_plan.counting = on;
    cxx_plan.counting = on;
}

std::int64_t stop_failing() {
    const auto ended = [](Plan& plan) {
        return plan.armed.exchange(false) ? plan.count.load() : 0;
    };
    return ended(sqlite_plan) + ended(cxx_plan);
}

}  // namespace headpond::reliability

// The program's own operator new: the library's allocations come here too.
void* operator new(std::size_t bytes) {
    if (headpond::reliability::cxx_plan.fails()) throw std::bad_alloc();
    if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
