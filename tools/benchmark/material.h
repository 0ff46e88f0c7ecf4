// Items made up beforehand, so that no timed section makes any.
#pragma once

#include <headpond/item.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace headpond::bench {

// Random payloads of 500 bytes under random uuids. One thread at a time.
class Material {
  public:
    explicit Material(std::uint64_t seed) : state_(seed) {}

    // `count` items that were not there before. They live until the next call.
    std::span<const NewItem> make(std::size_t count, Tracking tracking);

  private:
    [[nodiscard]] std::uint64_t next();
    void write_uuid(char* text);

    std::uint64_t state_;
    std::string keys_, payloads_;
    std::vector<NewItem> items_;
};

}  // namespace headpond::bench
