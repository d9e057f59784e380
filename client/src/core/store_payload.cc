#include "client/src/core/store_payload.h"

#include <utility>

#include "client/src/core/segment_codec.h"

namespace incipit {

void StorePayload::AddBlock(PieceCursor bytes, uint32_t segment_count, uint64_t segment_bytes) {
  Block block{.cursor = bytes, .segment_bytes = segment_bytes, .next_start = bytes_};
  block.table.resize(segment_count);
  if (carries_ == Carries::kSegmentsAndTables) {
    bytes.Take(segment_count * segment_bytes, &pieces_);
    bytes_ += segment_count * segment_bytes;
  }
  pieces_.push_back({block.table.data(), segment_count * sizeof(uint64_t)});
  bytes_ += segment_count * sizeof(uint64_t);
  blocks_.push_back(std::move(block));  // the table's memory stays where it is
}

void StorePayload::FillUpTo(uint64_t payload_end) {
  for (; next_ < blocks_.size(); ++next_) {
    Block& block = blocks_[next_];
    for (; block.filled < block.table.size(); ++block.filled) {
      if (block.next_start >= payload_end) return;
      segment_.clear();
      block.cursor.Take(block.segment_bytes, &segment_);
      block.table[block.filled] = EncodeSegment(segment_, block.segment_bytes).checksum;
      if (carries_ == Carries::kSegmentsAndTables) block.next_start += block.segment_bytes;
    }
  }
}

}  // namespace incipit
