// Cuts one direction of a connection of UCX's tcp into its frames, however its bytes arrive.
#pragma once

#include <array>

#include "cache/base/bytes.h"
#include "transport/ucx/guard/ucx_frames.h"

namespace incipit {

struct UcxFrame {
  uint8_t id = 0;
  uint32_t bytes = 0;  // of its body
  ByteView head;       // of its body the first 256 at most
  ByteView tail;       // and the last 64 at most
};

class UcxFrameVisitor {
 public:
  virtual ~UcxFrameVisitor() = default;
  // Both say whether the frame may pass. OnBegin comes before any byte of the body.
  virtual bool OnBegin(uint8_t id, uint32_t bytes) = 0;
  virtual bool OnFrame(const UcxFrame& frame) = 0;
};

// Keeps some hundred bytes, copies no payload. One thread.
class UcxFrameCutter {
 public:
  // The next bytes of the stream. False: the visitor let a frame not pass; nothing is said about what is behind it.
  bool Take(ByteView bytes, UcxFrameVisitor* visitor);
  // Until the end of this frame, or of its header if that is not known yet.
  size_t BytesToCome() const {
    return header_bytes_ < header_.size() ? header_.size() - header_bytes_ : body_bytes_ - seen_;
  }

 private:
  static constexpr size_t kHeadBytes = 256, kTailBytes = 64;
  bool TakeBody(ByteView bytes, UcxFrameVisitor* visitor);

  std::array<uint8_t, ucx_wire::kFrameHeaderBytes> header_{};
  size_t header_bytes_ = 0;
  uint8_t id_ = 0;
  uint32_t body_bytes_ = 0, seen_ = 0;
  std::array<uint8_t, kHeadBytes> head_{};
  std::array<uint8_t, kTailBytes> tail_{};
};

}  // namespace incipit
