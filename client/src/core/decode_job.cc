#include "client/src/core/decode_job.h"

#include <algorithm>
#include <utility>

#include "cache/base/xxh3.h"

namespace incipit {

void DecodeJob::Add(uint32_t block, Codec codec, const Segment& segment, std::span<const iovec> raw,
                    const SegmentPlace& place) {
  pieces_.insert(pieces_.end(), raw.begin(), raw.end());
  Item item{.block = block, .codec = codec, .segment = segment, .pieces_end = pieces_.size(), .index = place.index};
  item.identity_bytes = place.identity.size();
  item.identity_at = identities_.size() - std::min(identities_.size(), item.identity_bytes);
  // Segments of one block come one after the other.
  if (!std::ranges::equal(ByteView(identities_).subspan(item.identity_at), place.identity)) {
    item.identity_at = identities_.size();
    identities_.insert(identities_.end(), place.identity.begin(), place.identity.end());
  }
  items_.push_back(item);
}

void DecodeJob::SetLanded(BufferPool::Buffer buffer, ByteView landed) {
  buffer_ = std::move(buffer);
  landed_ = landed;
}

bool DecodeJob::Decode(const Item& item, PieceCoder* coder, SealedCodec* sealer, ByteView stored,
                       std::span<const iovec> raw) {
  if (!IsSealed(item.codec)) return coder->Decode(item.codec, stored, raw);
  const ByteView identity = ByteView(identities_).subspan(item.identity_at, item.identity_bytes);
  return coder->DecodeSealed(item.codec, sealer, {identity, item.index}, stored, raw);
}

void DecodeJob::Run(PieceCoder* coder, SealerPool* sealers) {
  SealerPool::Loan sealer;
  if (sealers != nullptr) sealer = sealers->Take();
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
      item.outcome = Decode(item, coder, sealer.get(), stored, raw) ? Outcome::kDecoded : Outcome::kUndecodable;
    }
  }
}

}  // namespace incipit
