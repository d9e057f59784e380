// Offer, Touch and Remove: keys go out, one status per key comes back.
#pragma once

#include "client/src/core/call_context.h"
#include "client/src/core/key_batches.h"

namespace incipit {

// See the calls of the same name in Client. The context must outlive the task.
Task<absl::StatusOr<StatusResult>> RunOffer(CallContext* context, OfferRequest request);
Task<absl::StatusOr<StatusResult>> RunTouch(CallContext* context, TouchRequest request);
Task<absl::StatusOr<StatusResult>> RunRemove(CallContext* context, RemoveRequest request);

// Sends the batches in parallel and merges the answer to each key into (*status)[its slot].
// Unavailable if there was at least one batch and none of them reached its shard.
struct StatusCallKind {
  wire::FrameType type;
  wire::FrameType reply_type;
  // Appends the message around `keys`.
  std::function<void(wire::KeyBatch keys, std::vector<uint8_t>* out)> encode;
};
Task<absl::Status> AskStatuses(CallContext* context, ShardSet* shards, const StatusCallKind* kind,
                               std::vector<KeyBatchOfShard>* batches, int64_t deadline_ns,
                               std::vector<BlockStatus>* status);

// Offer's kind.
StatusCallKind OfferKind(uint64_t stamp_ns);

}  // namespace incipit
