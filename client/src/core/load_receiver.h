// Takes the replies of one Load: payload straight into the caller's memory, then verified there.
#pragma once

#include <cstdint>
#include <vector>

#include "client/src/core/load_plan.h"
#include "client/src/core/pending_reply.h"
#include "client/src/core/piece_cursor.h"

namespace incipit {

// Fills status and tier of the batch. A block becomes kOk only after all its bytes have landed and every segment's
// checksum matched. One request, one thread.
class LoadReceiver : public PendingReply {
 public:
  // `shared`: the node may put the bytes into the caller's memory itself, since the request named it.
  LoadReceiver(Loop* loop, LoadBatch* batch, ClientCounters* counters, bool shared = false);
  Task<absl::Status> OnReply(FrameChannel* channel, const IncomingFrame& frame) override;

 private:
  // Segments of one block within what is received next.
  struct Stretch {
    uint32_t index = 0;  // of the block in the batch
    PieceCursor at;      // where its bytes go
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
  void VerifyStretches();

  LoadBatch* batch_;
  ClientCounters* counters_;
  bool shared_;
  std::vector<bool> seen_;
  std::vector<bool> damaged_;
  size_t answers_ = 0;
  std::vector<Stretch> stretches_;
  std::vector<iovec> pieces_;
  std::vector<iovec> segment_pieces_;
  uint64_t stretch_bytes_ = 0;
};

}  // namespace incipit
