// The payload of one Store: each block's segments where they lie in the caller's memory, then their checksum table.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "client/src/core/piece_cursor.h"

namespace incipit {

// From shared memory only the tables are sent; the node fetches the segments itself. Checksums are made piece by piece,
// just before the bytes leave: the node does not wait for a whole frame to be hashed, and what was hashed is sent out
// of the processor's cache. One thread. Not movable: pieces() points into it.
class StorePayload {
 public:
  enum class Carries { kSegmentsAndTables, kTables };
  explicit StorePayload(Carries carries = Carries::kSegmentsAndTables) : carries_(carries) {}
  StorePayload(const StorePayload&) = delete;
  StorePayload& operator=(const StorePayload&) = delete;

  // `bytes` is a view of the block's first byte; its memory must outlive this.
  void AddBlock(PieceCursor bytes, uint32_t segment_count, uint64_t segment_bytes);
  std::span<const iovec> pieces() const { return pieces_; }

  // Makes the checksums that payload bytes before `payload_end` need. Call it before these are sent. Reads each segment
  // once, however often it is called.
  void FillUpTo(uint64_t payload_end);

 private:
  struct Block {
    PieceCursor cursor;  // at the next segment to hash
    uint64_t segment_bytes = 0;
    uint64_t next_start = 0;  // of that segment in the payload, or of the table if that is all there is
    std::vector<uint64_t> table;
    size_t filled = 0;
  };
  Carries carries_;
  std::vector<Block> blocks_;
  std::vector<iovec> pieces_, segment_;
  uint64_t bytes_ = 0;
  size_t next_ = 0;  // the first block whose table is not full
};

}  // namespace incipit
