#include "cache/format/region.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cache/base/status_macros.h"
#include "cache/base/xxh3.h"
#include "cache/format/fields.h"

namespace incipit {
namespace {

using format_internal::AllZero;
using format_internal::GetField;
using format_internal::PutField;

// Start of every page, in every version: magic u32, version u16, zero u16, checksum u64.
constexpr size_t kMagicAt = 0, kVersionAt = 4, kChecksumAt = 8, kFieldsAt = 16;
// A store id comes first in all three pages.
constexpr size_t kStoreIdAt = 16, kStoreIdBytes = 16, kAfterStoreId = kStoreIdAt + kStoreIdBytes;

constexpr size_t kSuperShardAt = 32, kSuperShardCountAt = 36, kSuperRegionBytesAt = 40, kSuperRegionCountAt = 48,
                 kSuperCreatedAt = 56, kSuperEnd = 64;
constexpr size_t kHeaderRegionAt = 32, kHeaderGenerationAt = 40, kHeaderEnd = 48;
constexpr size_t kFooterRegionAt = 32, kFooterEntryCountAt = 36, kFooterGenerationAt = 40, kFooterTocOffsetAt = 48,
                 kFooterTocBytesAt = 56, kFooterMaxSequenceAt = 64, kFooterTocChecksumAt = 72, kFooterEnd = 80;
static_assert(kSuperShardAt == kAfterStoreId && kHeaderRegionAt == kAfterStoreId && kFooterRegionAt == kAfterStoreId);

// Offsets must fit what the disk can address: the largest store is far below 2^63.
static_assert(kFirstRegionOffset + kMaxRegionBytes * uint64_t{UINT32_MAX} < 1ull << 63);

absl::Status Damaged(absl::string_view page, absl::string_view field, uint64_t found, absl::string_view expected) {
  return absl::DataLossError(absl::StrCat(page, ": ", field, " is ", found, ", expected ", expected));
}

std::vector<uint8_t> NewPage(uint32_t magic, const std::array<uint8_t, 16>& store_id) {
  std::vector<uint8_t> page(kDiskPageBytes, 0);
  PutField(page, kMagicAt, magic);
  PutField(page, kVersionAt, kRegionFormatVersion);
  std::memcpy(page.data() + kStoreIdAt, store_id.data(), kStoreIdBytes);
  return page;
}

// REQUIRES: the checksum field is zero.
std::vector<uint8_t> Sealed(std::vector<uint8_t> page) {
  PutField(page, kChecksumAt, Xxh3Of(page));
  return page;
}

uint64_t ChecksumOf(ByteView page) {
  static constexpr uint8_t kZeros[sizeof(uint64_t)] = {};
  Xxh3Stream stream;
  stream.Update(page.first(kChecksumAt));
  stream.Update(kZeros);
  stream.Update(page.subspan(kFieldsAt));
  return stream.Digest();
}

// Magic, checksum, version, in this order: an intact page of another version is refused by name, a damaged one is
// damage whatever its version field says. Gives the page with `used_bytes` of it in use and the rest zero.
absl::StatusOr<ByteView> OpenPage(ByteView bytes, absl::string_view what, uint32_t magic, size_t used_bytes) {
  if (bytes.size() < kDiskPageBytes) return Damaged(what, "its length", bytes.size(), absl::StrCat(kDiskPageBytes));
  const ByteView page = bytes.first(kDiskPageBytes);
  const auto found_magic = GetField<uint32_t>(page, kMagicAt);
  if (found_magic != magic) {
    return absl::DataLossError(
        absl::StrCat(what, ": magic is 0x", absl::Hex(found_magic), ", expected 0x", absl::Hex(magic)));
  }
  const auto checksum = GetField<uint64_t>(page, kChecksumAt);
  const uint64_t computed = ChecksumOf(page);
  if (checksum != computed) {
    return absl::DataLossError(
        absl::StrCat(what, ": checksum is 0x", absl::Hex(checksum), ", its bytes give 0x", absl::Hex(computed)));
  }
  const auto version = GetField<uint16_t>(page, kVersionAt);
  if (version != kRegionFormatVersion) {
    return absl::FailedPreconditionError(absl::StrCat(what, ": version is ", version, ", this build knows ",
                                                      kRegionFormatVersion,
                                                      "; start the release that wrote it, or clear the store"));
  }
  if (!AllZero(page.subspan(6, 2)) || !AllZero(page.subspan(used_bytes))) {
    return absl::DataLossError(absl::StrCat(what, ": unused bytes are not zero"));
  }
  return page;
}

std::array<uint8_t, 16> StoreIdOf(ByteView page) {
  std::array<uint8_t, 16> store_id;
  std::memcpy(store_id.data(), page.data() + kStoreIdAt, kStoreIdBytes);
  return store_id;
}

}  // namespace

std::vector<uint8_t> Superblock::Encode() const {
  std::vector<uint8_t> page = NewPage(kSuperblockMagic, store_id);
  PutField(page, kSuperShardAt, shard);
  PutField(page, kSuperShardCountAt, shard_count);
  PutField(page, kSuperRegionBytesAt, region_bytes);
  PutField(page, kSuperRegionCountAt, region_count);
  PutField(page, kSuperCreatedAt, created_unix_ns);
  return Sealed(std::move(page));
}

absl::StatusOr<Superblock> Superblock::Decode(ByteView bytes) {
  constexpr absl::string_view kWhat = "superblock";
  ASSIGN_OR_RETURN(const ByteView page, OpenPage(bytes, kWhat, kSuperblockMagic, kSuperEnd));
  Superblock super;
  super.store_id = StoreIdOf(page);
  super.shard = GetField<uint32_t>(page, kSuperShardAt);
  super.shard_count = GetField<uint32_t>(page, kSuperShardCountAt);
  super.region_bytes = GetField<uint64_t>(page, kSuperRegionBytesAt);
  super.region_count = GetField<uint32_t>(page, kSuperRegionCountAt);
  super.created_unix_ns = GetField<uint64_t>(page, kSuperCreatedAt);
  if (super.shard >= super.shard_count) {
    return Damaged(kWhat, "shard", super.shard, absl::StrCat("under shard_count, ", super.shard_count));
  }
  if (super.region_bytes < kMinRegionBytes || super.region_bytes > kMaxRegionBytes ||
      super.region_bytes % kDiskPageBytes != 0) {
    return Damaged(kWhat, "region_bytes", super.region_bytes,
                   absl::StrCat("a multiple of ", kDiskPageBytes, " from ", kMinRegionBytes, " to ", kMaxRegionBytes));
  }
  if (super.region_count == 0) return Damaged(kWhat, "region_count", 0, "at least 1");
  if (const auto unused = GetField<uint32_t>(page, kSuperRegionCountAt + 4); unused != 0) {
    return Damaged(kWhat, "the unused field at 52", unused, "0");
  }
  return super;
}

std::vector<uint8_t> RegionHeader::Encode() const {
  std::vector<uint8_t> page = NewPage(kRegionHeaderMagic, store_id);
  PutField(page, kHeaderRegionAt, region);
  PutField(page, kHeaderGenerationAt, generation);
  return Sealed(std::move(page));
}

absl::StatusOr<RegionHeader> RegionHeader::Decode(ByteView bytes) {
  constexpr absl::string_view kWhat = "region header";
  ASSIGN_OR_RETURN(const ByteView page, OpenPage(bytes, kWhat, kRegionHeaderMagic, kHeaderEnd));
  RegionHeader header;
  header.store_id = StoreIdOf(page);
  header.region = GetField<uint32_t>(page, kHeaderRegionAt);
  header.generation = GetField<uint64_t>(page, kHeaderGenerationAt);
  if (header.generation == 0) return Damaged(kWhat, "generation", 0, "at least 1");
  if (const auto unused = GetField<uint32_t>(page, kHeaderRegionAt + 4); unused != 0) {
    return Damaged(kWhat, "the unused field at 36", unused, "0");
  }
  return header;
}

std::vector<uint8_t> RegionFooter::Encode() const {
  std::vector<uint8_t> page = NewPage(kRegionFooterMagic, store_id);
  PutField(page, kFooterRegionAt, region);
  PutField(page, kFooterEntryCountAt, entry_count);
  PutField(page, kFooterGenerationAt, generation);
  PutField(page, kFooterTocOffsetAt, toc_offset);
  PutField(page, kFooterTocBytesAt, toc_bytes);
  PutField(page, kFooterMaxSequenceAt, max_sequence);
  PutField(page, kFooterTocChecksumAt, toc_checksum);
  return Sealed(std::move(page));
}

absl::StatusOr<RegionFooter> RegionFooter::Decode(ByteView bytes) {
  constexpr absl::string_view kWhat = "region footer";
  ASSIGN_OR_RETURN(const ByteView page, OpenPage(bytes, kWhat, kRegionFooterMagic, kFooterEnd));
  RegionFooter footer;
  footer.store_id = StoreIdOf(page);
  footer.region = GetField<uint32_t>(page, kFooterRegionAt);
  footer.entry_count = GetField<uint32_t>(page, kFooterEntryCountAt);
  footer.generation = GetField<uint64_t>(page, kFooterGenerationAt);
  footer.toc_offset = GetField<uint64_t>(page, kFooterTocOffsetAt);
  footer.toc_bytes = GetField<uint64_t>(page, kFooterTocBytesAt);
  footer.max_sequence = GetField<uint64_t>(page, kFooterMaxSequenceAt);
  footer.toc_checksum = GetField<uint64_t>(page, kFooterTocChecksumAt);
  if (footer.generation == 0) return Damaged(kWhat, "generation", 0, "at least 1");
  constexpr uint64_t kTocEnd = kMaxRegionBytes - kDiskPageBytes;
  if (footer.toc_offset < kDiskPageBytes || footer.toc_offset > kTocEnd || footer.toc_offset % kDiskPageBytes != 0) {
    return Damaged(kWhat, "toc_offset", footer.toc_offset,
                   absl::StrCat("a multiple of ", kDiskPageBytes, " from ", kDiskPageBytes, " to ", kTocEnd));
  }
  if (footer.toc_bytes > kTocEnd - footer.toc_offset) {
    return Damaged(kWhat, "toc_bytes", footer.toc_bytes, absl::StrCat("at most ", kTocEnd - footer.toc_offset));
  }
  // Both products fit: a count has 32 bits and an entry under 10.
  if (footer.toc_bytes < uint64_t{footer.entry_count} * kTocFixedBytes ||
      footer.toc_bytes > uint64_t{footer.entry_count} * kMaxTocEntryBytes) {
    return Damaged(
        kWhat, "toc_bytes", footer.toc_bytes,
        absl::StrCat(kTocFixedBytes, " to ", kMaxTocEntryBytes, " for each of ", footer.entry_count, " entries"));
  }
  return footer;
}

}  // namespace incipit
