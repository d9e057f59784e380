#include "client/src/codec/piece_coder.h"

#include <cstring>

#include "cache/base/check.h"
#include "cache/base/piece_cursor.h"
#include "client/src/codec/coding_options.h"

namespace incipit {

MutableBytes PieceCoder::Gathered(uint64_t bytes) {
  if (gathered_.size() < bytes) gathered_.resize(bytes);
  return MutableBytes(gathered_).first(bytes);
}

uint64_t PieceCoder::Encode(const CodecOptions& options, std::span<const iovec> raw, MutableBytes stored) {
  if (raw.size() == 1) {
    return EncodeSegment(options, {static_cast<const uint8_t*>(raw[0].iov_base), raw[0].iov_len}, stored, &scratch_);
  }
  const MutableBytes whole = Gathered(BytesOf(raw));
  uint8_t* to = whole.data();
  for (const iovec& piece : raw) {
    std::memcpy(to, piece.iov_base, piece.iov_len);
    to += piece.iov_len;
  }
  return EncodeSegment(options, whole, stored, &scratch_);
}

bool PieceCoder::Decode(Codec codec, ByteView stored, std::span<const iovec> raw) {
  INCIPIT_CHECK(IsCoded(codec) && !IsSealed(codec), "only coded segments are decoded here");
  const auto coding = static_cast<SegmentCoding>(codec);
  if (raw.size() == 1) {
    return DecodeSegment(coding, stored, {static_cast<uint8_t*>(raw[0].iov_base), raw[0].iov_len}, &scratch_).ok();
  }
  const MutableBytes whole = Gathered(BytesOf(raw));
  if (!DecodeSegment(coding, stored, whole, &scratch_).ok()) return false;
  const uint8_t* from = whole.data();
  for (const iovec& piece : raw) {
    std::memcpy(piece.iov_base, from, piece.iov_len);
    from += piece.iov_len;
  }
  return true;
}

uint64_t PieceCoder::EncodeSealed(const CodecOptions& options, SealedCodec* sealer, const SegmentPlace& place,
                                  std::span<const iovec> raw, MutableBytes stored) {
  const uint64_t raw_bytes = BytesOf(raw);
  if (coded_.size() < MaxCodedBytes(raw_bytes)) coded_.resize(MaxCodedBytes(raw_bytes));
  const iovec coded{coded_.data(), Encode(options, raw, coded_)};
  return sealer->Seal(SealedOf(CodecOf(options.coding)), place, raw_bytes, {&coded, 1}, stored);
}

bool PieceCoder::DecodeSealed(Codec codec, SealedCodec* sealer, const SegmentPlace& place, ByteView stored,
                              std::span<const iovec> raw) {
  INCIPIT_CHECK(IsSealedCoded(codec), "only what is coded and sealed is opened here");
  if (stored.size() <= kSealedOverheadBytes) return false;
  const uint64_t coded_bytes = stored.size() - kSealedOverheadBytes;
  if (coded_.size() < coded_bytes) coded_.resize(coded_bytes);
  const iovec coded{coded_.data(), coded_bytes};
  if (!sealer->Open(codec, place, BytesOf(raw), stored, {&coded, 1})) return false;
  return Decode(OpenedOf(codec), ByteView(coded_).first(coded_bytes), raw);
}

}  // namespace incipit
