// The place where segments are turned from their stored form into what the engine gets, and back. So far there is only
// kRaw, where both are the same bytes: loads land directly in the caller's memory and stores leave directly from it.
// A codec that changes bytes needs, beside its two functions here, a landing buffer in LoadReceiver (a segment is
// decoded after its checksum was verified) and a sending buffer in store_call.cc.
#pragma once

#include <cstdint>
#include <span>

#include "cache/base/xxh3.h"
#include "cache/format/record.h"

namespace incipit {

// Whether a segment that the node announces can be what a segment of `raw_bytes` was stored as.
inline bool IsPossibleSegment(Codec codec, const Segment& segment, uint64_t raw_bytes) {
  return codec == Codec::kRaw && segment.raw_bytes == raw_bytes && segment.stored_bytes == segment.raw_bytes;
}

// The table entry of a segment about to be stored. `pieces` hold its raw bytes, exactly. One hash over them.
inline Segment EncodeSegment(std::span<const iovec> pieces, uint64_t raw_bytes) {
  const auto bytes = static_cast<uint32_t>(raw_bytes);
  return {.stored_bytes = bytes, .raw_bytes = bytes, .checksum = Xxh3OfPieces(pieces, 0, raw_bytes)};
}

// Whether the stored bytes that landed are those that were stored.
inline bool VerifySegment(std::span<const iovec> pieces, const Segment& segment) {
  return Xxh3OfPieces(pieces, 0, segment.stored_bytes) == segment.checksum;
}

}  // namespace incipit
