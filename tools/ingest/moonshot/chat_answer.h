// What the service said, as a settlement of the batch.
#pragma once

#include "gazetteer/gazetteer.h"
#include "http/http_client.h"

#include <headpond/batch.h>

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace headpond::ingest {

// How a call went, from the service's health down to the request's.
enum class ChatVerdict {
    answered,      // the items are settled one by one
    cut_short,     // the answer outgrew its limit: half as many alerts are asked next
    bad_request,   // refused for what it says, or answered with nonsense
    rate_limited,  // the service is there, and wants to be asked later
    refused,       // key, quota, model or address: only a person can help
    unavailable,   // no usable answer from the service
};

struct ChatAnswer {
    ChatVerdict verdict = ChatVerdict::unavailable;
    std::vector<Result> acked;         // of verdict answered: by key, checked
    std::string error;                 // one line; of verdict answered: why alerts are missing
    std::optional<Ms> retry_after;     // when the service wants to be asked again
    std::vector<std::string> remarks;  // lines for the log: unknown and doubled keys
};

// Reads any HTTP answer to chat_request(). `keys` are those that were asked. Never throws for what
// the service said. `now` is what a date in Retry-After counts from.
[[nodiscard]] ChatAnswer read_chat_answer(const HttpResponse& response,
                                          const std::set<std::string>& keys,
                                          const Gazetteer& gazetteer, WallTime now);

}  // namespace headpond::ingest
