#include "cluster/warming/block_mover.h"

#include <algorithm>
#include <list>
#include <utility>

#include "cache/base/status_macros.h"
#include "cache/format/identity.h"
#include "transport/wire/segment_table.h"

namespace incipit {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kRetryNs = kSecondNs;
constexpr int64_t kBatchNs = 10 * kSecondNs;  // the longest that one batch takes
constexpr uint8_t kMaxAttempts = 20;
constexpr size_t kWindowBlocks = 512;
constexpr size_t kBatchBlocks = 128;
constexpr uint64_t kBatchBytes = 4 << 20;
constexpr uint64_t kStreams = 4;  // batches under way
constexpr BlockId kIdsAtOnce = 4096;

class StatusSink : public ReplySink {
 public:
  Task<absl::Status> OnReply(FrameChannel*, const IncomingFrame* frame) override {
    absl::StatusOr<wire::StatusReply> decoded = wire::StatusReply::Decode(frame->meta);
    if (!decoded.ok()) co_return decoded.status();
    statuses = std::move(decoded->statuses);
    co_return absl::OkStatus();
  }
  std::vector<wire::BlockStatus> statuses;
};

wire::KeyRef KeyOf(const Entry& entry) { return {entry.group, entry.part, entry.depth_tokens, entry.key}; }

}  // namespace

struct BlockMover::Parcel {
  struct Block {
    ValuedBlock block;
    std::vector<uint8_t> key;
    wire::StoredBlock header;
    std::optional<RamReadGuard> guard;  // one of these two
    std::vector<uint8_t> copy;          // of what was on NVMe: slots for reading are few
    std::vector<uint64_t> table;
    uint64_t bytes = 0;
  };
  NamespaceId name_space = 0;
  std::list<Block> blocks;  // addresses stay
  std::vector<iovec> payload;
  uint64_t bytes = 0;
};

BlockMover::BlockMover(const PeerEnvironment* env, BlockStore* store, PeerTable* peers,
                       std::shared_ptr<const PeerPlan> plan, const MoveOrder& order, std::shared_ptr<MoveBoard> board,
                       PeerCounters* counters)
    : env_(env),
      store_(store),
      peers_(peers),
      plan_(std::move(plan)),
      order_(order),
      board_(std::move(board)),
      counters_(counters),
      stop_(env->loop),
      streams_(env->loop, kStreams),
      scope_(env->loop) {}

void BlockMover::Stop() {
  stopping_ = true;
  stop_.Set();
}

const Entry* BlockMover::Find(const ValuedBlock& block) const {
  if (block.id >= store_->end()) return nullptr;
  const Entry& entry = store_->At(block.id);
  return entry.hash.low == block.hash && store_->IsHere(block.id) ? &entry : nullptr;
}

void BlockMover::Lose(const ValuedBlock& block) {
  const Entry* entry = Find(block);
  board_->lost.Add(entry == nullptr ? 0 : entry->stored_bytes);
}

void BlockMover::Retry(ValuedBlock block) {
  if (++block.attempts >= kMaxAttempts) return Lose(block);
  failed_.push_back(block);
  retry_at_ns_ = env_->loop->NowNs() + kRetryNs;
}

Task<void> BlockMover::Collect() {
  for (BlockId first = 0; first < store_->end() && !stopping_; first += kIdsAtOnce) {
    const BlockId end = std::min<BlockId>(store_->end(), first + kIdsAtOnce);
    for (BlockId id = first; id < end; ++id) {
      if (!store_->IsHere(id)) continue;
      const Entry& entry = store_->At(id);
      board_->total.Add(entry.stored_bytes);
      blocks_.Add(
          {.stamp_ns = store_->StampOf(id), .hash = entry.hash.low, .id = id, .depth_tokens = entry.depth_tokens});
    }
    co_await SleepUntil(env_->loop, 0);  // others on this thread get their turn
  }
  blocks_.Finish();
}

std::vector<ValuedBlock> BlockMover::TakeWindow() {
  std::vector<ValuedBlock> window;
  if (!failed_.empty() && env_->loop->NowNs() >= retry_at_ns_) {
    std::swap(window, failed_);
    return window;
  }
  while (!blocks_.empty() && window.size() < kWindowBlocks) window.push_back(blocks_.Next());
  return window;
}

Task<void> BlockMover::Run() {
  Task<void> collecting = Collect();
  co_await collecting;
  while (!stopping_) {
    std::vector<ValuedBlock> window = TakeWindow();
    if (!window.empty()) {
      Task<void> sending = Send(std::move(window));
      co_await sending;
    } else if (!failed_.empty()) {
      co_await stop_.WaitUntil(retry_at_ns_);
    } else {
      co_await scope_.Join();  // what is under way may fail, and is then tried again
      if (failed_.empty()) break;
    }
  }
  co_await scope_.Join();
  board_->done = true;
}

// Sorts a window into batches by where its blocks go.
Task<void> BlockMover::Send(std::vector<ValuedBlock> window) {
  std::map<BatchKey, Batch> batches;
  for (const ValuedBlock& block : window) {
    if (stopping_) co_return;
    const Entry* entry = Find(block);
    if (entry == nullptr) {
      Lose(block);
      continue;
    }
    const NamespaceId name_space = entry->namespace_id;
    const uint64_t bytes = entry->stored_bytes;
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer, with_part;
    const std::vector<uint8_t>& framed = store_->namespaces().At(name_space).framed;
    const ClusterNode* owner = plan_->NextOwnerOf(FrameIdentity(framed, entry->group, 0, entry->key, &buffer));
    const ByteView identity = FrameIdentity(framed, entry->group, entry->part, entry->key, &with_part);
    std::shared_ptr<PeerNode> peer = owner == nullptr ? nullptr : peers_->At(*owner);
    const uint64_t owner_id = owner == nullptr ? 0 : owner->id;
    if (peer == nullptr || !store_->namespaces().At(name_space).layout.has_value()) {
      Lose(block);  // nobody to give it to, or nobody has asked for its namespace since the start
      continue;
    }
    Task<absl::Status> greeting = peer->Greet(env_->loop->NowNs() + kSecondNs);
    const absl::Status greeted = co_await greeting;
    if (!greeted.ok()) {
      Retry(block);
      continue;
    }
    // The second is enough for order, and lets blocks of many requests travel together.
    const uint64_t second = block.stamp_ns / kSecondNs;
    const BatchKey key{UINT64_MAX - second, owner_id, peer->ShardOf(identity), name_space};
    Batch& batch = batches[key];
    if (batch.blocks.empty()) {
      batch.peer = std::move(peer);
      batch.shard = std::get<2>(key);
      batch.name_space = name_space;
      batch.stamp_ns = std::max<uint64_t>(1, second * kSecondNs);
    }
    batch.blocks.push_back(block);
    batch.bytes += bytes;
    if (batch.blocks.size() < kBatchBlocks && batch.bytes < kBatchBytes) continue;
    Batch full = std::move(batch);
    batches.erase(key);
    Task<void> dispatching = Dispatch(std::move(full));
    co_await dispatching;
  }
  for (auto& [key, batch] : batches) {
    if (stopping_) co_return;
    Task<void> dispatching = Dispatch(std::move(batch));
    co_await dispatching;
  }
}

Task<void> BlockMover::Dispatch(Batch batch) {
  co_await streams_.Acquire(1);
  scope_.Spawn(Move(std::move(batch)));
}

Task<void> BlockMover::Move(Batch batch) {
  Task<absl::StatusOr<LentLink>> lending = batch.peer->Lend(batch.shard, env_->loop->NowNs() + kBatchNs);
  absl::StatusOr<LentLink> link = co_await lending;
  absl::Status status = link.status();
  if (status.ok() && !stopping_) {
    Task<absl::Status> moving = MoveOver(&*link, &batch);
    status = co_await moving;
  }
  if (!status.ok()) {
    for (const ValuedBlock& block : batch.blocks) Retry(block);
  }
  streams_.Release(1);
}

// Blocks that are done with leave the batch; what is left in it after an error is tried again.
Task<absl::Status> BlockMover::MoveOver(LentLink* link, Batch* batch) {
  const int64_t deadline_ns = env_->loop->NowNs() + kBatchNs;
  const NamespaceTable::Info* name_space = &store_->namespaces().At(batch->name_space);
  Task<absl::StatusOr<uint32_t>> opening = (*link)->Open(name_space, deadline_ns);
  const absl::StatusOr<uint32_t> opened = co_await opening;
  if (!opened.ok()) co_return opened.status();
  Task<absl::StatusOr<std::vector<ValuedBlock>>> offering = Offer(link, batch, *opened);
  absl::StatusOr<std::vector<ValuedBlock>> wanted = co_await offering;
  if (!wanted.ok()) co_return wanted.status();
  std::erase_if(*wanted, [&](const ValuedBlock& block) { return CannotTake((*link)->hello(), block); });
  batch->blocks = *wanted;
  if (wanted->empty()) co_return absl::OkStatus();
  Parcel parcel;
  parcel.name_space = batch->name_space;
  Task<void> packing = Pack(*std::move(wanted), &parcel);
  co_await packing;
  batch->blocks.clear();
  for (const Parcel::Block& each : parcel.blocks) batch->blocks.push_back(each.block);
  if (parcel.blocks.empty()) co_return absl::OkStatus();
  Task<void> pacing = Pace(parcel.bytes);
  co_await pacing;
  if (stopping_) co_return absl::OkStatus();
  for (Parcel::Block& each : parcel.blocks) each.header.key.key = each.key;
  Task<absl::Status> storing = Store(link, batch, &parcel);
  co_return co_await storing;
}

// Of an older release, which would take the whole message for nonsense.
bool BlockMover::CannotTake(const wire::HelloReply& hello, const ValuedBlock& block) {
  const Entry* entry = Find(block);
  if (entry == nullptr || wire::KnowsCodec(hello.features, entry->codec)) return false;
  board_->unwanted.Add(entry->stored_bytes);
  return true;
}

Task<absl::StatusOr<std::vector<ValuedBlock>>> BlockMover::Offer(LentLink* link, Batch* batch, uint32_t namespace_id) {
  std::vector<ValuedBlock> offered, wanted;
  std::vector<uint64_t> bytes;
  wire::Offer offer;
  offer.namespace_id = namespace_id;
  offer.stamp_ns = batch->stamp_ns;
  for (const ValuedBlock& block : batch->blocks) {
    const Entry* entry = Find(block);
    if (entry == nullptr || entry->namespace_id != batch->name_space) {  // a hash alone does not say whose block it is
      Lose(block);
      continue;
    }
    offered.push_back(block);
    bytes.push_back(entry->stored_bytes);
    offer.keys.push_back(KeyOf(*entry));
  }
  batch->blocks = offered;
  if (offered.empty()) co_return wanted;
  PeerRequest request{wire::FrameType::kOffer, wire::FrameType::kOfferReply, {}, {}};
  offer.Encode(&request.meta);
  StatusSink sink;
  Task<absl::Status> asking = (*link)->Exchange(&request, &sink, env_->loop->NowNs() + kBatchNs);
  CO_RETURN_IF_ERROR(co_await asking);
  if (sink.statuses.size() != offered.size()) co_return absl::DataLossError("OfferReply to other keys than offered");
  for (size_t i = 0; i < offered.size(); ++i) {
    switch (sink.statuses[i]) {
      case wire::BlockStatus::kWanted:
        wanted.push_back(offered[i]);
        break;
      case wire::BlockStatus::kPresent:
        board_->present.Add(bytes[i]);
        break;
      case wire::BlockStatus::kRejected:
        board_->unwanted.Add(bytes[i]);
        break;
      default:
        Retry(offered[i]);
    }
  }
  co_return wanted;
}

Task<void> BlockMover::Pack(std::vector<ValuedBlock> wanted, Parcel* parcel) {
  const int64_t deadline_ns = env_->loop->NowNs() + kBatchNs / 2;
  for (const ValuedBlock& block : wanted) {
    Task<absl::Status> packing = PackOne(&block, parcel, deadline_ns);
    const absl::Status packed = co_await packing;
    if (packed.ok()) continue;
    if (absl::IsResourceExhausted(packed) || absl::IsDeadlineExceeded(packed)) {
      Retry(block);
    } else {
      Lose(block);
    }
  }
}

Task<absl::Status> BlockMover::PackOne(const ValuedBlock* block, Parcel* parcel, int64_t deadline_ns) {
  const Entry* entry = Find(*block);
  if (entry == nullptr || entry->namespace_id != parcel->name_space) co_return absl::NotFoundError("it is gone");
  Parcel::Block each;
  each.block = *block;
  each.key.assign(entry->key.begin(), entry->key.end());
  each.header.key = KeyOf(*entry);
  each.bytes = entry->stored_bytes;
  std::vector<iovec> pieces;
  absl::StatusOr<RecordHeader> header = absl::DataLossError("");
  if (store_->PresenceOf(block->id) == wire::Presence::kRam) {
    header = store_->RamHeader(block->id);
    if (!header.ok()) co_return header.status();
    each.guard.emplace(store_, block->id);
    store_->PayloadPieces(block->id, 0, each.bytes, &pieces);
  } else {
    Task<absl::StatusOr<BlockStore::NvmeRead>> reading =
        store_->ReadNvme(block->id, 0, wire::kAllSegments, deadline_ns);
    absl::StatusOr<BlockStore::NvmeRead> read = co_await reading;
    if (!read.ok()) co_return read.status();
    header = std::move(read->header);
    for (const iovec& piece : read->staged.payload()) {
      const auto* bytes = static_cast<const uint8_t*>(piece.iov_base);
      each.copy.insert(each.copy.end(), bytes, bytes + piece.iov_len);
    }
    pieces.push_back({each.copy.data(), each.copy.size()});
  }
  each.header.codec = header->codec;
  each.header.segments = std::move(header->segments);
  for (const Segment& segment : each.header.segments) each.table.push_back(segment.checksum);
  parcel->payload.insert(parcel->payload.end(), pieces.begin(), pieces.end());
  parcel->payload.push_back({each.table.data(), each.table.size() * wire::kSegmentChecksumBytes});
  parcel->bytes += each.bytes;
  parcel->blocks.push_back(std::move(each));  // what the pieces point to moves along
  co_return absl::OkStatus();
}

// Waits for its turn under the limit of bytes.
Task<void> BlockMover::Pace(uint64_t bytes) {
  if (order_.bytes_per_s == 0) co_return;
  const int64_t at_ns = std::max(next_send_ns_, env_->loop->NowNs());
  next_send_ns_ = at_ns + static_cast<int64_t>(static_cast<double>(bytes) / static_cast<double>(order_.bytes_per_s) *
                                               static_cast<double>(kSecondNs));
  co_await stop_.WaitUntil(at_ns);
}

Task<absl::Status> BlockMover::Store(LentLink* link, const Batch* batch, Parcel* parcel) {
  const int64_t deadline_ns = env_->loop->NowNs() + kBatchNs;
  const NamespaceTable::Info* name_space = &store_->namespaces().At(batch->name_space);
  Task<absl::StatusOr<uint32_t>> opening = (*link)->Open(name_space, deadline_ns);  // it is: no round trip
  const absl::StatusOr<uint32_t> opened = co_await opening;
  if (!opened.ok()) co_return opened.status();
  wire::Store store;
  store.namespace_id = *opened;
  store.stamp_ns = batch->stamp_ns;
  for (const Parcel::Block& each : parcel->blocks) store.blocks.push_back(each.header);
  PeerRequest request{wire::FrameType::kStore, wire::FrameType::kStoreReply, {}, std::move(parcel->payload)};
  store.Encode(&request.meta);
  StatusSink sink;
  Task<absl::Status> asking = (*link)->Exchange(&request, &sink, deadline_ns);
  CO_RETURN_IF_ERROR(co_await asking);
  if (sink.statuses.size() != store.blocks.size())
    co_return absl::DataLossError("StoreReply to other blocks than sent");
  size_t i = 0;
  for (const Parcel::Block& each : parcel->blocks) {
    switch (sink.statuses[i++]) {
      case wire::BlockStatus::kOk:
        board_->moved.Add(each.bytes);
        ++counters_->given_blocks;
        counters_->given_bytes += each.bytes;
        break;
      case wire::BlockStatus::kPresent:
      case wire::BlockStatus::kConflict:
        board_->present.Add(each.bytes);
        break;
      case wire::BlockStatus::kRejected:
        board_->unwanted.Add(each.bytes);
        break;
      case wire::BlockStatus::kDamaged:
        board_->lost.Add(each.bytes);
        break;
      default:
        Retry(each.block);
    }
  }
  co_return absl::OkStatus();
}

}  // namespace incipit
