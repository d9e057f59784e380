// Table of contents of a sealed region: EncodeToc and DecodeToc of region.h.
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cache/base/check.h"
#include "cache/base/status_macros.h"
#include "cache/format/fields.h"
#include "cache/format/region.h"

namespace incipit {
namespace {

using format_internal::AllZero;
using format_internal::GetField;
using format_internal::PutField;

constexpr size_t kOffsetAt = 0, kHeaderBytesAt = 4, kStoredBytesAt = 8, kRawBytesAt = 12, kSegmentCountAt = 16,
                 kKindAt = 18, kCodecAt = 19, kIdentityBytesAt = 20, kUnusedAt = 22, kDepthAt = 24, kStampAt = 32,
                 kSequenceAt = 40;
static_assert(kSequenceAt + sizeof(uint64_t) == kTocFixedBytes);

void EncodeEntry(const TocEntry& entry, MutableBytes out) {
  PutField(out, kOffsetAt, entry.offset);
  PutField(out, kHeaderBytesAt, entry.header_bytes);
  PutField(out, kStoredBytesAt, entry.stored_bytes);
  PutField(out, kRawBytesAt, entry.raw_bytes);
  PutField(out, kSegmentCountAt, entry.segment_count);
  PutField(out, kKindAt, static_cast<uint8_t>(entry.kind));
  PutField(out, kCodecAt, static_cast<uint8_t>(entry.codec));
  PutField(out, kIdentityBytesAt, static_cast<uint16_t>(entry.identity.size()));
  PutField(out, kDepthAt, entry.depth_tokens);
  PutField(out, kStampAt, entry.stamp_ns);
  PutField(out, kSequenceAt, entry.sequence);
  std::memcpy(out.data() + kTocFixedBytes, entry.identity.data(), entry.identity.size());
}

absl::Status Damaged(size_t index, absl::string_view field, uint64_t found, absl::string_view expected) {
  return absl::DataLossError(
      absl::StrCat("table of contents: entry ", index, ": ", field, " is ", found, ", expected ", expected));
}

// Everything about an entry but its place in the region.
absl::Status CheckEntry(size_t index, const TocEntry& entry) {
  if (entry.segment_count > kMaxSegments) {
    return Damaged(index, "segment_count", entry.segment_count, absl::StrCat("at most ", kMaxSegments));
  }
  const uint32_t header_bytes = RecordHeader::HeaderBytesFor(entry.identity.size(), entry.segment_count);
  if (entry.header_bytes != header_bytes) {
    return Damaged(index, "header_bytes", entry.header_bytes, absl::StrCat(header_bytes));
  }
  if (entry.kind > RecordKind::kTombstone) return Damaged(index, "kind", static_cast<uint8_t>(entry.kind), "0 or 1");
  if (entry.codec > kLastCodec) {
    return Damaged(index, "codec", static_cast<uint8_t>(entry.codec),
                   absl::StrCat("0 to ", static_cast<int>(kLastCodec)));
  }
  if ((entry.segment_count == 0) != (entry.kind == RecordKind::kTombstone)) {
    return Damaged(index, "segment_count", entry.segment_count, "0 in a tombstone, at least 1 in a block");
  }
  // Each segment holds a byte at least; a tombstone has none.
  if (entry.raw_bytes < entry.segment_count || entry.raw_bytes > uint64_t{entry.segment_count} * kMaxPayloadBytes ||
      entry.raw_bytes > kMaxPayloadBytes) {
    return Damaged(index, "raw_bytes", entry.raw_bytes,
                   absl::StrCat("one per segment to ", kMaxPayloadBytes, ", 0 in a tombstone"));
  }
  if (!StoredRangeOf(entry.codec, entry.raw_bytes, entry.segment_count).Contains(entry.stored_bytes)) {
    return Damaged(index, "stored_bytes", entry.stored_bytes,
                   DescribeStoredRange(entry.codec, entry.raw_bytes, entry.segment_count));
  }
  if (entry.sequence == 0) return Damaged(index, "sequence", 0, "at least 1");
  if (const auto view = ViewIdentity(entry.identity); !view.ok()) {
    return absl::DataLossError(absl::StrCat("table of contents: entry ", index, ": ", view.status().message()));
  }
  return absl::OkStatus();
}

// Decodes the entry at the start of `bytes`. Bounds every length before its use.
absl::StatusOr<TocEntry> DecodeEntry(size_t index, ByteView bytes) {
  if (bytes.size() < kTocFixedBytes) {
    return Damaged(index, "the length left", bytes.size(), absl::StrCat("at least ", kTocFixedBytes));
  }
  const auto identity_bytes = GetField<uint16_t>(bytes, kIdentityBytesAt);
  const size_t padded_bytes = AlignUp(identity_bytes, 8);
  if (identity_bytes > kMaxFramedIdentityBytes || padded_bytes > bytes.size() - kTocFixedBytes) {
    return Damaged(index, "identity_bytes", identity_bytes,
                   absl::StrCat("at most ", kMaxFramedIdentityBytes, " within the ", bytes.size(), " bytes left"));
  }
  if (GetField<uint16_t>(bytes, kUnusedAt) != 0 ||
      !AllZero(bytes.subspan(kTocFixedBytes + identity_bytes, padded_bytes - identity_bytes))) {
    return absl::DataLossError(absl::StrCat("table of contents: entry ", index, ": unused bytes are not zero"));
  }
  TocEntry entry;
  entry.offset = GetField<uint32_t>(bytes, kOffsetAt);
  entry.header_bytes = GetField<uint32_t>(bytes, kHeaderBytesAt);
  entry.stored_bytes = GetField<uint32_t>(bytes, kStoredBytesAt);
  entry.raw_bytes = GetField<uint32_t>(bytes, kRawBytesAt);
  entry.segment_count = GetField<uint16_t>(bytes, kSegmentCountAt);
  entry.kind = static_cast<RecordKind>(GetField<uint8_t>(bytes, kKindAt));
  entry.codec = static_cast<Codec>(GetField<uint8_t>(bytes, kCodecAt));
  entry.depth_tokens = GetField<uint64_t>(bytes, kDepthAt);
  entry.stamp_ns = GetField<uint64_t>(bytes, kStampAt);
  entry.sequence = GetField<uint64_t>(bytes, kSequenceAt);
  const ByteView identity = bytes.subspan(kTocFixedBytes, identity_bytes);
  entry.identity.assign(identity.begin(), identity.end());
  RETURN_IF_ERROR(CheckEntry(index, entry));
  return entry;
}

}  // namespace

std::vector<uint8_t> EncodeToc(const std::vector<TocEntry>& entries) {
  size_t total_bytes = 0;
  for (const TocEntry& entry : entries) {
    INCIPIT_CHECK(!entry.identity.empty() && entry.identity.size() <= kMaxFramedIdentityBytes,
                  "identity is not a framed one");
    total_bytes += entry.EncodedBytes();
  }
  std::vector<uint8_t> out(total_bytes, 0);
  size_t at = 0;
  for (const TocEntry& entry : entries) {
    EncodeEntry(entry, MutableBytes(out).subspan(at, entry.EncodedBytes()));
    at += entry.EncodedBytes();
  }
  return out;
}

absl::StatusOr<std::vector<TocEntry>> DecodeToc(ByteView bytes, uint32_t entry_count, uint64_t region_bytes) {
  if (region_bytes < kMinRegionBytes || region_bytes > kMaxRegionBytes) {
    return absl::InvalidArgumentError(absl::StrCat("table of contents: region_bytes is ", region_bytes,
                                                   ", allowed: ", kMinRegionBytes, " to ", kMaxRegionBytes));
  }
  // Bounds the count before memory is set aside for it.
  if (entry_count > bytes.size() / kTocFixedBytes) {
    return absl::DataLossError(absl::StrCat("table of contents: ", entry_count, " entries cannot fit ", bytes.size(),
                                            " bytes, expected at most ", bytes.size() / kTocFixedBytes));
  }
  const uint64_t records_end = region_bytes - kDiskPageBytes;  // the footer's page
  std::vector<TocEntry> entries;
  entries.reserve(entry_count);
  size_t at = 0;
  uint64_t free_from = kDiskPageBytes;  // end of the record before; at first of the region's header
  for (size_t i = 0; i < entry_count; ++i) {
    ASSIGN_OR_RETURN(TocEntry entry, DecodeEntry(i, bytes.subspan(at)));
    if (entry.offset % kRecordAlign != 0 || entry.offset < free_from || entry.offset > records_end ||
        entry.RecordBytes() > records_end - entry.offset) {
      return Damaged(i, "offset", entry.offset,
                     absl::StrCat("a multiple of ", kRecordAlign, " from ", free_from, ", so that its ",
                                  entry.RecordBytes(), " bytes end by ", records_end));
    }
    free_from = entry.offset + entry.RecordBytes();
    at += entry.EncodedBytes();
    entries.push_back(std::move(entry));
  }
  if (at != bytes.size()) {
    return absl::DataLossError(
        absl::StrCat("table of contents: ", bytes.size() - at, " bytes left over after ", entry_count, " entries"));
  }
  return entries;
}

}  // namespace incipit
