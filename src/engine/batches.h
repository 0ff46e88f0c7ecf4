// Changes to a batch that several operations share.
#pragma once

#include "engine/context.h"

#include <vector>

namespace headpond::engine {

// Makes the batch waiting, due at `not_before`. Keeps the token, which a late ack may still use:
// callers that end it clear it first.
void park_batch(Context& context, store::BatchRow& batch, store::Millis not_before);

// Ends the batch and makes two of its `rows` (two or more, ascending), due at once.
void split_batch(Context& context, const store::BatchRow& batch,
                 std::vector<const store::ItemRow*> rows);

}  // namespace headpond::engine
