#include "client/src/core/decode_job.h"

#include <utility>

#include "cache/base/xxh3.h"

namespace incipit {

void DecodeJob::Add(uint32_t block, Codec codec, const Segment& segment, std::span<const iovec> raw) {
  pieces_.insert(pieces_.end(), raw.begin(), raw.end());
  items_.push_back({block, codec, segment, pieces_.size()});
}

void DecodeJob::SetLanded(BufferPool::Buffer buffer, ByteView landed) {
  buffer_ = std::move(buffer);
  landed_ = landed;
}

void DecodeJob::Run(PieceCoder* coder) {
  ByteView left = landed_;
  size_t pieces_begin = 0;
  for (Item& item : items_) {
    const ByteView stored = left.first(item.segment.stored_bytes);
    left = left.subspan(stored.size());
    const std::span<const iovec> raw =
        std::span<const iovec>(pieces_).subspan(pieces_begin, item.pieces_end - pieces_begin);
    pieces_begin = item.pieces_end;
    if (Xxh3Of(stored) != item.segment.checksum) {
      item.outcome = Outcome::kDamaged;
    } else {
      item.outcome = coder->Decode(item.codec, stored, raw) ? Outcome::kDecoded : Outcome::kUndecodable;
    }
  }
}

}  // namespace incipit
