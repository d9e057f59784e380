#include "client/src/core/store_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cache/base/status_macros.h"
#include "client/src/core/block_status.h"
#include "client/src/core/counted_reply.h"
#include "client/src/core/piece_cursor.h"
#include "client/src/core/segment_codec.h"
#include "client/src/core/status_call.h"

namespace incipit {
namespace {

// A load on the same connection waits for at most one such frame (or one block, where that is larger).
constexpr uint64_t kStoreBatchBytes = 4 * kMiB;

// One part of one item.
struct StorePart {
  uint32_t item = 0;
  wire::KeyRef key;
  uint32_t segment_count = 0;
  uint64_t segment_bytes = 0;
  uint64_t offset = 0;  // of its bytes in the item
  uint64_t bytes() const { return segment_count * segment_bytes; }
};

struct StoreBatch {
  std::vector<StorePart> parts;
  uint64_t bytes = 0;
};

struct StoreWork {
  CallContext* context;
  const StoreRequest* request;
  std::shared_ptr<ShardSet> shards;
  uint64_t stamp_ns = 0;
  int64_t deadline_ns = 0;
  std::vector<StorePart> parts;
  std::vector<BlockStatus> part_status;  // of `parts`
  std::vector<BlockStatus> status;       // of the items
  size_t batches = 0;
  size_t unreached = 0;  // of them
  absl::Status failure;
};

std::span<const iovec> PiecesOf(const StoreItem& item) {
  return item.pieces.empty() ? std::span<const iovec>(&item.buffer, 1) : item.pieces;
}

absl::Status CheckStore(const Layout& layout, const StoreRequest& request) {
  for (size_t i = 0; i < request.items.size(); ++i) {
    const StoreItem& item = request.items[i];
    RETURN_IF_ERROR(CheckKey(layout, item.group, item.key, "store: item", i));
    const GroupSpec& group = layout.groups[item.group];
    const uint64_t found = BytesOf(PiecesOf(item));
    if (found != group.BlockBytes()) {
      return absl::InvalidArgumentError(fmt::format("store: item {}: {} bytes, a block of group {} has {}", i, found,
                                                    group.name, group.BlockBytes()));
    }
  }
  return absl::OkStatus();
}

void SplitIntoParts(const Layout& layout, StoreWork* work) {
  for (size_t i = 0; i < work->request->items.size(); ++i) {
    const StoreItem& item = work->request->items[i];
    const GroupSpec& group = layout.groups[item.group];
    StorePart part{.item = static_cast<uint32_t>(i), .segment_bytes = group.SegmentBytes()};
    part.key = {.group = item.group, .depth_tokens = item.depth_tokens, .key = item.key};
    for (uint32_t index = 0; index < group.PartCount(); ++index) {
      part.key.part = static_cast<uint16_t>(index);
      part.segment_count = group.SegmentsOfPart(index);
      work->parts.push_back(part);
      part.offset += part.bytes();
    }
  }
}

// Asks which parts are wanted. The status of the others is known by that.
Task<void> OfferParts(StoreWork* work) {
  work->part_status.assign(work->parts.size(), BlockStatus::kPresent);
  KeyBatcher batcher(work->context, work->shards.get(), work->parts.size());
  for (size_t i = 0; i < work->parts.size(); ++i) batcher.Add(work->parts[i].key, static_cast<uint32_t>(i));
  std::vector<KeyBatchOfShard> batches = batcher.Take();
  StatusCallKind kind = OfferKind(work->stamp_ns);
  work->failure =
      co_await AskStatuses(work->context, work->shards.get(), &kind, &batches, work->deadline_ns, &work->part_status);
}

// Puts the wanted parts into batches; the others' statuses are final.
std::vector<std::vector<StoreBatch>> PlanStore(StoreWork* work) {
  std::vector<std::vector<StoreBatch>> plan(work->shards->connections.size());
  for (size_t i = 0; i < work->parts.size(); ++i) {
    const StorePart& part = work->parts[i];
    if (work->part_status[i] != BlockStatus::kWanted) {
      MergeStatus(&work->status[part.item], work->part_status[i]);
      continue;
    }
    const wire::KeyRef& key = part.key;
    const uint16_t shard = ShardOfPart(work->context, work->shards.get(), key.group, key.part, key.key);
    std::vector<StoreBatch>& batches = plan[shard];
    if (batches.empty() || batches.back().bytes + part.bytes() > kStoreBatchBytes ||
        batches.back().parts.size() >= MaxBatchKeys(work->shards.get(), shard)) {
      batches.emplace_back();
      ++work->batches;
    }
    batches.back().parts.push_back(part);
    batches.back().bytes += part.bytes();
  }
  return plan;
}

// The message and its payload. Checksums are made here, just before the bytes leave.
wire::Store BuildMessage(const StoreWork& work, const StoreBatch& batch, std::vector<iovec>* payload) {
  wire::Store message;
  message.stamp_ns = work.stamp_ns;
  message.blocks.reserve(batch.parts.size());
  std::vector<iovec> segment;
  for (const StorePart& part : batch.parts) {
    const std::span<const iovec> pieces = PiecesOf(work.request->items[part.item]);
    PieceCursor cursor(pieces, part.offset);
    PieceCursor whole = cursor;
    whole.Take(part.bytes(), payload);
    wire::StoredBlock& block = message.blocks.emplace_back();
    block.key = part.key;
    block.codec = Codec::kRaw;
    block.segments.reserve(part.segment_count);
    for (uint32_t i = 0; i < part.segment_count; ++i) {
      segment.clear();
      cursor.Take(part.segment_bytes, &segment);
      block.segments.push_back(EncodeSegment(segment, part.segment_bytes));
    }
  }
  return message;
}

void TakeAnswer(StoreWork* work, const StoreBatch& batch, const absl::Status& exchanged,
                const std::vector<BlockStatus>& statuses) {
  if (IsUnreachable(exchanged)) {
    ++work->unreached;
    work->failure = exchanged;
  }
  for (size_t i = 0; i < batch.parts.size(); ++i) {
    const BlockStatus status = exchanged.ok() ? statuses[i] : StatusOfFailure(exchanged);
    MergeStatus(&work->status[batch.parts[i].item], status);
    if (status == BlockStatus::kOk) work->context->counters->bytes_stored += batch.parts[i].bytes();
  }
}

Task<void> StoreOneBatch(StoreWork* work, ShardConnection* connection, const StoreBatch* batch) {
  std::vector<iovec> payload;
  ShardRequest request{.type = wire::FrameType::kStore, .meta = std::make_shared<std::vector<uint8_t>>()};
  BuildMessage(*work, *batch, &payload).Encode(request.meta.get());
  request.payload = payload;
  request.bulk = true;
  CountedReply<wire::StatusReply> reply(work->context->loop, wire::FrameType::kStoreReply, batch->parts.size());
  absl::Status exchanged = co_await connection->Exchange(&request, &reply, work->deadline_ns);
  TakeAnswer(work, *batch, exchanged, reply.value().statuses);
  connection->store_budget()->Release(batch->bytes);
}

Task<void> StoreToShard(StoreWork* work, ShardConnection* connection, const std::vector<StoreBatch>* batches) {
  TaskScope scope(work->context->loop);
  const absl::Status late = absl::DeadlineExceededError("store: the deadline came before all was sent");
  absl::Status ready = co_await connection->WaitReady(work->deadline_ns);  // Before work is put into checksums.
  for (const StoreBatch& batch : *batches) {
    if (ready.ok() && !connection->store_budget()->TryAcquire(batch.bytes)) {
      const bool acquired = co_await connection->store_budget()->Acquire(batch.bytes, work->deadline_ns);
      if (!acquired) ready = late;
    }
    if (!ready.ok()) {
      TakeAnswer(work, batch, ready, {});
      continue;
    }
    scope.Spawn(StoreOneBatch(work, connection, &batch));
  }
  co_await scope.Join();
}

}  // namespace

Task<absl::StatusOr<StatusResult>> RunStore(CallContext* context, StoreRequest request) {
  CO_RETURN_IF_ERROR(CheckStore(context->layout(), request));
  ++context->counters->stores;
  StatusResult result;
  if (request.items.empty()) co_return result;
  StoreWork work{.context = context, .request = &request};
  work.deadline_ns = context->DeadlineNs(request.deadline_ms);
  work.stamp_ns = context->Stamp(request.stamp_ns);
  absl::StatusOr<std::shared_ptr<ShardSet>> shards = co_await context->links->Shards(work.deadline_ns);
  if (!shards.ok()) co_return absl::UnavailableError(std::string(shards.status().message()));
  work.shards = *std::move(shards);
  SplitIntoParts(context->layout(), &work);
  work.part_status.assign(work.parts.size(), BlockStatus::kWanted);
  if (request.offer_first) co_await OfferParts(&work);
  if (IsUnreachable(work.failure)) co_return absl::UnavailableError(std::string(work.failure.message()));
  work.status.assign(request.items.size(), BlockStatus::kPresent);
  const std::vector<std::vector<StoreBatch>> plan = PlanStore(&work);
  TaskScope scope(context->loop);
  for (size_t shard = 0; shard < plan.size(); ++shard) {
    if (plan[shard].empty()) continue;
    scope.Spawn(StoreToShard(&work, work.shards->connections[shard].get(), &plan[shard]));
  }
  co_await scope.Join();
  if (work.batches > 0 && work.unreached == work.batches) {
    co_return absl::UnavailableError(std::string(work.failure.message()));
  }
  result.status = std::move(work.status);
  context->counters->blocks_stored += result.Count(BlockStatus::kOk);
  co_return result;
}

}  // namespace incipit
