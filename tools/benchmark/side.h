// What is measured, reduced to what a work does with it: the library, the floor, and room for
// others.
#pragma once

#include <headpond/item.h>

#include <cstddef>
#include <span>

namespace headpond::bench {

// One open file. One thread at a time. Throws headpond::Error or std::runtime_error.
class Side {
  public:
    Side() = default;
    Side(const Side&) = delete;
    Side& operator=(const Side&) = delete;
    virtual ~Side() = default;

    // One commit.
    virtual void enqueue(std::span<const NewItem> items) = 0;
    // Reads the `count` oldest and holds them until ack(); answers how many there were.
    virtual std::size_t lease(std::size_t count) = 0;
    // Removes what lease() holds.
    virtual void ack() = 0;
    // Reads and forgets what became of `count` tracked items, where a side keeps that.
    virtual void collect(std::size_t /*count*/) {}
};

// lease() where fewer would make the figures wrong. Throws std::runtime_error.
void lease_exactly(Side& side, std::size_t count);

// Removes the `count` oldest in few transactions.
void drain(Side& side, std::size_t count);

// The most that a lease of any side may ask for.
constexpr std::size_t lease_items_max = 10'000;

}  // namespace headpond::bench
