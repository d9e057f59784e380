#include "client/src/core/store_payload.h"

#include <utility>

#include "cache/base/check.h"

namespace incipit {

StorePayload::StorePayload(SegmentCodec* codec, BufferPool::Buffer buffer, Carries carries)
    : codec_(codec), buffer_(std::move(buffer)), room_(buffer_.bytes()), carries_(carries) {
  INCIPIT_CHECK(codec->in_place() || carries == Carries::kSegmentsAndTables,
                "encoded segments lie in no shared memory");
}

void StorePayload::AddBlock(PieceCursor bytes, uint32_t segment_count, uint64_t segment_bytes, ByteView identity,
                            MutableBytes room) {
  Block block{.cursor = bytes, .segment_bytes = segment_bytes, .next_start = bytes_};
  block.stored_bytes = codec_->MaxStoredBytes(segment_bytes);
  block.table.resize(segment_count);
  if (carries_ == Carries::kSegmentsAndTables) {
    if (codec_->in_place()) {
      bytes.Take(segment_count * segment_bytes, &pieces_);
    } else {
      MutableBytes* const from = room.empty() ? &room_ : &room;
      INCIPIT_CHECK(segment_count * block.stored_bytes <= from->size(), "the sending buffer is too small");
      block.encoded = from->first(segment_count * block.stored_bytes);
      *from = from->subspan(block.encoded.size());
      block.identity.assign(identity.begin(), identity.end());
      pieces_.push_back({block.encoded.data(), block.encoded.size()});
    }
    bytes_ += segment_count * block.stored_bytes;
  }
  pieces_.push_back({block.table.data(), segment_count * sizeof(uint64_t)});
  bytes_ += segment_count * sizeof(uint64_t);
  blocks_.push_back(std::move(block));  // the table's memory stays where it is
}

void StorePayload::AddCodedBlock(std::span<const iovec> stored, std::span<const Segment> segments) {
  INCIPIT_CHECK(carries_ == Carries::kSegmentsAndTables, "coded segments lie in no shared memory");
  Block block;
  for (const Segment& segment : segments) block.table.push_back(segment.checksum);
  block.filled = block.table.size();
  pieces_.insert(pieces_.end(), stored.begin(), stored.end());
  pieces_.push_back({block.table.data(), block.table.size() * sizeof(uint64_t)});
  bytes_ += BytesOf(stored) + block.table.size() * sizeof(uint64_t);
  blocks_.push_back(std::move(block));
}

// Gives the checksum of the stored bytes.
uint64_t StorePayload::FillSegment(Block* block) {
  segment_.clear();
  block->cursor.Take(block->segment_bytes, &segment_);
  if (codec_->in_place()) return Xxh3OfPieces(segment_, 0, block->segment_bytes);
  const MutableBytes stored = block->encoded.first(block->stored_bytes);
  block->encoded = block->encoded.subspan(block->stored_bytes);
  const uint64_t encoded = codec_->Encode({block->identity, static_cast<uint16_t>(block->filled)}, segment_, stored);
  // After a failure a wrong checksum, by which the node refuses the block as damaged.
  return encoded == stored.size() ? Xxh3Of(stored) : ~Xxh3Of(stored);
}

void StorePayload::FillUpTo(uint64_t payload_end) {
  for (; next_ < blocks_.size(); ++next_) {
    Block& block = blocks_[next_];
    for (; block.filled < block.table.size(); ++block.filled) {
      if (block.next_start >= payload_end) return;
      block.table[block.filled] = FillSegment(&block);
      if (carries_ == Carries::kSegmentsAndTables) block.next_start += block.stored_bytes;
    }
  }
}

}  // namespace incipit
