// Who answers "where is this?".
#pragma once

#include "settings.h"

#include <headpond/batch.h>
#include <headpond/options.h>

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

// The resolver that the settings name; its backoff, clock and randomness are those of `queue`.
[[nodiscard]] std::unique_ptr<Resolver> make_resolver(const IngestSettings& settings,
                                                      const Options& queue);

}  // namespace headpond::ingest
