// Every allocation of this process counted, and one of them made to fail: SQLite's own, and
// operator new's.
#pragma once

#include <cstdint>

namespace headpond::reliability {

enum class Allocator { sqlite, cxx };

// Makes SQLite's allocations countable; before this process first uses SQLite.
void count_sqlite_allocations();
// From now on: the allocation number `at` (from 1) fails, and with `from_then_on` all after it.
void fail_allocation(Allocator allocator, std::int64_t at, bool from_then_on);
// They count while the library is at work: the workload's own are not what is tried.
void count_allocations(bool on);
// Ends failing; answers how many there were since fail_allocation.
std::int64_t stop_failing();

}  // namespace headpond::reliability
