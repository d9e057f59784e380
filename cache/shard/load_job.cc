#include "cache/shard/load_job.h"

#include <algorithm>

#include "cache/base/status_macros.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;
constexpr size_t kMaxBlocksPerReply = 1024;
// Taken over from another node before they are sent on, at most: they have to fit into RAM until then.
constexpr size_t kMaxBlocksFromPeers = 64;
constexpr uint64_t kMaxBytesFromPeers = 32 << 20;
// Of the time that is left, a part is kept for sending on what came.
constexpr int64_t kShareForPeers = 8;

wire::BlockStatus StatusOfReadError(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kDataLoss:
      return wire::BlockStatus::kDamaged;
    case absl::StatusCode::kDeadlineExceeded:
      return wire::BlockStatus::kExpired;
    case absl::StatusCode::kResourceExhausted:
      return wire::BlockStatus::kBusy;
    default:
      return wire::BlockStatus::kIoError;
  }
}

}  // namespace

LoadJob::LoadJob(Session* session, uint64_t request_id, std::vector<uint8_t> meta, bool shared, int64_t received_ns)
    : session_(session),
      shard_(session->shard()),
      store_(shard_->store()),
      request_id_(request_id),
      shared_(shared),
      meta_(std::move(meta)),
      received_ns_(received_ns),
      nvme_reads_(shard_->loop(), shard_->options().limits.nvme_reads_per_load),
      nvme_blocks_(shard_->loop(), 2 * uint64_t{shard_->options().limits.nvme_reads_per_load}) {}

absl::Status LoadJob::DecodeMeta(wire::SharedPlaces* places) {
  ByteView rest = meta_;
  if (shared_) {
    ASSIGN_OR_RETURN(*places, wire::SharedPlaces::Decode(meta_, &rest));
  }
  ASSIGN_OR_RETURN(request_, wire::Load::Decode(rest));
  return absl::OkStatus();
}

absl::Status LoadJob::Prepare() {
  wire::SharedPlaces places;
  RETURN_IF_ERROR(DecodeMeta(&places));
  ASSIGN_OR_RETURN(name_space_, session_->NamespaceOf(request_.namespace_id, Role::kRead));
  RETURN_IF_ERROR(session_->CheckKeys(name_space_, request_.keys));
  const ShardLimits& limits = shard_->options().limits;
  const uint32_t deadline_ms = request_.deadline_ms == 0 ? limits.default_load_deadline_ms : request_.deadline_ms;
  deadline_ns_ = received_ns_ + int64_t{deadline_ms} * kMillisecondNs;
  stamp_ns_ = request_.stamp_ns == 0 ? 0 : shard_->ClampStamp(request_.stamp_ns);
  unanswered_ = request_.keys.size();
  const Layout& layout = *store_->namespaces().At(name_space_).layout;
  std::vector<uint64_t> bytes_by_key;
  for (const wire::KeyRef& key : request_.keys) {
    const GroupSpec& group = layout.groups[key.group];
    const uint64_t all = group.SegmentsOfPart(key.part);
    const uint64_t after_first = all - std::min<uint64_t>(request_.first_segment, all);
    const uint64_t segments = std::min<uint64_t>(request_.segment_count, after_first);
    expected_bytes_ += segments * group.SegmentBytes();
    if (shared_) bytes_by_key.push_back(segments * group.SegmentBytes());
  }
  unsent_bytes_ = expected_bytes_;
  if (shared_) {
    ASSIGN_OR_RETURN(const RegionTable* regions, session_->regions());
    ASSIGN_OR_RETURN(target_, LoadTarget::Create(*regions, places, std::move(bytes_by_key)));
  }
  return absl::OkStatus();
}

bool LoadJob::Expired() const { return revoked_ || shard_->loop()->NowNs() >= deadline_ns_; }

Task<void> LoadJob::Run() {
  ++shard_->counters()->loads;
  shard_->counters()->load_keys += request_.keys.size();
  Task<void> first = SendRamAndMisses();
  co_await first;
  TaskScope reads(shard_->loop());
  for (const uint32_t index : on_nvme_) {
    co_await nvme_blocks_.Acquire(1);
    reads.Spawn(SendFromNvme(index));
  }
  if (!elsewhere_.empty()) reads.Spawn(SendFromPeers());
  co_await reads.Join();
  shard_->admission()->Progress(unsent_bytes_);
  shard_->counters()->load_latency.Record(shard_->loop()->NowNs() - received_ns_);
}

// The segments asked for, and where in the payload they lie.
void LoadJob::SetSegments(const RecordHeader& header, wire::LoadedBlock* block, uint64_t* offset,
                          uint64_t* length) const {
  *offset = *length = 0;
  for (size_t i = 0; i < header.segments.size(); ++i) {
    const Segment& segment = header.segments[i];
    if (i < request_.first_segment) {
      *offset += segment.stored_bytes;
    } else if (i - request_.first_segment < request_.segment_count) {
      *length += segment.stored_bytes;
      block->segments.push_back(segment);
    }
  }
}

void LoadJob::AddFailure(uint32_t index, wire::BlockStatus status, Reply* reply) {
  wire::LoadedBlock block;
  block.index = index;
  block.status = status;
  reply->message.blocks.push_back(std::move(block));
  ShardCounters* counters = shard_->counters();
  switch (status) {
    case wire::BlockStatus::kExpired:
      ++counters->load_expired;
      break;
    case wire::BlockStatus::kIoError:
      ++counters->load_io_errors;
      break;
    case wire::BlockStatus::kDamaged:
      ++counters->load_damaged;
      break;
    default:
      ++counters->load_misses;
  }
}

bool LoadJob::ChooseWay(Codec codec, Reply* reply) const {
  const bool in_frame = target_.has_value() && codec != Codec::kRaw;
  if (in_frame != reply->in_frame && !reply->guards.empty()) return false;
  reply->in_frame = in_frame;
  return true;
}

bool LoadJob::AddRamHit(uint32_t index, BlockId id, Reply* reply) {
  const absl::StatusOr<RecordHeader> header = store_->RamHeader(id);
  if (!header.ok()) {
    ++store_->mutable_counters().damaged_in_ram;
    AddFailure(index, wire::BlockStatus::kDamaged, reply);
    return true;
  }
  if (!session_->knows_codec(header->codec)) {
    AddFailure(index, wire::BlockStatus::kRejected, reply);
    return true;
  }
  if (!ChooseWay(header->codec, reply)) return false;
  wire::LoadedBlock block;
  block.index = index;
  block.status = wire::BlockStatus::kOk;
  block.tier = wire::Presence::kRam;
  block.codec = header->codec;
  uint64_t offset = 0, length = 0;
  SetSegments(*header, &block, &offset, &length);
  if (!reply->in_frame && !FitsPlace(index, length)) {
    AddFailure(index, wire::BlockStatus::kRejected, reply);
    return true;
  }
  reply->guards.emplace_back(store_, id);
  store_->PayloadPieces(id, offset, length, &reply->payload);
  reply->bytes += length;
  reply->message.blocks.push_back(std::move(block));
  shard_->heat()->OnLoad(id, length, shard_->loop()->NowNs(), stamp_ns_);
  if (!session_->is_peer()) store_->namespaces().CountLoad(name_space_, length);
  ++shard_->counters()->load_hits_ram;
  shard_->counters()->load_bytes_ram += length;
  session_->lane_counters()->load_bytes_ram += length;
  return true;
}

Task<void> LoadJob::SendRamAndMisses() {
  // A lane on which the end of a frame costs round trips says so, and gets longer ones.
  const uint64_t chunk_bytes =
      std::max(shard_->options().limits.load_chunk_bytes, session_->channel()->stream()->MaxTransferBytes());
  uint32_t index = 0;
  const auto count = static_cast<uint32_t>(request_.keys.size());
  while (index < count && !failed_) {
    // Blocks are looked up only when it is this job's turn to send: nothing is held while it waits.
    co_await session_->send_lock()->Acquire(1);
    Reply reply;
    while (index < count && reply.bytes < chunk_bytes && reply.message.blocks.size() < kMaxBlocksPerReply) {
      const wire::KeyRef& key = request_.keys[index];
      if (Expired()) {
        AddFailure(index++, wire::BlockStatus::kExpired, &reply);
        continue;
      }
      const BlockId id = store_->Find(name_space_, key);
      const wire::Presence presence = id == kNoBlock ? wire::Presence::kMiss : store_->PresenceOf(id);
      if (presence != wire::Presence::kMiss && stamp_ns_ != 0) store_->Touch(id, stamp_ns_);
      if (presence == wire::Presence::kRam) {
        if (!AddRamHit(index, id, &reply)) break;
      } else if (presence == wire::Presence::kNvme) {
        on_nvme_.push_back(index);
      } else if (MayBeElsewhere(index)) {
        elsewhere_.push_back(index);
      } else {
        AddFailure(index, wire::BlockStatus::kMiss, &reply);
      }
      ++index;
    }
    Task<void> sending = Send(&reply);
    co_await sending;
    session_->send_lock()->Release(1);
  }
}

Task<void> LoadJob::SendFromNvme(uint32_t index) {
  co_await nvme_reads_.Acquire(1);  // before the lookup: what that finds may be gone after a wait
  if (failed_) {
    nvme_reads_.Release(1);
  } else {
    Reply reply;
    StagedRead staged;  // holds the bytes until they are sent
    const wire::KeyRef& key = request_.keys[index];
    const BlockId id = store_->Find(name_space_, key);
    if (id == kNoBlock || store_->PresenceOf(id) == wire::Presence::kMiss) {
      AddFailure(index, wire::BlockStatus::kMiss, &reply);
    } else if (store_->PresenceOf(id) == wire::Presence::kRam) {
      AddRamHit(index, id, &reply);  // Promoted meanwhile by somebody else's read.
    } else {
      Task<absl::StatusOr<BlockStore::NvmeRead>> reading =
          store_->ReadNvme(id, request_.first_segment, request_.segment_count, deadline_ns_);
      absl::StatusOr<BlockStore::NvmeRead> read = co_await reading;
      if (!read.ok()) {
        AddFailure(index, StatusOfReadError(read.status()), &reply);
      } else {
        wire::LoadedBlock block;
        block.index = index;
        block.status = wire::BlockStatus::kOk;
        block.tier = wire::Presence::kNvme;
        block.codec = read->header.codec;
        uint64_t offset = 0;
        SetSegments(read->header, &block, &offset, &reply.bytes);
        ChooseWay(block.codec, &reply);
        if (session_->knows_codec(block.codec) && (reply.in_frame || FitsPlace(index, reply.bytes))) {
          reply.payload.assign(read->staged.payload().begin(), read->staged.payload().end());
          reply.message.blocks.push_back(std::move(block));
          shard_->heat()->OnLoad(id, reply.bytes, shard_->loop()->NowNs(), stamp_ns_);
          if (!session_->is_peer()) store_->namespaces().CountLoad(name_space_, reply.bytes);
          ++shard_->counters()->load_hits_nvme;
          shard_->counters()->load_bytes_nvme += reply.bytes;
          session_->lane_counters()->load_bytes_nvme += reply.bytes;
          staged = std::move(read->staged);
        } else {
          reply.bytes = 0;
          AddFailure(index, wire::BlockStatus::kRejected, &reply);
        }
      }
    }
    nvme_reads_.Release(1);
    co_await session_->send_lock()->Acquire(1);
    Task<void> sending = Send(&reply);
    co_await sending;
    session_->send_lock()->Release(1);
  }
  nvme_blocks_.Release(1);
}

bool LoadJob::MayBeElsewhere(uint32_t index) const {
  ShardPeers* peers = shard_->peers();
  return peers != nullptr && !session_->is_peer() && peers->MayHave(name_space_, request_.keys[index]);
}

// A part of them after the other, so that what is taken over is not driven out before it is sent.
Task<void> LoadJob::SendFromPeers() {
  const Layout& layout = *store_->namespaces().At(name_space_).layout;
  size_t first = 0;
  while (first < elsewhere_.size() && !failed_) {
    size_t end = first;
    uint64_t bytes = 0;
    while (end < elsewhere_.size() && end - first < kMaxBlocksFromPeers && bytes < kMaxBytesFromPeers) {
      const wire::KeyRef& key = request_.keys[elsewhere_[end++]];
      const GroupSpec& group = layout.groups[key.group];
      bytes += uint64_t{group.SegmentsOfPart(key.part)} * group.SegmentBytes();
    }
    Task<void> taking = TakeOverAndSend(first, end);
    co_await taking;
    first = end;
  }
}

Task<void> LoadJob::TakeOverAndSend(size_t first, size_t end) {
  const int64_t now_ns = shard_->loop()->NowNs();
  if (!Expired()) {
    std::vector<wire::KeyRef> keys;
    for (size_t i = first; i < end; ++i) keys.push_back(request_.keys[elsewhere_[i]]);
    const int64_t left_ns = deadline_ns_ - now_ns;
    const int64_t most_ns = int64_t{shard_->options().limits.peer_load_ms} * kMillisecondNs;
    const PeerQuestion question{.name_space = name_space_,
                                .keys = keys,
                                .stamp_ns = shard_->ClampStamp(request_.stamp_ns),
                                .deadline_ns = now_ns + std::min(left_ns - left_ns / kShareForPeers, most_ns)};
    Task<void> taking = shard_->peers()->TakeOver(&question);
    co_await taking;
  }
  co_await session_->send_lock()->Acquire(1);
  size_t next = first;
  while (next < end && !failed_) {
    Reply reply;
    while (next < end) {
      const uint32_t index = elsewhere_[next];
      const BlockId id = store_->Find(name_space_, request_.keys[index]);
      if (id != kNoBlock && store_->PresenceOf(id) == wire::Presence::kRam && !Expired()) {
        if (!AddRamHit(index, id, &reply)) break;
      } else {
        AddFailure(index, Expired() ? wire::BlockStatus::kExpired : wire::BlockStatus::kMiss, &reply);
      }
      ++next;
    }
    Task<void> sending = Send(&reply);
    co_await sending;
  }
  session_->send_lock()->Release(1);
}

// Puts the payload where the client wants it; the frame then only says so.
Task<void> LoadJob::PlaceShared(Reply* reply) {
  const uint64_t slice_bytes = std::max(shard_->admission()->TransferBytes(), FrameChannel::kMinTransferBytes);
  bool placed = !revoked_;
  if (placed && !reply->payload.empty()) {
    Task<bool> placing =
        target_->Place(shard_->loop(), session_->channel(), reply->payload, reply->message.blocks, slice_bytes);
    placed = co_await placing;
  }
  reply->payload.clear();
  if (placed) co_return;
  revoked_ = true;
  for (wire::LoadedBlock& block : reply->message.blocks) {
    if (block.status == wire::BlockStatus::kOk) block = {.index = block.index, .status = wire::BlockStatus::kExpired};
  }
}

Task<void> LoadJob::Send(Reply* reply) {
  if (reply->message.blocks.empty() || failed_) co_return;
  unanswered_ -= reply->message.blocks.size();
  uint16_t flags = unanswered_ == 0 ? wire::kFrameFlagLast : 0;
  if (target_.has_value() && !reply->in_frame) {
    flags |= wire::kFrameFlagShared;
    Task<void> placing = PlaceShared(reply);
    co_await placing;
  }
  std::vector<uint8_t> meta;
  reply->message.Encode(&meta);
  Task<absl::Status> sending =
      session_->SendLocked(wire::FrameType::kLoadReply, request_id_, flags, &meta, reply->payload);
  const absl::Status status = co_await sending;
  failed_ = !status.ok();
  shard_->admission()->Progress(reply->bytes);
  unsent_bytes_ -= std::min(unsent_bytes_, reply->bytes);
}

}  // namespace incipit
