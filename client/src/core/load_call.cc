#include "client/src/core/load_call.h"

#include <algorithm>
#include <utility>

#include "cache/base/piece_cursor.h"
#include "cache/base/status_macros.h"
#include "client/src/copies/copied_load.h"
#include "client/src/copies/copy_maker.h"
#include "client/src/core/block_status.h"
#include "client/src/core/load_receiver.h"
#include "client/src/shared_mapping.h"

namespace incipit {
namespace {

struct LoadWork {
  CallContext* context;
  std::shared_ptr<ShardSet> shards;
  uint64_t stamp_ns = 0;
  int64_t deadline_ns = 0;
};

// Blocks that were never answered share the fate of their request.
void SpreadFailure(const absl::Status& failure, LoadBatch* batch) {
  const BlockStatus status = StatusOfFailure(failure);
  for (BlockStatus& of_block : batch->status) {
    if (of_block == BlockStatus::kExpired) of_block = status;
  }
}

// Whether all destinations of the batch lie in memory that the node can write to, and what is stored belongs there as
// it is.
bool NamePlaces(const CallContext& context, const LoadBatch& batch, PlaceNamer* namer) {
  if (!context.codec->in_place() || !namer->HasRegions()) return false;
  std::vector<iovec> pieces;
  for (const LoadPart& part : batch.parts) {
    pieces.clear();
    PieceCursor(part.pieces, part.offset).Take(part.bytes(), &pieces);
    if (!namer->Add(pieces)) return false;
  }
  return true;
}

Task<absl::Status> AskForBatch(const LoadWork* work, ShardConnection* connection, LoadBatch* batch, bool may_share) {
  CallContext* context = work->context;
  wire::Load message;
  message.stamp_ns = work->stamp_ns;
  message.deadline_ms = RemainingMs(context->loop, work->deadline_ns);
  message.first_segment = batch->first_segment;
  message.segment_count = batch->segment_count;
  message.keys = std::move(batch->keys);
  ShardRequest request{.type = wire::FrameType::kLoad, .meta = std::make_shared<std::vector<uint8_t>>()};
  if (may_share && connection->shares_memory()) {
    PlaceNamer namer;
    if (NamePlaces(*context, *batch, &namer)) {
      namer.places().Encode(request.meta.get());
      request.namespace_at = request.meta->size();
      request.shared = namer.used();
    }
  }
  message.Encode(request.meta.get());
  batch->keys = std::move(message.keys);
  const bool shared = !request.shared.empty();
  LoadReceiver receiver(context, batch, shared);
  absl::Status status = co_await connection->Exchange(&request, &receiver, work->deadline_ns);
  Task<void> decoding = receiver.WaitDecoded();
  co_await decoding;
  if (status.ok() && shared) ++context->counters->shared_loads;
  co_return status;
}

Task<void> LoadOneBatch(const LoadWork* work, ShardConnection* connection, LoadBatch* batch) {
  const uint64_t inflight_bytes = connection->load_budget()->used();
  const int64_t start_ns = work->context->loop->NowNs();
  absl::Status status = co_await AskForBatch(work, connection, batch, /*may_share=*/true);
  if (absl::IsNotFound(status)) status = co_await AskForBatch(work, connection, batch, /*may_share=*/false);
  if (!status.ok()) SpreadFailure(status, batch);
  // A load that expired took at least so long; what failed otherwise says nothing.
  const int64_t now_ns = work->context->loop->NowNs();
  if (status.ok() || absl::IsDeadlineExceeded(status)) {
    connection->load_pace()->OnLoad(inflight_bytes, now_ns - start_ns, now_ns);
  }
  connection->load_budget()->Release(batch->bytes);
}

Task<void> LoadFromShard(const LoadWork* work, ShardConnection* connection, std::vector<LoadBatch>* batches) {
  TaskScope scope(work->context->loop);
  for (LoadBatch& batch : *batches) {
    if (!connection->load_budget()->TryAcquire(batch.bytes)) {
      const bool acquired = co_await connection->load_budget()->Acquire(batch.bytes, work->deadline_ns);
      if (!acquired) break;
    }
    scope.Spawn(LoadOneBatch(work, connection, &batch));
  }
  co_await scope.Join();
}

// Statuses and tiers by item; the rest is counted once all tries are over.
LoadResult Collect(const std::vector<std::vector<LoadBatch>>& plan, size_t items) {
  LoadResult result;
  result.status.assign(items, BlockStatus::kPresent);
  result.tier.assign(items, Presence::kMiss);
  for (const std::vector<LoadBatch>& batches : plan) {
    for (const LoadBatch& batch : batches) {
      for (size_t i = 0; i < batch.parts.size(); ++i) {
        const uint32_t item = batch.parts[i].item;
        MergeStatus(&result.status[item], batch.status[i]);
        result.tier[item] = std::max(result.tier[item], batch.tier[i]);
      }
    }
  }
  return result;
}

void Count(CallContext* context, const LoadRequest& request, int64_t start_ns, LoadResult* result) {
  uint64_t nvme_bytes = 0;
  for (size_t item = 0; item < request.items.size(); ++item) {
    if (result->status[item] != BlockStatus::kOk) {
      result->tier[item] = Presence::kMiss;
      continue;
    }
    const LoadItem& loaded = request.items[item];
    const uint64_t bytes = loaded.pieces.empty() ? loaded.buffer.iov_len : BytesOf(loaded.pieces);
    ++result->hits;
    result->bytes += bytes;
    if (result->tier[item] == Presence::kNvme) nvme_bytes += bytes;
  }
  context->counters->blocks_loaded += result->hits;
  context->counters->bytes_loaded += result->bytes;
  const int64_t now_ns = context->loop->NowNs();
  context->guard->OnLoad(result->bytes - nvme_bytes, nvme_bytes, now_ns - start_ns, now_ns);
}

int64_t LoadDeadlineNs(const CallContext* context, const LoadRequest& request) {
  const int64_t deadline_ns = context->DeadlineNs(request.deadline_ms);
  if (!context->guard->enabled()) return deadline_ns;
  const uint64_t tokens =
      request.recompute_tokens != 0 ? request.recompute_tokens : SpanTokens(context->layout(), request);
  const int64_t now_ns = context->loop->NowNs();
  return now_ns + std::min(deadline_ns - now_ns, context->guard->RecomputeNs(tokens));
}

}  // namespace

Task<LoadResult> LoadOnce(CallContext* context, std::shared_ptr<ShardSet> shards, const LoadRequest* request,
                          std::span<const uint8_t> ranks, int64_t deadline_ns) {
  LoadWork work{.context = context, .shards = std::move(shards), .stamp_ns = request->stamp_ns};
  work.deadline_ns = deadline_ns;
  std::vector<std::vector<LoadBatch>> plan = PlanLoad(context, work.shards.get(), *request, ranks);
  TaskScope scope(context->loop);
  for (size_t shard = 0; shard < plan.size(); ++shard) {
    if (plan[shard].empty()) continue;
    scope.Spawn(LoadFromShard(&work, work.shards->connections[shard].get(), &plan[shard]));
  }
  co_await scope.Join();
  co_return Collect(plan, request->items.size());
}

Task<absl::StatusOr<LoadResult>> RunLoad(CallContext* context, LoadRequest request) {
  CO_RETURN_IF_ERROR(CheckLoad(context->layout(), request));
  ++context->counters->loads;
  if (request.items.empty()) co_return LoadResult();
  const int64_t start_ns = context->loop->NowNs();
  const int64_t deadline_ns = LoadDeadlineNs(context, request);
  request.stamp_ns = context->Stamp(request.stamp_ns);
  absl::StatusOr<std::shared_ptr<ShardSet>> shards = co_await context->links->Shards(deadline_ns);
  if (!shards.ok()) {
    LoadResult result;
    result.status.assign(request.items.size(), BlockStatus::kExpired);
    result.tier.assign(request.items.size(), Presence::kMiss);
    co_return result;
  }
  const bool copies = (*shards)->of_cluster() && (context->options->replicas > 1 || context->copies->size() > 0);
  LoadResult result;
  if (copies) {
    Task<LoadResult> loading = LoadFromCopies(context, *shards, &request, deadline_ns);
    result = co_await loading;
  } else {
    Task<LoadResult> loading = LoadOnce(context, *shards, &request, {}, deadline_ns);
    result = co_await loading;
  }
  Count(context, request, start_ns, &result);
  if (copies) MakeCopies(context, *shards, request, result);
  co_return result;
}

}  // namespace incipit
