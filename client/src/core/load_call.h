// Load: requests to all shards in parallel, several in flight on each connection so that it never runs dry.
#pragma once

#include <span>

#include "client/src/core/call_context.h"

namespace incipit {

// The context must outlive the task. See Client::Load.
Task<absl::StatusOr<LoadResult>> RunLoad(CallContext* context, LoadRequest request);

// One try of it: each item at the node of its rank, or at its owner if `ranks` is empty. Gives statuses and tiers; hits
// and bytes are not counted. REQUIRES: *request was checked and has a stamp; it and `ranks` stay.
Task<LoadResult> LoadOnce(CallContext* context, std::shared_ptr<ShardSet> shards, const LoadRequest* request,
                          std::span<const uint8_t> ranks, int64_t deadline_ns);

}  // namespace incipit
