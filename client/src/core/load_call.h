// Load: requests to all shards in parallel, several in flight on each connection so that it never runs dry.
#pragma once

#include "client/src/core/call_context.h"

namespace incipit {

// The context must outlive the task. See Client::Load.
Task<absl::StatusOr<LoadResult>> RunLoad(CallContext* context, LoadRequest request);

}  // namespace incipit
