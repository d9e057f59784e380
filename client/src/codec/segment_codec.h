// The seam where segments are turned from what the engine gives into what is stored, and back. With kRaw both are the
// same bytes: loads land directly in the caller's memory and stores leave directly from it. With any other codec
// segments are encoded into a sending buffer (StorePayload) and land in a buffer from which they are decoded into the
// caller's memory, after their checksum was verified (LoadReceiver): one pass over the bytes each.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "cache/base/bytes.h"
#include "cache/base/xxh3.h"
#include "cache/format/record.h"

namespace incipit {

// Where a segment belongs.
struct SegmentPlace {
  ByteView identity;   // framed, of its block
  uint16_t index = 0;  // within the block's part
};

// One thread at a time; calls stand for themselves, segment by segment, so that each of several threads can work with a
// codec of its own.
class SegmentCodec {
 public:
  virtual ~SegmentCodec() = default;

  virtual Codec id() const = 0;
  // True: stored and raw bytes are the same, no buffer is needed, and neither Encode nor Decode is called.
  bool in_place() const { return id() == Codec::kRaw; }
  // The most that a segment of `raw_bytes` is stored as.
  virtual uint64_t MaxStoredBytes(uint64_t raw_bytes) const = 0;
  // Writes the stored form of the raw bytes that `raw` holds, exactly, into `stored`, of MaxStoredBytes(), and gives
  // its length; 0 if it failed, and then `stored` tells nothing about the raw bytes.
  virtual uint64_t Encode(const SegmentPlace& place, std::span<const iovec> raw, MutableBytes stored) = 0;
  // Fills `raw` from untrusted stored bytes. False: they are not what was stored at this place as so many raw bytes;
  // `raw` then holds none of what was in them.
  [[nodiscard]] virtual bool Decode(const SegmentPlace& place, ByteView stored, std::span<const iovec> raw) = 0;
};

class RawCodec : public SegmentCodec {
 public:
  Codec id() const override { return Codec::kRaw; }
  uint64_t MaxStoredBytes(uint64_t raw_bytes) const override { return raw_bytes; }
  uint64_t Encode(const SegmentPlace&, std::span<const iovec>, MutableBytes) override { return 0; }
  bool Decode(const SegmentPlace&, ByteView, std::span<const iovec>) override { return false; }
};

// Whether a segment that the node announces can be what a segment of `raw_bytes` was stored as.
inline bool IsPossibleSegment(Codec codec, const Segment& segment, uint64_t raw_bytes) {
  return codec <= kLastCodec && segment.raw_bytes == raw_bytes &&
         StoredRangeOf(codec, raw_bytes).Contains(segment.stored_bytes);
}

// Whether the stored bytes that landed are those that were stored.
inline bool VerifySegment(std::span<const iovec> pieces, const Segment& segment) {
  return Xxh3OfPieces(pieces, 0, segment.stored_bytes) == segment.checksum;
}

}  // namespace incipit
