// The resolver that asks Moonshot, or another server of OpenAI's chat completions.
#pragma once

#include "gazetteer/gazetteer.h"
#include "moonshot/chat_answer.h"
#include "moonshot/chat_request.h"
#include "resolver.h"
#include "settings.h"

#include <headpond/options.h>

#include <atomic>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::ingest {

// A gate that closes for a rate limit without Retry-After stays closed this long.
inline constexpr Ms rate_limit_pause{10'000};
// And at least this long: a service that says "now", or whose clock is behind, is not asked at
// once.
inline constexpr Ms rate_limit_pause_min{1'000};

// One call a batch. Never throws: whatever happens to the call is a settlement.
//
//   the call                                the batch
//   keys that came back, checked            acked; the others nacked
//   finish_reason length, HTTP 413          split
//   refused as a bad request, or nonsense   nacked
//   rate limit, overload                    released; the gate closes for Retry-After
//   quota, key, model, address              released; the gate closes until it is reopened
//   5xx, timeout, no connection, no answer  released with backoff; counts towards the breaker
//   stopped                                 released
class MoonshotResolver final : public Resolver {
  public:
    // Backoff, clock and randomness are those of the queue.
    MoonshotResolver(MoonshotSettings settings, const Options& queue);

    std::string_view name() const override { return "moonshot"; }
    Settlement resolve(std::span<const Item> items, const std::stop_token& stop) override;

  private:
    struct Asked {
        std::vector<KeyedAlert> alerts;
        std::set<std::string> keys;
        std::vector<Rejection> unreadable;
    };

    [[nodiscard]] static Asked read(std::span<const Item> items);
    [[nodiscard]] ChatAnswer ask(const Asked& asked, const std::stop_token& stop) const;
    [[nodiscard]] Settlement settle(ChatAnswer answer, bool stopped);
    [[nodiscard]] Ms backoff();
    [[nodiscard]] std::string without_key(std::string_view text) const;

    MoonshotSettings settings_;
    std::string url_;
    const Gazetteer& gazetteer_;
    Ms backoff_base_;
    Ms backoff_max_;
    std::shared_ptr<Clock> clock_;
    std::shared_ptr<Random> random_;
    std::atomic<int> failures_{0};  // calls in a row without a usable answer
};

// Where chat completions are under a base URL: with its path, or under /v1 where it has none.
[[nodiscard]] std::string completions_url(const std::string& base_url);

}  // namespace headpond::ingest
