// Takes the replies of one Load: payload straight into the caller's memory, then verified there; or, with a codec that
// changes bytes, into a landing buffer, verified there and decoded into the caller's memory.
#pragma once

#include <cstdint>
#include <vector>

#include "client/src/core/load_plan.h"
#include "client/src/core/pending_reply.h"
#include "client/src/core/piece_cursor.h"

namespace incipit {

// Fills status and tier of the batch. A block becomes kOk only after all its bytes have landed, every segment's
// checksum matched and, where there is something to decode, all of it could be. One request, one thread. A landing
// buffer holds one stretch, a megabyte and a segment at most, and only while its bytes arrive and are decoded.
class LoadReceiver : public PendingReply {
 public:
  // `shared`: the node may put the bytes into the caller's memory itself, since the request named it. REQUIRES: not
  // with a codec that has bytes to decode.
  LoadReceiver(const CallContext* context, LoadBatch* batch, bool shared = false);
  Task<absl::Status> OnReply(FrameChannel* channel, const IncomingFrame& frame) override;

 private:
  // Segments of one block within what is received next.
  struct Stretch {
    uint32_t index = 0;          // of the block in the batch
    uint16_t first_segment = 0;  // of `segments`, in the block's part
    PieceCursor at;              // where their raw bytes go
    std::span<const Segment> segments;
    bool ends_block = false;
  };
  absl::Status CheckReply(const wire::LoadReply& reply, const IncomingFrame& frame, const std::string& peer);
  void Expect(FrameChannel* channel, const wire::LoadReply& reply);
  Task<absl::Status> TakeBlocks(FrameChannel* channel, const wire::LoadReply* reply, bool placed);
  bool FitsPart(const wire::LoadedBlock& block) const;
  // Adds a block's segments to what is received next, receiving whenever that is enough.
  Task<absl::Status> TakeBlock(FrameChannel* channel, const wire::LoadedBlock* block);
  Task<absl::Status> SkipBlock(FrameChannel* channel, const wire::LoadedBlock* block);
  Task<absl::Status> ReceiveStretches(FrameChannel* channel);
  // The bytes are there already.
  void VerifyPlaced(const wire::LoadedBlock& block);
  // Where the bytes of all stretches land.
  void PlaceStretches(MutableBytes landing);
  void FinishStretches(MutableBytes landing);
  // Verified, and decoded if need be. `landed`: the stored bytes, empty if they are in `raw`.
  bool FinishSegment(const SegmentPlace& place, const Segment& segment, std::span<const iovec> raw, ByteView landed);
  ByteView IdentityOf(uint32_t index);

  const CallContext* context_;
  LoadBatch* batch_;
  ClientCounters* counters_;
  bool shared_;
  std::array<uint8_t, kMaxFramedIdentityBytes> identity_{};
  std::vector<bool> seen_;
  std::vector<bool> damaged_;
  size_t answers_ = 0;
  std::vector<Stretch> stretches_;
  std::vector<iovec> pieces_;
  std::vector<iovec> segment_pieces_;
  uint64_t stretch_bytes_ = 0;
};

}  // namespace incipit
