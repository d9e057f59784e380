#include "client/src/core/load_receiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cache/base/check.h"
#include "cache/base/defence.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

// Received at once and then verified: small enough that the bytes are still in the processor's cache.
constexpr uint64_t kStretchBytes = 1 * kMiB;
constexpr uint64_t kSkipBytes = 64 * kKiB;

}  // namespace

LoadReceiver::LoadReceiver(const CallContext* context, LoadBatch* batch, bool shared)
    : PendingReply(context->loop, wire::FrameType::kLoadReply),
      context_(context),
      batch_(batch),
      counters_(context->counters),
      shared_(shared),
      seen_(batch->keys.size(), false),
      progress_(batch->keys.size()),
      decoded_(context->loop) {}

LoadReceiver::~LoadReceiver() { INCIPIT_CHECK(decoding_ == 0, "a load ended while its bytes were being decoded"); }

// Everything that can be checked is, before the first byte goes to the caller's memory.
absl::Status LoadReceiver::CheckReply(const wire::LoadReply& reply, const IncomingFrame& frame,
                                      const std::string& peer) {
  const bool placed = (frame.header.flags & wire::kFrameFlagShared) != 0;
  if (placed && !shared_) {
    return absl::DataLossError(fmt::format("{}: LoadReply says that it wrote into memory that was not offered", peer));
  }
  if (!placed && reply.PayloadBytes() != frame.header.payload_bytes) {
    return absl::DataLossError(fmt::format("{}: LoadReply lists {} bytes and carries {}", peer, reply.PayloadBytes(),
                                           frame.header.payload_bytes));
  }
  for (const wire::LoadedBlock& block : reply.blocks) {
    if (block.index >= seen_.size()) {
      return absl::DataLossError(
          fmt::format("{}: LoadReply for block {}, {} were asked for", peer, block.index, seen_.size()));
    }
    if (seen_[block.index]) {
      return absl::DataLossError(fmt::format("{}: a second LoadReply for block {}", peer, block.index));
    }
    seen_[block.index] = true;
    ++answers_;
  }
  const bool last = (frame.header.flags & wire::kFrameFlagLast) != 0;
  if (last && answers_ != seen_.size()) {
    return absl::DataLossError(
        fmt::format("{}: the last LoadReply came after {} of {} blocks", peer, answers_, seen_.size()));
  }
  return absl::OkStatus();
}

Task<absl::Status> LoadReceiver::OnReply(FrameChannel* channel, const IncomingFrame& frame) {
  absl::StatusOr<wire::LoadReply> reply = wire::LoadReply::Decode(frame.meta);
  if (!reply.ok()) co_return reply.status();
  CO_RETURN_IF_ERROR(CheckReply(*reply, frame, channel->PeerName()));
  const bool placed = (frame.header.flags & wire::kFrameFlagShared) != 0;
  const bool expects = !placed && context_->codec->in_place() && channel->WantsExpectations();
  if (expects) Expect(channel, *reply);
  Task<absl::Status> taking = TakeBlocks(channel, &*reply, placed);
  const absl::Status status = co_await taking;
  if (expects) co_await channel->EndExpected();
  digests_.reset();
  co_return status;
}

// On a lane that moves bytes by itself, they all may come while the first are being verified. Not what is decoded from
// a landing buffer, of which there is one for each stretch.
void LoadReceiver::Expect(FrameChannel* channel, const wire::LoadReply& reply) {
  std::vector<iovec> pieces;
  std::vector<uint64_t> segment_bytes;
  for (const wire::LoadedBlock& block : reply.blocks) {
    if (block.status != BlockStatus::kOk) continue;
    // It is skipped or lands elsewhere, and those behind it come as they are read.
    if (!FitsPart(block) || block.codec != Codec::kRaw) break;
    const LoadPart& part = batch_->parts[block.index];
    PieceCursor cursor(part.pieces, part.offset);
    for (const Segment& segment : block.segments) {
      cursor.Take(segment.stored_bytes, &pieces);
      segment_bytes.push_back(segment.stored_bytes);
    }
  }
  digests_.emplace(segment_bytes);
  looked_at_ = 0;
  channel->ExpectPayload(pieces, &*digests_);
}

// `placed`: their bytes are where they belong already.
Task<absl::Status> LoadReceiver::TakeBlocks(FrameChannel* channel, const wire::LoadReply* reply, bool placed) {
  for (const wire::LoadedBlock& block : reply->blocks) {
    if (abandoned()) co_return absl::OkStatus();
    absl::Status status;
    if (block.status != BlockStatus::kOk) {
      batch_->status[block.index] = block.status;
    } else if (placed) {
      VerifyPlaced(block);
    } else if (FitsPart(block)) {
      status = co_await TakeBlock(channel, &block);
    } else {
      batch_->status[block.index] = BlockStatus::kRejected;
      ++counters_->refused_blocks;
      status = co_await SkipBlock(channel, &block);
    }
    if (!status.ok()) co_return status;
  }
  if (abandoned()) co_return absl::OkStatus();
  co_return co_await ReceiveStretches(channel);
}

// Sealed blocks and no others with a key: whoever can write to the node could otherwise pass unsealed ones to its
// owner. Without one only unsealed ones. Of both kinds everything that is lossless, whoever coded it; what is lossy
// only if that is what this client stores.
bool LoadReceiver::Accepts(Codec codec) const {
  if (IsSealed(codec) != (context_->sealers != nullptr)) return false;
  const Codec opened = IsSealed(codec) ? OpenedOf(codec) : codec;
  return opened != Codec::kFp8 || context_->coding.coding == SegmentCoding::kFp8;
}

// A block that its writer cut differently from this layout is of no use here, and must not move later bytes.
bool LoadReceiver::FitsPart(const wire::LoadedBlock& block) const {
  const LoadPart& part = batch_->parts[block.index];
  return Accepts(block.codec) && block.segments.size() == part.segment_count &&
         std::all_of(block.segments.begin(), block.segments.end(), [&](const Segment& segment) {
           return IsPossibleSegment(block.codec, segment, part.segment_bytes);
         });
}

Task<absl::Status> LoadReceiver::TakeBlock(FrameChannel* channel, const wire::LoadedBlock* block) {
  const LoadPart& part = batch_->parts[block->index];
  batch_->tier[block->index] = block->tier;
  // What was announced by Expect() and what was not are received apart.
  if (!stretches_.empty() && stretches_.back().codec != block->codec) {
    absl::Status status = co_await ReceiveStretches(channel);
    if (!status.ok() || abandoned()) co_return status;
  }
  const std::span<const Segment> segments = block->segments;
  PieceCursor cursor(part.pieces, part.offset);
  for (size_t next = 0; next < segments.size();) {
    Stretch stretch{block->index, static_cast<uint16_t>(batch_->first_segment + next), block->codec, cursor};
    const size_t first = next;
    while (next < segments.size() && (next == first || stretch_bytes_ < kStretchBytes)) {
      cursor.Skip(segments[next].raw_bytes);
      stretch_bytes_ += segments[next].stored_bytes;
      if (block->codec != Codec::kRaw) landing_bytes_ += segments[next].stored_bytes;
      ++next;
    }
    stretch.segments = segments.subspan(first, next - first);
    stretch.ends_block = next == segments.size();
    stretches_.push_back(stretch);
    if (stretch_bytes_ < kStretchBytes) continue;
    absl::Status status = co_await ReceiveStretches(channel);
    if (!status.ok() || abandoned()) co_return status;
  }
  co_return absl::OkStatus();
}

Task<absl::Status> LoadReceiver::SkipBlock(FrameChannel* channel, const wire::LoadedBlock* block) {
  absl::Status status = co_await ReceiveStretches(channel);
  uint64_t left = 0;
  for (const Segment& segment : block->segments) left += segment.stored_bytes;
  std::vector<uint8_t> scratch(std::min(left, kSkipBytes));
  while (left > 0 && status.ok() && !abandoned()) {
    const iovec piece{scratch.data(), std::min<uint64_t>(left, scratch.size())};
    status = co_await channel->ReceivePayload({&piece, 1});
    left -= piece.iov_len;
  }
  if (abandoned() && absl::IsCancelled(status)) co_return absl::OkStatus();
  co_return status;
}

Task<absl::Status> LoadReceiver::ReceiveStretches(FrameChannel* channel) {
  if (stretches_.empty()) co_return absl::OkStatus();
  BufferPool::Buffer landing;
  if (landing_bytes_ > 0) landing = context_->buffers->Take(landing_bytes_);
  PlaceStretches(landing.bytes());
  absl::Status status = co_await channel->ReceivePayload(pieces_);
  if (status.ok() && !abandoned()) FinishStretches(std::move(landing));
  pieces_.clear();
  stretches_.clear();
  stretch_bytes_ = landing_bytes_ = 0;
  Task<void> waiting = WaitDecoding(kMaxDecoding - 1);
  co_await waiting;
  if (abandoned() && absl::IsCancelled(status)) co_return absl::OkStatus();
  co_return status;
}

void LoadReceiver::VerifyPlaced(const wire::LoadedBlock& block) {
  if (!FitsPart(block) || block.codec != Codec::kRaw) {
    batch_->status[block.index] = BlockStatus::kRejected;
    ++counters_->refused_blocks;
    return;
  }
  const LoadPart& part = batch_->parts[block.index];
  batch_->tier[block.index] = block.tier;
  stretches_.push_back({block.index, batch_->first_segment, block.codec, PieceCursor(part.pieces, part.offset),
                        block.segments, /*ends_block=*/true});
  FinishStretches(/*landing=*/{});
  stretches_.clear();
}

void LoadReceiver::PlaceStretches(MutableBytes landing) {
  for (const Stretch& stretch : stretches_) {
    PieceCursor cursor = stretch.at;
    for (const Segment& segment : stretch.segments) {
      if (stretch.codec == Codec::kRaw) {
        cursor.Take(segment.raw_bytes, &pieces_);
      } else {
        PieceCursor::Append({landing.data(), segment.stored_bytes}, &pieces_);
        landing = landing.subspan(segment.stored_bytes);
      }
    }
  }
}

ByteView LoadReceiver::IdentityOf(uint32_t index) {
  const wire::KeyRef& key = batch_->keys[index];
  return FrameIdentity(context_->framed_namespace, key.group, key.part, key.key, &identity_);
}

// In the order in which they come, which is that of Expect().
bool LoadReceiver::IsIntact(const Segment& segment, std::span<const iovec> raw) {
  const std::optional<uint64_t> landed = digests_.has_value() ? digests_->Of(looked_at_++) : std::nullopt;
  return landed.has_value() ? *landed == segment.checksum : VerifySegment(raw, segment);
}

bool LoadReceiver::FinishSegment(const SegmentPlace& place, const Segment& segment, std::span<const iovec> raw,
                                 ByteView landed) {
  const bool decodes = !landed.empty();
  const bool intact = decodes ? Xxh3Of(landed) == segment.checksum : IsIntact(segment, raw);
  if (INCIPIT_DEFENDED(kChecksum) && !intact) {
    ++counters_->damaged_segments;
    return false;
  }
  if (!decodes || context_->codec->Decode(place, landed, raw)) return true;
  ++counters_->forged_segments;
  return false;
}

void LoadReceiver::FinishStretch(Stretch* stretch, MutableBytes* landed) {
  SegmentPlace place{.index = stretch->first_segment};
  if (stretch->codec != Codec::kRaw) place.identity = IdentityOf(stretch->index);
  for (const Segment& segment : stretch->segments) {
    segment_pieces_.clear();
    stretch->at.Take(segment.raw_bytes, &segment_pieces_);
    const MutableBytes stored = landed->first(stretch->codec == Codec::kRaw ? 0 : segment.stored_bytes);
    *landed = landed->subspan(stored.size());
    if (!FinishSegment(place, segment, segment_pieces_, stored)) progress_[stretch->index].damaged = true;
    ++place.index;
  }
}

void LoadReceiver::AddToJob(Stretch* stretch, DecodeJob* job) {
  SegmentPlace place{.index = stretch->first_segment};
  if (IsSealed(stretch->codec)) place.identity = IdentityOf(stretch->index);
  for (const Segment& segment : stretch->segments) {
    segment_pieces_.clear();
    stretch->at.Take(segment.raw_bytes, &segment_pieces_);
    job->Add(stretch->index, stretch->codec, segment, segment_pieces_, place);
    ++place.index;
  }
  progress_[stretch->index].decoding += stretch->segments.size();
}

void LoadReceiver::FinishStretches(BufferPool::Buffer landing) {
  auto job = std::make_shared<DecodeJob>();
  MutableBytes landed = landing.bytes();
  for (Stretch& stretch : stretches_) {
    if (IsCoded(stretch.codec)) {
      AddToJob(&stretch, job.get());
    } else {
      FinishStretch(&stretch, &landed);
    }
    if (stretch.ends_block) progress_[stretch.index].received = true;
  }
  if (!job->empty()) {
    job->SetLanded(std::move(landing), landed);
    StartDecoding(std::move(job));
  }
  for (const Stretch& stretch : stretches_) Settle(stretch.index);
}

void LoadReceiver::StartDecoding(std::shared_ptr<DecodeJob> job) {
  ++decoding_;
  SealerPool* const sealers = context_->sealers;
  context_->workers->StartWarm([job, sealers](PieceCoder* coder) { job->Run(coder, sealers); },
                               [this, job] { OnDecoded(*job); });
}

void LoadReceiver::OnDecoded(const DecodeJob& job) {
  for (const DecodeJob::Item& item : job.items()) {
    Progress& progress = progress_[item.block];
    --progress.decoding;
    if (item.outcome == DecodeJob::Outcome::kDecoded) {
      counters_->decoded_raw_bytes += item.segment.raw_bytes;
      counters_->decoded_stored_bytes += item.segment.stored_bytes;
      continue;
    }
    progress.damaged = true;
    ++(item.outcome == DecodeJob::Outcome::kDamaged ? counters_->damaged_segments : counters_->forged_segments);
  }
  for (const DecodeJob::Item& item : job.items()) Settle(item.block);
  --decoding_;
  decoded_.Set();
}

Task<void> LoadReceiver::WaitDecoding(size_t most_jobs) {
  while (decoding_ > most_jobs) {
    decoded_.Clear();
    co_await decoded_.Wait();
  }
}

void LoadReceiver::Settle(uint32_t index) {
  const Progress& progress = progress_[index];
  if (!progress.received || progress.decoding > 0) return;
  batch_->status[index] = progress.damaged ? BlockStatus::kDamaged : BlockStatus::kOk;
}

}  // namespace incipit
