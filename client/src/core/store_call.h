// Store: ask which blocks are wanted, then send those.
#pragma once

#include "client/src/core/call_context.h"

namespace incipit {

// The context must outlive the task. See Client::Store.
Task<absl::StatusOr<StatusResult>> RunStore(CallContext* context, StoreRequest request);

// The same at the nodes of one rank. REQUIRES: *request was checked, and stays; it has items.
Task<absl::StatusOr<StatusResult>> RunStoreAt(CallContext* context, std::shared_ptr<ShardSet> shards,
                                              const StoreRequest* request, uint8_t rank, int64_t deadline_ns);

}  // namespace incipit
