// Codes and decodes segments that lie in pieces. What a thread needs for it.
#pragma once

#include <sys/uio.h>

#include <span>
#include <vector>

#include "cache/codec/coded_segment.h"
#include "cache/format/record.h"

namespace incipit {

// One thread at a time. About 160 KiB; and a segment's bytes once one was in several pieces, which costs a copy more.
class PieceCoder {
 public:
  // Gives the length of what is written to `stored`. REQUIRES: stored has MaxCodedBytes() of the raw bytes.
  uint64_t Encode(const CodecOptions& options, std::span<const iovec> raw, MutableBytes stored);
  // Fills `raw` from untrusted stored bytes whose checksum was right. False: they are not a segment of so many raw
  // bytes under this codec, and `raw` holds anything. REQUIRES: IsCoded(codec).
  [[nodiscard]] bool Decode(Codec codec, ByteView stored, std::span<const iovec> raw);

 private:
  MutableBytes Gathered(uint64_t bytes);
  CodecScratch scratch_;
  std::vector<uint8_t> gathered_;
};

}  // namespace incipit
