// On-disk frame of the NVMe tier: superblock, regions, tables of contents. docs/disk_format.md is the specification.
//
//   device:  superblock (4 KiB) | pad to kFirstRegionOffset | region 0 | region 1 | ...
//   region:  header (4 KiB) | records, each at a multiple of kRecordAlign | ... | table of contents | footer (4 KiB)
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/format/record.h"

namespace incipit {

inline constexpr uint64_t kDiskPageBytes = 4096;  // unit of O_DIRECT transfers
inline constexpr uint64_t kRecordAlign = 512;
inline constexpr uint64_t kFirstRegionOffset = 1 << 20;
inline constexpr uint64_t kMinRegionBytes = 64 << 10;
inline constexpr uint64_t kMaxRegionBytes = 2ull << 30;
inline constexpr uint16_t kRegionFormatVersion = 1;  // change a page or a TOC entry => bump this, add a golden file
inline constexpr uint32_t kSuperblockMagic = 0x53434e49;    // "INCS" in file order
inline constexpr uint32_t kRegionHeaderMagic = 0x47434e49;  // "INCG"
inline constexpr uint32_t kRegionFooterMagic = 0x46434e49;  // "INCF"

// All Encode() calls give exactly one page of kDiskPageBytes; all Decode() calls take untrusted bytes, of which they
// read the first kDiskPageBytes, and answer DataLoss (magic, checksum, impossible values) or FailedPrecondition (an
// intact page of an unknown version: the message names both). Encode REQUIRES values that Decode would accept.
struct Superblock {
  std::array<uint8_t, 16> store_id{};  // random, made when the store is created; binds regions to it
  uint32_t shard = 0;
  uint32_t shard_count = 1;
  uint64_t region_bytes = 0;  // kMinRegionBytes to kMaxRegionBytes, multiple of kDiskPageBytes
  uint32_t region_count = 0;  // at least 1
  uint64_t created_unix_ns = 0;

  std::vector<uint8_t> Encode() const;
  static absl::StatusOr<Superblock> Decode(ByteView page);
  friend bool operator==(const Superblock&, const Superblock&) = default;
};

struct RegionHeader {
  std::array<uint8_t, 16> store_id{};
  uint32_t region = 0;
  uint64_t generation = 0;  // grows over the whole store with each header written; never 0

  std::vector<uint8_t> Encode() const;
  static absl::StatusOr<RegionHeader> Decode(ByteView page);
  friend bool operator==(const RegionHeader&, const RegionHeader&) = default;
};

inline constexpr size_t kTocFixedBytes = 48;  // fields of a table-of-contents entry before its identity
inline constexpr size_t kMaxTocEntryBytes = kTocFixedBytes + AlignUp(kMaxFramedIdentityBytes, 8);

// Where one record of a region lies, with what the index needs, so that start-up reads no records.
struct TocEntry {
  uint32_t offset = 0;  // from the start of the region, multiple of kRecordAlign
  uint32_t header_bytes = 0;
  uint32_t stored_bytes = 0;  // payload
  uint32_t raw_bytes = 0;
  uint16_t segment_count = 0;
  RecordKind kind = RecordKind::kBlock;
  Codec codec = Codec::kRaw;
  uint64_t depth_tokens = 0;
  uint64_t stamp_ns = 0;
  uint64_t sequence = 0;          // never 0
  std::vector<uint8_t> identity;  // framed

  uint64_t RecordBytes() const { return uint64_t{header_bytes} + stored_bytes; }
  size_t EncodedBytes() const { return kTocFixedBytes + AlignUp(identity.size(), 8); }
  friend bool operator==(const TocEntry&, const TocEntry&) = default;
};

// Entries in the order of their offsets, which is the order of writing; records do not overlap.
std::vector<uint8_t> EncodeToc(const std::vector<TocEntry>& entries);
// `bytes` are exactly the footer's toc_bytes, whose checksum the caller has compared. `region_bytes` bounds every
// offset. DataLoss on any entry that is malformed, out of order or out of bounds, and on bytes left over.
absl::StatusOr<std::vector<TocEntry>> DecodeToc(ByteView bytes, uint32_t entry_count, uint64_t region_bytes);

// Last page of a sealed region. Valid only with the same generation as the region's header.
struct RegionFooter {
  std::array<uint8_t, 16> store_id{};
  uint32_t region = 0;
  uint64_t generation = 0;
  uint64_t toc_offset = 0;  // from the start of the region, page aligned, after the region header
  uint64_t toc_bytes = 0;   // exact; the write is padded to a page. The reader checks it against the region's size
  uint32_t entry_count = 0;
  uint64_t max_sequence = 0;
  uint64_t toc_checksum = 0;  // XXH3-64 of the exact bytes

  std::vector<uint8_t> Encode() const;
  static absl::StatusOr<RegionFooter> Decode(ByteView page);
  friend bool operator==(const RegionFooter&, const RegionFooter&) = default;
};

}  // namespace incipit
