// Store: ask which blocks are wanted, then send those.
#pragma once

#include "client/src/core/call_context.h"

namespace incipit {

// The context must outlive the task. See Client::Store.
Task<absl::StatusOr<StatusResult>> RunStore(CallContext* context, StoreRequest request);

}  // namespace incipit
