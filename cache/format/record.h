// A block record: header, segment table, payload. The same bytes lie in RAM and on NVMe.
// docs/disk_format.md is the specification; change a field there first, bump kRecordVersion, add a golden file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/format/identity.h"

namespace incipit {

inline constexpr uint32_t kRecordMagic = 0x52434e49;  // "INCR" in file order
inline constexpr uint16_t kRecordVersion = 1;
inline constexpr uint32_t kRecordFixedBytes = 88;      // fields before the identity
inline constexpr uint32_t kRecordHeaderAlign = 64;     // header_bytes is a multiple of it
inline constexpr uint32_t kMaxRecordHeaderBytes = 20 * 1024;

enum class Codec : uint8_t { kRaw = 0 };

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
  static uint32_t HeaderBytesFor(size_t identity_bytes, size_t segment_count);

  // Appends the encoded header, checksummed. REQUIRES: sizes within the named limits.
  void Encode(std::vector<uint8_t>* out) const;

  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

// What a reader needs before it can fetch the whole header; from the first kRecordFixedBytes only.
// DataLoss: wrong magic or impossible lengths. FailedPrecondition: a version this build does not know.
absl::StatusOr<uint32_t> PeekRecordHeaderBytes(ByteView fixed);

// Decodes and checks a whole header from untrusted bytes (bytes.size() may exceed the header). Same errors; DataLoss
// too for a wrong header checksum, a malformed identity, or a payload over kMaxPayloadBytes.
absl::StatusOr<RecordHeader> DecodeRecordHeader(ByteView bytes);

// Rewrites sequence, generation and stamp in an encoded header in place and renews its checksum.
// REQUIRES: `header` is one whole encoded header.
void RestampRecordHeader(MutableBytes header, uint64_t sequence, uint64_t region_generation, uint64_t stamp_ns);

}  // namespace incipit
