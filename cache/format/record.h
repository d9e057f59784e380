// A block record: header, segment table, payload. The same bytes lie in RAM and on NVMe.
// docs/disk_format.md is the specification; change a field there first, bump kRecordVersion, add a golden file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/format/identity.h"

namespace incipit {

inline constexpr uint32_t kRecordMagic = 0x52434e49;  // "INCR" in file order
inline constexpr uint16_t kRecordVersion = 1;
inline constexpr uint32_t kRecordFixedBytes = 88;             // fields before the identity
inline constexpr uint32_t kRecordHeaderAlign = 64;            // header_bytes is a multiple of it
inline constexpr uint32_t kMaxRecordHeaderBytes = 20 * 1024;  // in every version

// How the stored bytes of a block's segments are made of the raw ones. Nodes keep what they get; clients encode and
// decode. A changed form is a new codec.
enum class Codec : uint8_t {
  kRaw = 0,     // the same bytes
  kSealed = 1,  // nonce, ciphertext, tag: docs/disk_format.md, "Sealed segment"
  // Coded: docs/coded_segments.md.
  kBf16Lossless = 2,
  kFp8Lossless = 3,
  kFp8 = 4,  // lossy
  // Coded as under 2 to 4, version 1, and then sealed. Sent only where both sides said wire::kFeatureSealedCodecs.
  kSealedBf16Lossless = 5,
  kSealedFp8Lossless = 6,
  kSealedFp8 = 7,
};
inline constexpr Codec kLastCodec = Codec::kSealedFp8;
// Whether segments shrink by as much as is in them, so that their sizes differ.
constexpr bool IsCoded(Codec codec) { return codec >= Codec::kBf16Lossless; }
constexpr bool IsSealed(Codec codec) { return codec == Codec::kSealed || codec >= Codec::kSealedBf16Lossless; }
// Those that are both, which not every release knows.
constexpr bool IsSealedCoded(Codec codec) { return codec >= Codec::kSealedBf16Lossless; }
// What a block under `codec` is when it is sealed besides, and the reverse.
constexpr Codec SealedOf(Codec codec) {
  return codec == Codec::kRaw ? Codec::kSealed : static_cast<Codec>(static_cast<uint8_t>(codec) + 3);
}
constexpr Codec OpenedOf(Codec codec) {
  return codec == Codec::kSealed ? Codec::kRaw : static_cast<Codec>(static_cast<uint8_t>(codec) - 3);
}
static_assert(SealedOf(Codec::kBf16Lossless) == Codec::kSealedBf16Lossless &&
              SealedOf(Codec::kFp8) == Codec::kSealedFp8 && OpenedOf(Codec::kSealedFp8Lossless) == Codec::kFp8Lossless);
inline constexpr uint32_t kSealedOverheadBytes = 40;
inline constexpr uint32_t kCodedOverheadBytes = 8;  // of a segment that did not shrink
static_assert(kSealedOverheadBytes + kCodedOverheadBytes <= kMaxSegmentOverheadBytes);

// The fewest and the most bytes that segments of so many raw bytes together may be stored as. Where the codec does not
// code they follow from the raw bytes; no coder gets below half of them.
struct StoredRange {
  uint64_t least = 0, most = 0;
  constexpr bool Contains(uint64_t stored_bytes) const { return stored_bytes >= least && stored_bytes <= most; }
};
constexpr StoredRange StoredRangeOf(Codec codec, uint64_t raw_bytes, uint64_t segments = 1) {
  const uint64_t seals = IsSealed(codec) ? segments * kSealedOverheadBytes : 0;
  if (!IsCoded(codec)) return {raw_bytes + seals, raw_bytes + seals};
  return {raw_bytes / 2 + raw_bytes % 2 + seals, raw_bytes + segments * kCodedOverheadBytes + seals};
}
// "104", or "32 to 72", and why.
std::string DescribeStoredRange(Codec codec, uint64_t raw_bytes, uint64_t segments = 1);

enum class RecordKind : uint8_t {
  kBlock = 0,
  kTombstone = 1,  // "this identity was removed": no payload; makes Remove survive a restart
};

// One separately readable piece of a payload.
struct Segment {
  uint32_t stored_bytes = 0;
  uint32_t raw_bytes = 0;
  uint64_t checksum = 0;  // XXH3-64 of the stored bytes
  friend bool operator==(const Segment&, const Segment&) = default;
};
inline constexpr size_t kSegmentEntryBytes = 16;
static_assert(sizeof(Segment) == kSegmentEntryBytes && offsetof(Segment, raw_bytes) == 4 &&
              offsetof(Segment, checksum) == 8);  // tables are copied as they lie

struct RecordHeader {
  RecordKind kind = RecordKind::kBlock;
  Codec codec = Codec::kRaw;
  uint64_t depth_tokens = 0;       // position of the block's first token in its prompt
  uint64_t stamp_ns = 0;           // request stamp of the last touch known when the header was written
  uint64_t writer_id = 0;          // id of the client that stored it
  uint64_t sequence = 0;           // order of writing in the shard's log; 0 = never written
  uint64_t region_generation = 0;  // life of the region it was written in; 0 = never written
  std::vector<uint8_t> identity;   // framed identity
  std::vector<Segment> segments;

  uint64_t StoredBytes() const;  // payload bytes: sum over the segments
  uint64_t RawBytes() const;
  // Bytes of the encoded header with identity and segment table, a multiple of kRecordHeaderAlign.
  uint32_t HeaderBytes() const { return HeaderBytesFor(identity.size(), segments.size()); }
  static constexpr uint32_t HeaderBytesFor(size_t identity_bytes, size_t segment_count) {
    return static_cast<uint32_t>(AlignUp(
        kRecordFixedBytes + AlignUp(identity_bytes, 8) + segment_count * kSegmentEntryBytes, kRecordHeaderAlign));
  }

  // Appends the encoded header, checksummed. REQUIRES: sizes within the named limits (checked; aborts).
  void Encode(std::vector<uint8_t>* out) const;

  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

static_assert(RecordHeader::HeaderBytesFor(kMaxFramedIdentityBytes, kMaxSegments) <= kMaxRecordHeaderBytes);

// What a reader needs before it can fetch the whole header; from the first kRecordFixedBytes only.
// DataLoss: wrong magic or impossible lengths. FailedPrecondition: a version this build does not know; nothing is
// checksummed yet, so a flipped bit can look like that too, and only DecodeRecordHeader tells the two apart.
absl::StatusOr<uint32_t> PeekRecordHeaderBytes(ByteView fixed);

// Decodes and checks a whole header from untrusted bytes (bytes.size() may exceed the header). DataLoss: wrong magic,
// cut short, wrong checksum, malformed identity, impossible lengths, payload over kMaxPayloadBytes or kMaxStoredBytes.
// FailedPrecondition: an intact header of another version. Costs one XXH3 over the header and two allocations.
absl::StatusOr<RecordHeader> DecodeRecordHeader(ByteView bytes);

// Rewrites sequence, generation and stamp in an encoded header in place and renews its checksum. No allocation; one
// XXH3 over the header. REQUIRES: `header` is one whole encoded header, exactly.
void RestampRecordHeader(MutableBytes header, uint64_t sequence, uint64_t region_generation, uint64_t stamp_ns);

}  // namespace incipit
