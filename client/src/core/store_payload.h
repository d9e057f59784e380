// The payload of one Store: each block's segments where they lie in the caller's memory or, sealed or coded, in a
// sending buffer; then their checksum table.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "cache/base/piece_cursor.h"
#include "client/src/codec/buffer_pool.h"
#include "client/src/codec/segment_codec.h"

namespace incipit {

// From shared memory only the tables are sent; the node fetches the segments itself. Segments are encoded and checksums
// made piece by piece, just before the bytes leave: the node does not wait for a whole frame to be hashed, and what was
// hashed is sent out of the processor's cache. One thread. Not movable: pieces() points into it.
class StorePayload {
 public:
  enum class Carries { kSegmentsAndTables, kTables };
  // `buffer` holds the encoded segments of all blocks that will be added; empty if the codec works in place. REQUIRES:
  // segments are sent if the codec does not.
  explicit StorePayload(SegmentCodec* codec, BufferPool::Buffer buffer = {},
                        Carries carries = Carries::kSegmentsAndTables);
  StorePayload(const StorePayload&) = delete;
  StorePayload& operator=(const StorePayload&) = delete;

  // `bytes` is a view of the block's first byte; its memory must outlive this. `identity` is framed, of the block.
  // `room`: where its encoded segments go instead of into `buffer`, if not empty; must outlive this.
  void AddBlock(PieceCursor bytes, uint32_t segment_count, uint64_t segment_bytes, ByteView identity,
                MutableBytes room = {});
  // A block whose stored bytes are there already. They must outlive this.
  void AddCodedBlock(std::span<const iovec> stored, std::span<const Segment> segments);
  std::span<const iovec> pieces() const { return pieces_; }

  // Makes the checksums that payload bytes before `payload_end` need. Call it before these are sent. Reads each segment
  // once, however often it is called.
  void FillUpTo(uint64_t payload_end);

 private:
  struct Block {
    PieceCursor cursor;  // at the next segment to encode and hash
    uint64_t segment_bytes = 0, stored_bytes = 0;
    uint64_t next_start = 0;        // of that segment in the payload, or of the table if that is all there is
    MutableBytes encoded;           // from that segment on; empty if in place
    std::vector<uint8_t> identity;  // empty if in place
    std::vector<uint64_t> table;
    size_t filled = 0;
  };
  uint64_t FillSegment(Block* block);

  SegmentCodec* codec_;
  BufferPool::Buffer buffer_;
  MutableBytes room_;  // of buffer_, for further blocks
  Carries carries_;
  std::vector<Block> blocks_;
  std::vector<iovec> pieces_, segment_;
  uint64_t bytes_ = 0;
  size_t next_ = 0;  // the first block whose table is not full
};

}  // namespace incipit
