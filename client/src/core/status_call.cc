#include "client/src/core/status_call.h"

#include <algorithm>
#include <utility>

#include "cache/base/status_macros.h"
#include "client/src/core/block_status.h"
#include "client/src/core/counted_reply.h"

namespace incipit {
namespace {

struct Outcome {
  size_t reached = 0;
  absl::Status failure;
};

Task<void> AskBatch(CallContext* context, ShardConnection* connection, const StatusCallKind* kind,
                    KeyBatchOfShard* batch, int64_t deadline_ns, std::vector<BlockStatus>* status, Outcome* outcome) {
  ShardRequest request{.type = kind->type, .meta = std::make_shared<std::vector<uint8_t>>()};
  kind->encode(std::move(batch->keys), request.meta.get());
  CountedReply<wire::StatusReply> reply(context->loop, kind->reply_type, batch->slots.size());
  absl::Status exchanged = co_await connection->Exchange(&request, &reply, deadline_ns);
  if (!IsUnreachable(exchanged)) ++outcome->reached;
  if (!exchanged.ok()) outcome->failure = exchanged;
  for (size_t i = 0; i < batch->slots.size(); ++i) {
    MergeStatus(&(*status)[batch->slots[i]], exchanged.ok() ? reply.value().statuses[i] : StatusOfFailure(exchanged));
  }
}

absl::Status CheckBlocks(const Layout& layout, const std::vector<BlockName>& blocks, const char* what) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    RETURN_IF_ERROR(CheckKey(layout, blocks[i].group, blocks[i].key, what, i));
  }
  return absl::OkStatus();
}

// At the nodes of one rank.
Task<void> AskRank(CallContext* context, ShardSet* shards, const StatusCallKind* kind,
                   const std::vector<BlockName>* blocks, uint8_t rank, int64_t deadline_ns, StatusResult* result) {
  KeyBatcher batcher(context, shards, blocks->size(), rank);
  for (size_t i = 0; i < blocks->size(); ++i) {
    const BlockName& block = (*blocks)[i];
    batcher.AddParts(block.group, block.depth_tokens, block.key, static_cast<uint32_t>(i));
  }
  std::vector<KeyBatchOfShard> batches = batcher.Take();
  result->status.assign(blocks->size(), BlockStatus::kPresent);
  Task<absl::Status> asking = AskStatuses(context, shards, kind, &batches, deadline_ns, &result->status);
  const absl::Status reached = co_await asking;
  (void)reached;  // That nothing was reached is told by the statuses.
}

// Of all `ranks` that there are, at once; the answer is the owners'.
Task<absl::StatusOr<StatusResult>> RunStatusCall(CallContext* context, StatusCallKind kind,
                                                 const std::vector<BlockName>* blocks, uint32_t deadline_ms,
                                                 size_t ranks = 1) {
  const int64_t deadline_ns = context->DeadlineNs(deadline_ms);
  StatusResult result;
  if (blocks->empty()) co_return result;
  absl::StatusOr<std::shared_ptr<ShardSet>> shards = co_await context->links->Shards(deadline_ns);
  if (!shards.ok()) {
    result.status.assign(blocks->size(), BlockStatus::kExpired);
    co_return result;
  }
  std::vector<StatusResult> by_rank(std::min(ranks, (*shards)->node_count()));
  TaskScope scope(context->loop);
  for (size_t rank = 0; rank < by_rank.size(); ++rank) {
    scope.Spawn(
        AskRank(context, shards->get(), &kind, blocks, static_cast<uint8_t>(rank), deadline_ns, &by_rank[rank]));
  }
  co_await scope.Join();
  co_return std::move(by_rank.front());
}

}  // namespace

Task<absl::Status> AskStatuses(CallContext* context, ShardSet* shards, const StatusCallKind* kind,
                               std::vector<KeyBatchOfShard>* batches, int64_t deadline_ns,
                               std::vector<BlockStatus>* status) {
  Outcome outcome;
  TaskScope scope(context->loop);
  for (KeyBatchOfShard& batch : *batches) {
    ShardConnection* connection = shards->connections[batch.shard].get();
    scope.Spawn(AskBatch(context, connection, kind, &batch, deadline_ns, status, &outcome));
  }
  co_await scope.Join();
  if (!batches->empty() && outcome.reached == 0) co_return outcome.failure;
  co_return absl::OkStatus();
}

StatusCallKind OfferKind(uint64_t stamp_ns) {
  return {wire::FrameType::kOffer, wire::FrameType::kOfferReply,
          [stamp_ns](wire::KeyBatch keys, std::vector<uint8_t>* out) {
            wire::Offer message;
            message.stamp_ns = stamp_ns;
            message.keys = std::move(keys);
            message.Encode(out);
          }};
}

Task<absl::StatusOr<StatusResult>> RunOffer(CallContext* context, OfferRequest request) {
  CO_RETURN_IF_ERROR(CheckBlocks(context->layout(), request.blocks, "offer: block"));
  StatusCallKind kind = OfferKind(context->Stamp(request.stamp_ns));
  co_return co_await RunStatusCall(context, std::move(kind), &request.blocks, request.deadline_ms);
}

Task<absl::StatusOr<StatusResult>> RunTouch(CallContext* context, TouchRequest request) {
  CO_RETURN_IF_ERROR(CheckBlocks(context->layout(), request.blocks, "touch: block"));
  StatusCallKind kind{wire::FrameType::kTouch, wire::FrameType::kTouchReply, nullptr};
  kind.encode = [&request, stamp_ns = context->Stamp(request.stamp_ns)](wire::KeyBatch keys,
                                                                        std::vector<uint8_t>* out) {
    wire::Touch message;
    message.stamp_ns = stamp_ns;
    message.ttl_ms = request.ttl_ms;
    message.next_use_ms = request.next_use_ms;
    message.keys = std::move(keys);
    message.Encode(out);
  };
  co_return co_await RunStatusCall(context, std::move(kind), &request.blocks, request.deadline_ms);
}

Task<absl::StatusOr<StatusResult>> RunRemove(CallContext* context, RemoveRequest request) {
  CO_RETURN_IF_ERROR(CheckBlocks(context->layout(), request.blocks, "remove: block"));
  StatusCallKind kind{wire::FrameType::kRemove, wire::FrameType::kRemoveReply, nullptr};
  kind.encode = [](wire::KeyBatch keys, std::vector<uint8_t>* out) {
    wire::Remove message;
    message.keys = std::move(keys);
    message.Encode(out);
  };
  // From the owners, and from wherever else copies may lie.
  co_return co_await RunStatusCall(context, std::move(kind), &request.blocks, request.deadline_ms, kMaxCopies);
}

}  // namespace incipit
