// Who answers "where is this?".
#pragma once

#include "gazetteer/gazetteer.h"

#include <headpond/batch.h>

#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace headpond::ingest {

// Answers a batch; safe to call from several threads. A throw is a nack of the batch.
class Resolver {
  public:
    virtual ~Resolver() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    // Acks with a location (see location.h), or with an empty result where there is no place.
    virtual Settlement resolve(std::span<const Item> items, const std::stop_token& stop) = 0;
};

// gazetteer or none; throws std::invalid_argument for another name.
[[nodiscard]] std::unique_ptr<Resolver> make_resolver(std::string_view name);

}  // namespace headpond::ingest
