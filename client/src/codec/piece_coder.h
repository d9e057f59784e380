// Codes and decodes segments that lie in pieces. What a thread needs for it.
#pragma once

#include <sys/uio.h>

#include <span>
#include <vector>

#include "cache/codec/coded_segment.h"
#include "cache/format/record.h"
#include "client/src/codec/sealed_codec.h"

namespace incipit {

// One thread at a time. About 160 KiB; and a segment's bytes once one was in several pieces, which costs a copy more,
// or sealed: what is coded lies there before it is sealed and after it was opened.
class PieceCoder {
 public:
  // Gives the length of what is written to `stored`. REQUIRES: stored has MaxCodedBytes() of the raw bytes.
  uint64_t Encode(const CodecOptions& options, std::span<const iovec> raw, MutableBytes stored);
  // Fills `raw` from untrusted stored bytes whose checksum was right. False: they are not a segment of so many raw
  // bytes under this codec, and `raw` holds anything. REQUIRES: IsCoded(codec), not sealed.
  [[nodiscard]] bool Decode(Codec codec, ByteView stored, std::span<const iovec> raw);

  // The same, coded and then sealed for its place. 0 if it could not be sealed. REQUIRES: stored has
  // kSealedOverheadBytes more.
  uint64_t EncodeSealed(const CodecOptions& options, SealedCodec* sealer, const SegmentPlace& place,
                        std::span<const iovec> raw, MutableBytes stored);
  // Nothing is decoded, and `raw` stays as it is, unless all of it was sealed for this place under this codec.
  // REQUIRES: IsSealedCoded(codec).
  [[nodiscard]] bool DecodeSealed(Codec codec, SealedCodec* sealer, const SegmentPlace& place, ByteView stored,
                                  std::span<const iovec> raw);

 private:
  MutableBytes Gathered(uint64_t bytes);
  CodecScratch scratch_;
  std::vector<uint8_t> gathered_, coded_;
};

}  // namespace incipit
