#include "client/src/core/store_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cache/base/piece_cursor.h"
#include "cache/base/status_macros.h"
#include "client/src/core/block_status.h"
#include "client/src/core/counted_reply.h"
#include "client/src/core/status_call.h"
#include "client/src/core/store_coder.h"
#include "client/src/core/store_payload.h"
#include "client/src/shared_mapping.h"
#include "transport/wire/codec_feature.h"

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
  CodecOptions coding;
  bool coded() const { return coding.coding != SegmentCoding::kRaw; }
  uint64_t bytes() const { return segment_count * segment_bytes; }
};

struct StoreBatch {
  std::vector<uint32_t> parts;  // indices
  uint64_t bytes = 0;
  uint64_t coded_bytes = 0;   // of the buffer for what is coded; 0 if nothing is
  uint64_t buffer_bytes = 0;  // of the one for what is encoded otherwise
  uint64_t sending_bytes() const { return coded_bytes + buffer_bytes; }
};

struct StoreWork {
  CallContext* context;
  const StoreRequest* request;
  std::shared_ptr<ShardSet> shards;
  uint8_t rank = 0;
  uint64_t stamp_ns = 0;
  int64_t deadline_ns = 0;
  std::vector<StorePart> parts;
  std::vector<BlockStatus> part_status;  // of `parts`
  size_t answers = 0;                    // to any request
  absl::Status failure;                  // of a shard that was not reached
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
    part.coding = OptionsOfGroup(work->context->coding, group);
    part.key = {.group = item.group, .depth_tokens = item.depth_tokens, .key = item.key};
    for (uint32_t index = 0; index < group.PartCount(); ++index) {
      part.key.part = static_cast<uint16_t>(index);
      part.segment_count = group.SegmentsOfPart(index);
      work->parts.push_back(part);
      part.offset += part.bytes();
    }
  }
}

// Asks one shard which of its parts it wants.
Task<absl::Status> OfferParts(StoreWork* work, const std::vector<uint32_t>* indices) {
  KeyBatcher batcher(work->context, work->shards.get(), 0, work->rank);
  for (const uint32_t i : *indices) {
    work->part_status[i] = BlockStatus::kPresent;
    batcher.Add(work->parts[i].key, i);
  }
  std::vector<KeyBatchOfShard> batches = batcher.Take();
  StatusCallKind kind = OfferKind(work->stamp_ns);
  co_return co_await AskStatuses(work->context, work->shards.get(), &kind, &batches, work->deadline_ns,
                                 &work->part_status);
}

// Adds what the part takes of sending buffers.
void AddBufferBytes(const CallContext& context, const StorePart& part, StoreBatch* batch) {
  if (part.coded()) {
    const bool sealed = context.sealers != nullptr;
    batch->coded_bytes += part.segment_count * StoreCoder::MaxStoredBytes(part.coding, sealed, part.segment_bytes);
  } else if (!context.codec->in_place()) {
    batch->buffer_bytes += part.segment_count * context.codec->MaxStoredBytes(part.segment_bytes);
  }
}

// To a node of a release that does not know blocks which are coded and sealed they go sealed alone.
void LeaveOutUnknownCodecs(StoreWork* work, const ShardConnection& connection, const std::vector<uint32_t>& indices) {
  if (work->context->sealers == nullptr || connection.has_feature(wire::kFeatureSealedCodecs)) return;
  for (const uint32_t i : indices) work->parts[i].coding = {};
}

// Puts the wanted parts of one shard into batches.
std::vector<StoreBatch> MakeBatches(const StoreWork& work, const std::vector<uint32_t>& indices, uint32_t shard) {
  std::vector<StoreBatch> batches;
  for (const uint32_t i : indices) {
    if (work.part_status[i] != BlockStatus::kWanted) continue;
    const uint64_t bytes = work.parts[i].bytes();
    if (batches.empty() || batches.back().bytes + bytes > kStoreBatchBytes ||
        batches.back().parts.size() >= MaxBatchKeys(work.shards.get(), shard)) {
      batches.emplace_back();
    }
    batches.back().parts.push_back(i);
    batches.back().bytes += bytes;
    AddBufferBytes(*work.context, work.parts[i], &batches.back());
  }
  return batches;
}

using IdentityBuffer = std::array<uint8_t, kMaxFramedIdentityBytes>;

ByteView IdentityOf(const StoreWork& work, const StorePart& part, IdentityBuffer* buffer) {
  return FrameIdentity(work.context->framed_namespace, part.key.group, part.key.part, part.key.key, buffer);
}

PieceCursor BytesOfPart(const StoreWork& work, const StorePart& part) {
  return PieceCursor(PiecesOf(work.request->items[part.item]), part.offset);
}

// `coder` has coded those parts of the batch that are to be. What did not shrink is sent as it is, or only sealed, in
// place of its coded form.
wire::Store MakeMessage(const StoreWork& work, const StoreBatch& batch, const StoreCoder& coder,
                        StorePayload* payload) {
  const SegmentCodec& codec = *work.context->codec;
  IdentityBuffer identity;
  wire::Store message;
  message.stamp_ns = work.stamp_ns;
  message.blocks.reserve(batch.parts.size());
  size_t coded = 0;
  for (const uint32_t index : batch.parts) {
    const StorePart& part = work.parts[index];
    wire::StoredBlock& block = message.blocks.emplace_back();
    block.key = part.key;
    const StoreCoder::Part* const stored = part.coded() ? &coder.part(coded++) : nullptr;
    if (stored != nullptr && stored->shrank()) {
      block.codec = StoreCoder::StoredCodec(part.coding, work.context->sealers != nullptr);
      block.segments = stored->segments;
      payload->AddCodedBlock(stored->pieces, stored->segments);
      continue;
    }
    block.codec = codec.id();
    const auto stored_bytes = static_cast<uint32_t>(codec.MaxStoredBytes(part.segment_bytes));
    block.segments.assign(part.segment_count, Segment{stored_bytes, static_cast<uint32_t>(part.segment_bytes), 0});
    payload->AddBlock(BytesOfPart(work, part), part.segment_count, part.segment_bytes,
                      IdentityOf(work, part, &identity), stored != nullptr ? stored->room : MutableBytes());
  }
  return message;
}

// What went through the coder, and what was sent for it, of the blocks that were stored.
void CountCoded(const StoreWork& work, const StoreBatch& batch, const StoreCoder& coder,
                const std::vector<BlockStatus>& statuses) {
  size_t coded = 0;
  for (size_t i = 0; i < batch.parts.size(); ++i) {
    if (!work.parts[batch.parts[i]].coded()) continue;
    const StoreCoder::Part& part = coder.part(coded++);
    if (statuses[i] != BlockStatus::kOk) continue;
    work.context->counters->coded_raw_bytes += part.raw_bytes;
    work.context->counters->coded_stored_bytes += part.shrank() ? BytesOf(part.pieces) : part.raw_bytes;
  }
}

void TakeAnswer(StoreWork* work, const StoreBatch& batch, const absl::Status& exchanged,
                const std::vector<BlockStatus>& statuses) {
  for (size_t i = 0; i < batch.parts.size(); ++i) {
    const BlockStatus status = exchanged.ok() ? statuses[i] : StatusOfFailure(exchanged);
    work->part_status[batch.parts[i]] = status;
    if (status == BlockStatus::kOk) work->context->counters->bytes_stored += work->parts[batch.parts[i]].bytes();
  }
}

// What a batch may take of the connection, and of the memory for sending buffers.
Task<bool> AcquireBudgets(const StoreWork* work, ShardConnection* connection, const StoreBatch* batch) {
  if (!connection->store_budget()->TryAcquire(batch->bytes)) {
    const bool acquired = co_await connection->store_budget()->Acquire(batch->bytes, work->deadline_ns);
    if (!acquired) co_return false;
  }
  const uint64_t sending_bytes = batch->sending_bytes();
  if (sending_bytes == 0 || work->context->sending_budget->TryAcquire(sending_bytes)) co_return true;
  const bool acquired = co_await work->context->sending_budget->Acquire(sending_bytes, work->deadline_ns);
  if (!acquired) connection->store_budget()->Release(batch->bytes);
  co_return acquired;
}

void ReleaseBudgets(const StoreBatch& batch, ShardConnection* connection, CallContext* context) {
  connection->store_budget()->Release(batch.bytes);
  if (batch.sending_bytes() > 0) context->sending_budget->Release(batch.sending_bytes());
}

// Whether all bytes of the batch lie in memory that the node can read, and are stored as they lie there.
bool NamePlaces(const StoreWork& work, const StoreBatch& batch, PlaceNamer* namer) {
  if (!work.context->codec->in_place() || batch.coded_bytes > 0 || !namer->HasRegions()) return false;
  std::vector<iovec> pieces;
  for (const uint32_t index : batch.parts) {
    const StorePart& part = work.parts[index];
    pieces.clear();
    BytesOfPart(work, part).Take(part.bytes(), &pieces);
    if (!namer->Add(pieces)) return false;
  }
  return true;
}

void AddCodedParts(const StoreWork& work, const StoreBatch& batch, StoreCoder* coder) {
  IdentityBuffer identity;
  for (const uint32_t index : batch.parts) {
    const StorePart& part = work.parts[index];
    if (!part.coded()) continue;
    coder->AddPart(part.coding, BytesOfPart(work, part), part.segment_count, part.segment_bytes,
                   IdentityOf(work, part, &identity));
  }
}

Task<absl::Status> SendBatch(StoreWork* work, ShardConnection* connection, const StoreBatch* batch, bool may_share,
                             std::vector<BlockStatus>* statuses) {
  CallContext* context = work->context;
  ShardRequest request{.type = wire::FrameType::kStore, .meta = std::make_shared<std::vector<uint8_t>>()};
  if (may_share && connection->shares_memory()) {
    PlaceNamer namer;
    if (NamePlaces(*work, *batch, &namer)) {
      namer.places().Encode(request.meta.get());
      request.namespace_at = request.meta->size();
      request.shared = namer.used();
    }
  }
  const bool shared = !request.shared.empty();
  BufferPool::Buffer buffer, coded;
  if (batch->buffer_bytes > 0) buffer = context->buffers->Take(batch->buffer_bytes);
  if (batch->coded_bytes > 0) coded = context->buffers->Take(batch->coded_bytes);
  StoreCoder coder(context->loop, context->workers, std::move(coded), context->sealers);
  AddCodedParts(*work, *batch, &coder);
  Task<void> coding = coder.Run();
  co_await coding;
  StorePayload payload(context->codec, std::move(buffer),
                       shared ? StorePayload::Carries::kTables : StorePayload::Carries::kSegmentsAndTables);
  MakeMessage(*work, *batch, coder, &payload).Encode(request.meta.get());
  request.payload = payload.pieces();
  request.fill = [&payload](uint64_t payload_end) { payload.FillUpTo(payload_end); };
  request.bulk = true;
  CountedReply<wire::StatusReply> reply(context->loop, wire::FrameType::kStoreReply, batch->parts.size());
  absl::Status exchanged = co_await connection->Exchange(&request, &reply, work->deadline_ns);
  *statuses = std::move(reply.value().statuses);
  if (exchanged.ok()) CountCoded(*work, *batch, coder, *statuses);
  if (exchanged.ok() && shared) ++context->counters->shared_stores;
  co_return exchanged;
}

Task<void> StoreOneBatch(StoreWork* work, ShardConnection* connection, const StoreBatch* batch, absl::Status* failure) {
  std::vector<BlockStatus> statuses;
  absl::Status exchanged = co_await SendBatch(work, connection, batch, /*may_share=*/true, &statuses);
  if (absl::IsNotFound(exchanged)) {
    exchanged = co_await SendBatch(work, connection, batch, /*may_share=*/false, &statuses);
  }
  TakeAnswer(work, *batch, exchanged, statuses);
  ReleaseBudgets(*batch, connection, work->context);
  if (IsUnreachable(exchanged)) {
    *failure = exchanged;
  } else {
    ++work->answers;
  }
}

// Sends the batches, as many at a time as the budget allows. The first failure to reach the shard ends it.
Task<absl::Status> SendBatches(StoreWork* work, ShardConnection* connection, const std::vector<StoreBatch>* batches) {
  TaskScope scope(work->context->loop);
  absl::Status failure;
  for (const StoreBatch& batch : *batches) {
    if (failure.ok()) {
      Task<bool> acquiring = AcquireBudgets(work, connection, &batch);
      const bool acquired = co_await acquiring;
      if (acquired && !failure.ok()) ReleaseBudgets(batch, connection, work->context);
      if (!acquired) failure = absl::DeadlineExceededError("store: the deadline came before all was sent");
    }
    if (failure.ok()) {
      scope.Spawn(StoreOneBatch(work, connection, &batch, &failure));
    } else {
      TakeAnswer(work, batch, failure, {});
    }
  }
  co_await scope.Join();
  co_return failure;
}

// One shard's share of the call: offer, then store what is wanted. Shards do not wait for each other.
Task<void> StoreToShard(StoreWork* work, uint32_t shard, const std::vector<uint32_t>* indices) {
  ShardConnection* connection = work->shards->connections[shard].get();
  absl::Status status = co_await connection->WaitReady(work->deadline_ns);
  if (status.ok() && work->request->offer_first) status = co_await OfferParts(work, indices);
  if (IsUnreachable(status)) {
    for (const uint32_t i : *indices) work->part_status[i] = StatusOfFailure(status);
    work->failure = status;
    co_return;
  }
  if (work->request->offer_first) ++work->answers;
  LeaveOutUnknownCodecs(work, *connection, *indices);
  const std::vector<StoreBatch> batches = MakeBatches(*work, *indices, shard);
  status = co_await SendBatches(work, connection, &batches);
  if (!status.ok()) work->failure = status;
}

Task<void> StoreCopy(CallContext* context, std::shared_ptr<ShardSet> shards, const StoreRequest* request, uint8_t rank,
                     int64_t deadline_ns, absl::StatusOr<StatusResult>* result) {
  Task<absl::StatusOr<StatusResult>> storing = RunStoreAt(context, std::move(shards), request, rank, deadline_ns);
  *result = co_await storing;
}

bool IsThere(BlockStatus status) {
  return status == BlockStatus::kOk || status == BlockStatus::kPresent || status == BlockStatus::kConflict;
}

// What the owner says counts, unless only another has the block.
absl::StatusOr<StatusResult> MergeCopies(const std::vector<absl::StatusOr<StatusResult>>& by_rank) {
  absl::StatusOr<StatusResult> merged = by_rank.front();
  for (const absl::StatusOr<StatusResult>& copy : by_rank) {
    if (!merged.ok()) merged = copy;
    if (!copy.ok()) continue;
    for (size_t i = 0; i < copy->status.size(); ++i) {
      if (!IsThere(merged->status[i]) && IsThere(copy->status[i])) merged->status[i] = copy->status[i];
    }
  }
  return merged;
}

}  // namespace

Task<absl::StatusOr<StatusResult>> RunStoreAt(CallContext* context, std::shared_ptr<ShardSet> shards,
                                              const StoreRequest* request, uint8_t rank, int64_t deadline_ns) {
  StoreWork work{.context = context, .request = request};
  work.shards = std::move(shards);
  work.rank = rank;
  work.deadline_ns = deadline_ns;
  work.stamp_ns = context->Stamp(request->stamp_ns);
  SplitIntoParts(context->layout(), &work);
  work.part_status.assign(work.parts.size(), BlockStatus::kWanted);
  std::vector<std::vector<uint32_t>> by_shard(work.shards->connections.size());
  for (uint32_t i = 0; i < work.parts.size(); ++i) {
    const wire::KeyRef& key = work.parts[i].key;
    by_shard[ShardOfPart(context, work.shards.get(), key.group, key.part, key.key, rank)].push_back(i);
  }
  TaskScope scope(context->loop);
  for (size_t shard = 0; shard < by_shard.size(); ++shard) {
    if (!by_shard[shard].empty()) scope.Spawn(StoreToShard(&work, static_cast<uint32_t>(shard), &by_shard[shard]));
  }
  co_await scope.Join();
  if (work.answers == 0) co_return absl::UnavailableError(std::string(work.failure.message()));
  StatusResult result;
  result.status.assign(request->items.size(), BlockStatus::kPresent);
  for (uint32_t i = 0; i < work.parts.size(); ++i) MergeStatus(&result.status[work.parts[i].item], work.part_status[i]);
  co_return result;
}

Task<absl::StatusOr<StatusResult>> RunStore(CallContext* context, StoreRequest request) {
  CO_RETURN_IF_ERROR(CheckStore(context->layout(), request));
  ++context->counters->stores;
  if (request.items.empty()) co_return StatusResult();
  const int64_t deadline_ns = context->DeadlineNs(request.deadline_ms);
  request.stamp_ns = context->Stamp(request.stamp_ns);
  absl::StatusOr<std::shared_ptr<ShardSet>> shards = co_await context->links->Shards(deadline_ns);
  if (!shards.ok()) co_return absl::UnavailableError(std::string(shards.status().message()));
  const size_t copies = std::min<size_t>(context->options->replicas, (*shards)->node_count());
  std::vector<absl::StatusOr<StatusResult>> by_rank(copies);
  TaskScope scope(context->loop);
  for (size_t rank = 0; rank < copies; ++rank) {
    scope.Spawn(StoreCopy(context, *shards, &request, static_cast<uint8_t>(rank), deadline_ns, &by_rank[rank]));
  }
  co_await scope.Join();
  absl::StatusOr<StatusResult> result = MergeCopies(by_rank);
  if (result.ok()) context->counters->blocks_stored += result->Count(BlockStatus::kOk);
  co_return result;
}

}  // namespace incipit
