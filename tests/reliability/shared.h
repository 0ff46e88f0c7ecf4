// Memory that a process shares with the children it forks: what they write is readable after their
// death.
#pragma once

#include <new>
#include <stdexcept>

#include <sys/mman.h>

namespace headpond::reliability {

// One T, made before the fork. As safe for several processes as T's members are for threads.
template <class T>
class Shared {
  public:
    Shared() {
        void* memory =
            mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("mmap failed");
        value_ = new (memory) T{};
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() { munmap(value_, sizeof(T)); }

    T& operator*() const { return *value_; }
    T* operator->() const { return value_; }

  private:
    T* value_ = nullptr;
};

}  // namespace headpond::reliability
