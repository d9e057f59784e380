#include "client/src/copies/copy_maker.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "cache/base/piece_cursor.h"
#include "client/src/copies/copy_table.h"
#include "client/src/core/counted_reply.h"
#include "client/src/core/key_batches.h"
#include "client/src/core/store_call.h"

namespace incipit {
namespace {

constexpr int64_t kAgainNs = 1'000'000'000;
constexpr uint32_t kClaimMs = 3000;
constexpr int64_t kDeadlineNs = 3'000'000'000;

struct HotBlock {
  uint64_t block = 0;  // for the CopyTable
  GroupIndex group = 0;
  uint32_t depth_tokens = 0;
  BlockKey key;
  std::vector<uint8_t> bytes;
  wire::BlockState state = wire::BlockState::kFree;  // at the node that lacks it
};

Task<void> ClaimBatch(CallContext* context, const ShardSet* shards, KeyBatchOfShard* batch,
                      std::vector<HotBlock>* blocks, int64_t deadline_ns) {
  ShardConnection* connection = shards->connections[batch->shard].get();
  if (!connection->has_feature(wire::kFeatureClaims)) co_return;
  wire::Claim message;
  message.claim_ms = kClaimMs;
  message.keys = std::move(batch->keys);
  ShardRequest request{.type = wire::FrameType::kClaim, .meta = std::make_shared<std::vector<uint8_t>>()};
  message.Encode(request.meta.get());
  CountedReply<wire::ClaimReply> reply(context->loop, wire::FrameType::kClaimReply, batch->slots.size());
  Task<absl::Status> asking = connection->Exchange(&request, &reply, deadline_ns);
  const absl::Status status = co_await asking;
  if (!status.ok()) co_return;  // Not allowed to write, or away: then it is another's business.
  for (size_t i = 0; i < batch->slots.size(); ++i) (*blocks)[batch->slots[i]].state = reply.value().states[i];
}

Task<void> ClaimAll(CallContext* context, const ShardSet* shards, uint8_t rank, std::vector<HotBlock>* blocks,
                    int64_t deadline_ns) {
  KeyBatcher batcher(context, shards, blocks->size(), rank);
  for (size_t i = 0; i < blocks->size(); ++i) {
    const HotBlock& block = (*blocks)[i];
    batcher.Add({.group = block.group, .depth_tokens = block.depth_tokens, .key = block.key.bytes()},
                static_cast<uint32_t>(i));
  }
  std::vector<KeyBatchOfShard> batches = batcher.Take();
  TaskScope scope(context->loop);
  for (KeyBatchOfShard& batch : batches) scope.Spawn(ClaimBatch(context, shards, &batch, blocks, deadline_ns));
  co_await scope.Join();
}

// Stores those of the blocks at the node of `rank` that are granted there.
Task<void> CopyTo(CallContext* context, std::shared_ptr<ShardSet> shards, uint8_t rank, std::vector<HotBlock> blocks,
                  uint64_t stamp_ns, uint64_t budget_bytes) {
  const int64_t deadline_ns = context->loop->NowNs() + kDeadlineNs;
  Task<void> claiming = ClaimAll(context, shards.get(), rank, &blocks, deadline_ns);
  co_await claiming;
  StoreRequest request{.stamp_ns = stamp_ns, .offer_first = false};
  std::vector<uint64_t> stored;
  for (HotBlock& block : blocks) {
    const bool here = block.state == wire::BlockState::kRam || block.state == wire::BlockState::kNvme;
    if (here) context->copies->Add(block.block, rank, true);
    if (block.state != wire::BlockState::kClaimed) continue;
    request.items.push_back({.group = block.group,
                             .depth_tokens = block.depth_tokens,
                             .key = block.key.bytes(),
                             .buffer = {block.bytes.data(), block.bytes.size()}});
    stored.push_back(block.block);
  }
  if (!request.items.empty()) {
    Task<absl::StatusOr<StatusResult>> storing = RunStoreAt(context, shards, &request, rank, deadline_ns);
    const absl::StatusOr<StatusResult> result = co_await storing;
    for (size_t i = 0; result.ok() && i < stored.size(); ++i) {
      if (result->status[i] == BlockStatus::kOk) ++context->counters->copies_made;
      if (result->status[i] == BlockStatus::kOk || result->status[i] == BlockStatus::kPresent) {
        context->copies->Add(stored[i], rank, true);
      }
    }
  }
  context->copying_budget->Release(budget_bytes);
}

// One of the ranks that lack the block at random; 0: none does.
uint8_t LackingRank(CallContext* context, const ShardSet& shards, const KnownCopies& known) {
  const size_t last = std::min<size_t>(known.wanted, shards.node_count() - 1);
  std::vector<uint8_t> lacking;
  for (size_t rank = 1; rank <= last; ++rank) {
    if (!known.at(rank)) lacking.push_back(static_cast<uint8_t>(rank));
  }
  return lacking.empty() ? 0 : lacking[context->random->Below(lacking.size())];
}

std::vector<uint8_t> BytesIn(const LoadItem& item) {
  std::vector<uint8_t> bytes;
  const std::span<const iovec> pieces = item.pieces.empty() ? std::span<const iovec>(&item.buffer, 1) : item.pieces;
  bytes.reserve(BytesOf(pieces));
  for (const iovec& piece : pieces) {
    const auto* from = static_cast<const uint8_t*>(piece.iov_base);
    bytes.insert(bytes.end(), from, from + piece.iov_len);
  }
  return bytes;
}

}  // namespace

void MakeCopies(CallContext* context, std::shared_ptr<ShardSet> shards, const LoadRequest& request,
                const LoadResult& result) {
  if (context->copies->size() == 0 || context->coding.coding == SegmentCoding::kFp8) return;
  struct Batch {
    std::vector<HotBlock> blocks;
    uint64_t bytes = 0;
  };
  std::map<uint8_t, Batch> by_rank;
  const int64_t now_ns = context->loop->NowNs();
  for (size_t i = 0; i < request.items.size(); ++i) {
    const LoadItem& item = request.items[i];
    const GroupSpec& group = context->layout().groups[item.group];
    const bool whole = request.first_segment == 0 && request.segment_count >= group.SegmentCount();
    if (result.status[i] != BlockStatus::kOk || !whole || group.PartCount() != 1) continue;
    const uint64_t block = shards->HashOf(context->framed_namespace, item.group, item.key);
    KnownCopies* known = context->copies->Find(block, now_ns);
    if (known == nullptr || known->wanted == 0 || now_ns - known->copied_ns < kAgainNs) continue;
    const uint8_t rank = LackingRank(context, *shards, *known);
    if (rank == 0 || !context->copying_budget->TryAcquire(group.BlockBytes())) continue;
    known->copied_ns = now_ns;
    Batch& batch = by_rank[rank];
    batch.bytes += group.BlockBytes();
    batch.blocks.push_back({.block = block,
                            .group = item.group,
                            .depth_tokens = item.depth_tokens,
                            .key = BlockKey(item.key),
                            .bytes = BytesIn(item)});
  }
  for (auto& [rank, batch] : by_rank) {
    context->background->Spawn(CopyTo(context, shards, rank, std::move(batch.blocks), request.stamp_ns, batch.bytes));
  }
}

}  // namespace incipit
