// Frames waiting to be sent on one connection. Everything small and every load goes before stores, so that a load waits
// for at most the one store frame that is being sent.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "cache/runtime/sync.h"
#include "transport/frame_channel.h"

namespace incipit {

struct OutgoingFrame {
  wire::FrameHeader header;
  std::shared_ptr<const std::vector<uint8_t>> meta;
  std::span<const iovec> payload;    // the caller's memory
  bool bulk = false;                 // a store
  FillPayload fill;                  // completes the payload as it is sent
  std::vector<int> descriptors;      // go with it; see `keep`
  std::shared_ptr<const void> keep;  // whatever must live until it was sent
};

// One thread: the loop's. Outlives the channels that Run() is given, one after the other.
class SendQueue {
 public:
  explicit SendQueue(Loop* loop) : pushed_(loop), sent_(loop) {}

  // The frame's request id names it from here on.
  void Push(OutgoingFrame frame);
  // True if it was waiting: then it is not sent.
  bool Remove(uint64_t request_id);
  // True while its memory is being read.
  bool sending(uint64_t request_id) const { return sending_id_ == request_id; }
  // False if the deadline came before the sending of this frame ended.
  Task<bool> WaitSent(uint64_t request_id, int64_t deadline_ns);

  // Sends what is pushed until Stop() or a failure; then drops what is left.
  Task<absl::Status> Run(FrameChannel* channel);
  void Stop();

 private:
  std::deque<OutgoingFrame> urgent_, bulk_;
  Event pushed_;
  Event sent_;
  uint64_t sending_id_ = 0;  // 0 = none
  bool stopped_ = false;
};

}  // namespace incipit
