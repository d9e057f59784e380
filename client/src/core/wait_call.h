// Wait: hears from every shard what becomes of the blocks that are missing, until there is enough.
#pragma once

#include "client/src/core/call_context.h"

namespace incipit {

// The context must outlive the task, and CallContext::background too: requests that are being given up end there,
// without any of the caller's memory. See Client::Wait.
Task<absl::StatusOr<MatchResult>> RunWait(CallContext* context, WaitRequest request);

}  // namespace incipit
