// Takes the replies of one Load: raw payload straight into the caller's memory, then verified there; any other into a
// landing buffer, verified there and decoded into the caller's memory, what is coded by `CodingWorkers` while more
// arrives.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cache/base/piece_cursor.h"
#include "client/src/core/decode_job.h"
#include "client/src/core/load_plan.h"
#include "client/src/core/pending_reply.h"
#include "transport/landed_digests.h"

namespace incipit {

// Fills status and tier of the batch. A block becomes kOk only after all its bytes have landed, every segment's
// checksum matched and, where there is something to decode, all of it could be. One request, one thread. A landing
// buffer holds one stretch, a megabyte and a segment at most, and only while its bytes arrive and are decoded; at most
// kMaxDecoding of them are being decoded.
class LoadReceiver : public PendingReply {
 public:
  static constexpr size_t kMaxDecoding = 4;

  // `shared`: the node may put raw bytes into the caller's memory itself, since the request named it. REQUIRES: not
  // with a sealing key.
  LoadReceiver(const CallContext* context, LoadBatch* batch, bool shared = false);
  ~LoadReceiver() override;  // REQUIRES: WaitDecoded() has ended (checked; aborts)
  Task<absl::Status> OnReply(FrameChannel* channel, const IncomingFrame& frame) override;
  // Until nothing is being decoded. Await it after the exchange, however that ended: until then coding threads may
  // write to the caller's memory.
  Task<void> WaitDecoded() { return WaitDecoding(0); }

 private:
  // Segments of one block within what is received next.
  struct Stretch {
    uint32_t index = 0;          // of the block in the batch
    uint16_t first_segment = 0;  // of `segments`, in the block's part
    Codec codec = Codec::kRaw;
    PieceCursor at;  // where their raw bytes go
    std::span<const Segment> segments;
    bool ends_block = false;
  };
  // Of one block.
  struct Progress {
    size_t decoding = 0;  // segments
    bool received = false, damaged = false;
  };
  absl::Status CheckReply(const wire::LoadReply& reply, const IncomingFrame& frame, const std::string& peer);
  void Expect(FrameChannel* channel, const wire::LoadReply& reply);
  bool IsIntact(const Segment& segment, std::span<const iovec> raw);
  Task<absl::Status> TakeBlocks(FrameChannel* channel, const wire::LoadReply* reply, bool placed);
  bool Accepts(Codec codec) const;
  bool FitsPart(const wire::LoadedBlock& block) const;
  // Adds a block's segments to what is received next, receiving whenever that is enough.
  Task<absl::Status> TakeBlock(FrameChannel* channel, const wire::LoadedBlock* block);
  Task<absl::Status> SkipBlock(FrameChannel* channel, const wire::LoadedBlock* block);
  Task<absl::Status> ReceiveStretches(FrameChannel* channel);
  // The bytes are there already.
  void VerifyPlaced(const wire::LoadedBlock& block);
  // Where the bytes of all stretches land.
  void PlaceStretches(MutableBytes landing);
  void FinishStretches(BufferPool::Buffer landing);
  // Of raw and sealed segments: verified, and opened. Takes what landed of them off `landed`.
  void FinishStretch(Stretch* stretch, MutableBytes* landed);
  bool FinishSegment(const SegmentPlace& place, const Segment& segment, std::span<const iovec> raw, ByteView landed);
  // Adds coded segments to what is decoded next.
  void AddToJob(Stretch* stretch, DecodeJob* job);
  void StartDecoding(std::shared_ptr<DecodeJob> job);
  void OnDecoded(const DecodeJob& job);
  Task<void> WaitDecoding(size_t most_jobs);
  // Gives the block its status once nothing of it is outstanding.
  void Settle(uint32_t index);
  ByteView IdentityOf(uint32_t index);

  const CallContext* context_;
  LoadBatch* batch_;
  ClientCounters* counters_;
  bool shared_;
  std::array<uint8_t, kMaxFramedIdentityBytes> identity_{};
  std::vector<bool> seen_;
  std::vector<Progress> progress_;  // by block
  size_t answers_ = 0;
  std::vector<Stretch> stretches_;
  std::vector<iovec> pieces_;
  std::vector<iovec> segment_pieces_;
  uint64_t stretch_bytes_ = 0;
  uint64_t landing_bytes_ = 0;  // of these, what does not go straight to the caller's memory
  // Of the segments that Expect() announced, and how many of these were looked at.
  std::optional<LandedDigests> digests_;
  size_t looked_at_ = 0;
  size_t decoding_ = 0;  // jobs
  Event decoded_;
};

}  // namespace incipit
