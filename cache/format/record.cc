#include "cache/format/record.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cache/base/check.h"
#include "cache/base/status_macros.h"
#include "cache/base/xxh3.h"
#include "cache/format/fields.h"

namespace incipit {
namespace {

using format_internal::AllZero;
using format_internal::GetField;
using format_internal::PutField;

// Offsets of docs/disk_format.md. In every version the first 12 bytes and the checksum keep their places, so that an
// intact header of an unknown version can be told from a damaged one.
constexpr size_t kMagicAt = 0, kVersionAt = 4, kCodecAt = 6, kKindAt = 7, kHeaderBytesAt = 8, kSegmentCountAt = 12,
                 kIdentityBytesAt = 14, kStoredBytesAt = 16, kRawBytesAt = 24, kDepthAt = 32, kStampAt = 40,
                 kWriterAt = 48, kSequenceAt = 56, kGenerationAt = 64, kReservedAt = 72, kChecksumAt = 80;
static_assert(kChecksumAt + sizeof(uint64_t) == kRecordFixedBytes);

absl::Status Damaged(absl::string_view what, uint64_t found, absl::string_view expected) {
  return absl::DataLossError(absl::StrCat("record header: ", what, " is ", found, ", expected ", expected));
}

// XXH3-64 of the header with the checksum field taken as zero.
uint64_t ChecksumOf(ByteView header) {
  static constexpr uint8_t kZeros[sizeof(uint64_t)] = {};
  Xxh3Stream stream;
  stream.Update(header.first(kChecksumAt));
  stream.Update(kZeros);
  stream.Update(header.subspan(kRecordFixedBytes));
  return stream.Digest();
}

// REQUIRES: the checksum field is zero.
void Seal(MutableBytes header) { PutField(header, kChecksumAt, Xxh3Of(header)); }

absl::Status CheckMagic(ByteView bytes) {
  if (bytes.size() < kRecordFixedBytes) {
    return Damaged("its length", bytes.size(), absl::StrCat("at least ", kRecordFixedBytes));
  }
  const auto magic = GetField<uint32_t>(bytes, kMagicAt);
  if (magic != kRecordMagic) {
    return absl::DataLossError(
        absl::StrCat("record header: magic is 0x", absl::Hex(magic), ", expected 0x", absl::Hex(kRecordMagic)));
  }
  return absl::OkStatus();
}

absl::Status CheckVersion(ByteView fixed) {
  const auto version = GetField<uint16_t>(fixed, kVersionAt);
  if (version == kRecordVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("record header: version is ", version, ", this build knows ",
                                                    kRecordVersion,
                                                    "; start the release that wrote it, or clear the store"));
}

absl::Status CheckLengths(ByteView fixed) {
  const auto header_bytes = GetField<uint32_t>(fixed, kHeaderBytesAt);
  const auto segment_count = GetField<uint16_t>(fixed, kSegmentCountAt);
  const auto identity_bytes = GetField<uint16_t>(fixed, kIdentityBytesAt);
  if (segment_count > kMaxSegments) {
    return Damaged("segment_count", segment_count, absl::StrCat("at most ", kMaxSegments));
  }
  if (identity_bytes == 0 || identity_bytes > kMaxFramedIdentityBytes) {
    return Damaged("identity_bytes", identity_bytes, absl::StrCat("1 to ", kMaxFramedIdentityBytes));
  }
  const uint32_t expected = RecordHeader::HeaderBytesFor(identity_bytes, segment_count);
  if (header_bytes != expected) return Damaged("header_bytes", header_bytes, absl::StrCat(expected));
  return absl::OkStatus();
}

// The header's length, after magic, checksum and version have been checked. Lengths are bounded first, so that a
// damaged one cannot make the checksum run past the bytes at hand.
absl::StatusOr<uint32_t> CheckFrame(ByteView bytes) {
  RETURN_IF_ERROR(CheckMagic(bytes));
  const auto header_bytes = GetField<uint32_t>(bytes, kHeaderBytesAt);
  if (header_bytes < kRecordFixedBytes || header_bytes > kMaxRecordHeaderBytes || header_bytes > bytes.size()) {
    return Damaged(
        "header_bytes", header_bytes,
        absl::StrCat(kRecordFixedBytes, " to ", kMaxRecordHeaderBytes, " within the ", bytes.size(), " read"));
  }
  const auto checksum = GetField<uint64_t>(bytes, kChecksumAt);
  const uint64_t computed = ChecksumOf(bytes.first(header_bytes));
  if (checksum != computed) {
    return absl::DataLossError(
        absl::StrCat("record header: checksum is 0x", absl::Hex(checksum), ", its bytes give 0x", absl::Hex(computed)));
  }
  RETURN_IF_ERROR(CheckVersion(bytes));
  RETURN_IF_ERROR(CheckLengths(bytes));
  return header_bytes;
}

absl::Status CheckPayload(const RecordHeader& header) {
  const bool tombstone = header.kind == RecordKind::kTombstone;
  if (header.segments.empty() != tombstone) {
    return Damaged("segment_count", header.segments.size(), tombstone ? "0 in a tombstone" : "at least 1 in a block");
  }
  for (const Segment& segment : header.segments) {
    if (segment.raw_bytes == 0) return Damaged("a segment's raw_bytes", 0, "at least 1");
    if (!StoredRangeOf(header.codec, segment.raw_bytes).Contains(segment.stored_bytes)) {
      return Damaged("a segment's stored_bytes", segment.stored_bytes,
                     DescribeStoredRange(header.codec, segment.raw_bytes));
    }
  }
  if (header.StoredBytes() > kMaxStoredBytes) {
    return Damaged("stored_bytes", header.StoredBytes(), absl::StrCat("at most ", kMaxStoredBytes));
  }
  if (header.RawBytes() > kMaxPayloadBytes) {
    return Damaged("raw_bytes", header.RawBytes(), absl::StrCat("at most ", kMaxPayloadBytes));
  }
  return absl::OkStatus();
}

}  // namespace

std::string DescribeStoredRange(Codec codec, uint64_t raw_bytes, uint64_t segments) {
  const StoredRange range = StoredRangeOf(codec, raw_bytes, segments);
  return absl::StrCat(range.least, range.least == range.most ? "" : absl::StrCat(" to ", range.most), " for ",
                      raw_bytes, " raw bytes under codec ", static_cast<int>(codec));
}

uint64_t RecordHeader::StoredBytes() const {
  uint64_t bytes = 0;
  for (const Segment& segment : segments) bytes += segment.stored_bytes;
  return bytes;
}

uint64_t RecordHeader::RawBytes() const {
  uint64_t bytes = 0;
  for (const Segment& segment : segments) bytes += segment.raw_bytes;
  return bytes;
}

void RecordHeader::Encode(std::vector<uint8_t>* out) const {
  INCIPIT_CHECK(!identity.empty() && identity.size() <= kMaxFramedIdentityBytes, "identity is not a framed one");
  INCIPIT_CHECK(segments.size() <= kMaxSegments, "more segments than a record may have");
  const size_t start = out->size();
  out->resize(start + HeaderBytes(), 0);
  const MutableBytes bytes = MutableBytes(*out).subspan(start);
  PutField(bytes, kMagicAt, kRecordMagic);
  PutField(bytes, kVersionAt, kRecordVersion);
  PutField(bytes, kCodecAt, static_cast<uint8_t>(codec));
  PutField(bytes, kKindAt, static_cast<uint8_t>(kind));
  PutField(bytes, kHeaderBytesAt, HeaderBytes());
  PutField(bytes, kSegmentCountAt, static_cast<uint16_t>(segments.size()));
  PutField(bytes, kIdentityBytesAt, static_cast<uint16_t>(identity.size()));
  PutField(bytes, kStoredBytesAt, StoredBytes());
  PutField(bytes, kRawBytesAt, RawBytes());
  PutField(bytes, kDepthAt, depth_tokens);
  PutField(bytes, kStampAt, stamp_ns);
  PutField(bytes, kWriterAt, writer_id);
  PutField(bytes, kSequenceAt, sequence);
  PutField(bytes, kGenerationAt, region_generation);
  std::memcpy(bytes.data() + kRecordFixedBytes, identity.data(), identity.size());
  const size_t table_at = kRecordFixedBytes + AlignUp(identity.size(), 8);
  if (!segments.empty()) {
    std::memcpy(bytes.data() + table_at, segments.data(), segments.size() * kSegmentEntryBytes);
  }
  Seal(bytes);
}

absl::StatusOr<uint32_t> PeekRecordHeaderBytes(ByteView fixed) {
  RETURN_IF_ERROR(CheckMagic(fixed));
  RETURN_IF_ERROR(CheckVersion(fixed));
  RETURN_IF_ERROR(CheckLengths(fixed));
  return GetField<uint32_t>(fixed, kHeaderBytesAt);
}

absl::StatusOr<RecordHeader> DecodeRecordHeader(ByteView bytes) {
  ASSIGN_OR_RETURN(const uint32_t header_bytes, CheckFrame(bytes));
  const ByteView whole = bytes.first(header_bytes);
  const auto codec = GetField<uint8_t>(whole, kCodecAt);
  const auto kind = GetField<uint8_t>(whole, kKindAt);
  if (codec > static_cast<uint8_t>(kLastCodec))
    return Damaged("codec", codec, absl::StrCat("0 to ", static_cast<int>(kLastCodec)));
  if (kind > static_cast<uint8_t>(RecordKind::kTombstone)) return Damaged("kind", kind, "0 or 1");
  if (const auto reserved = GetField<uint64_t>(whole, kReservedAt); reserved != 0) {
    return Damaged("the reserved field", reserved, "0");
  }
  RecordHeader header;
  header.kind = static_cast<RecordKind>(kind);
  header.codec = static_cast<Codec>(codec);
  header.depth_tokens = GetField<uint64_t>(whole, kDepthAt);
  header.stamp_ns = GetField<uint64_t>(whole, kStampAt);
  header.writer_id = GetField<uint64_t>(whole, kWriterAt);
  header.sequence = GetField<uint64_t>(whole, kSequenceAt);
  header.region_generation = GetField<uint64_t>(whole, kGenerationAt);

  const ByteView identity = whole.subspan(kRecordFixedBytes, GetField<uint16_t>(whole, kIdentityBytesAt));
  if (const auto view = ViewIdentity(identity); !view.ok()) {
    return absl::DataLossError(absl::StrCat("record header: ", view.status().message()));
  }
  header.identity.assign(identity.begin(), identity.end());
  const size_t table_at = kRecordFixedBytes + AlignUp(identity.size(), 8);
  header.segments.resize(GetField<uint16_t>(whole, kSegmentCountAt));
  const size_t table_bytes = header.segments.size() * kSegmentEntryBytes;
  if (table_bytes > 0) std::memcpy(header.segments.data(), whole.data() + table_at, table_bytes);
  if (!AllZero(whole.subspan(kRecordFixedBytes + identity.size(), table_at - kRecordFixedBytes - identity.size())) ||
      !AllZero(whole.subspan(table_at + table_bytes))) {
    return absl::DataLossError("record header: padding is not zero");
  }
  RETURN_IF_ERROR(CheckPayload(header));
  const auto stored_bytes = GetField<uint64_t>(whole, kStoredBytesAt);
  const auto raw_bytes = GetField<uint64_t>(whole, kRawBytesAt);
  if (stored_bytes != header.StoredBytes()) {
    return Damaged("stored_bytes", stored_bytes, absl::StrCat(header.StoredBytes(), ", the sum over the segments"));
  }
  if (raw_bytes != header.RawBytes()) {
    return Damaged("raw_bytes", raw_bytes, absl::StrCat(header.RawBytes(), ", the sum over the segments"));
  }
  return header;
}

void RestampRecordHeader(MutableBytes header, uint64_t sequence, uint64_t region_generation, uint64_t stamp_ns) {
  INCIPIT_CHECK(header.size() >= kRecordFixedBytes && GetField<uint32_t>(header, kHeaderBytesAt) == header.size(),
                "not one whole record header");
  PutField(header, kStampAt, stamp_ns);
  PutField(header, kSequenceAt, sequence);
  PutField(header, kGenerationAt, region_generation);
  PutField(header, kChecksumAt, uint64_t{0});
  Seal(header);
}

}  // namespace incipit
