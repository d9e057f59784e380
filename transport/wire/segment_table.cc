#include "transport/wire/segment_table.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "cache/base/byte_writer.h"
#include "cache/base/types.h"
#include "transport/wire/frame.h"

namespace incipit::wire {

// The struct is the wire form, so tables are copied whole.
static_assert(std::endian::native == std::endian::little);
static_assert(sizeof(Segment) == kSegmentEntryBytes && offsetof(Segment, stored_bytes) == 0 &&
              offsetof(Segment, raw_bytes) == 4 && offsetof(Segment, checksum) == 8);
// No sum over a block's segments can overflow.
static_assert(uint64_t{kMaxSegments} * UINT32_MAX < UINT64_MAX / 2);

namespace {

static_assert(kSegmentSizesBytes == offsetof(Segment, checksum));

// Checks one block's sizes and adds them to those of the message.
void AddToPayload(MetaReader* reader, const std::vector<Segment>& segments, uint64_t extra_bytes,
                  uint64_t* payload_bytes) {
  uint64_t stored = 0;
  uint64_t raw = 0;
  for (const Segment& segment : segments) {
    stored += segment.stored_bytes;
    raw += segment.raw_bytes;
  }
  if (stored > kMaxStoredBytes || raw > kMaxPayloadBytes) {
    return reader->Fail("blocks.segments",
                        absl::StrCat("a block of ", stored, " stored and ", raw, " raw bytes, over the limit of ",
                                     kMaxStoredBytes, " or ", kMaxPayloadBytes, ": split the block into parts"));
  }
  stored += extra_bytes;
  if (stored > kMaxFramePayloadBytes - *payload_bytes) {
    return reader->Fail("blocks.segments",
                        absl::StrCat("payload of ", *payload_bytes + stored, " bytes or more, over the limit of ",
                                     kMaxFramePayloadBytes, " in one message: send fewer blocks"));
  }
  *payload_bytes += stored;
}

}  // namespace

uint16_t SegmentCount(const std::vector<Segment>& segments) {
  return static_cast<uint16_t>(std::min<size_t>(segments.size(), UINT16_MAX));
}

void EncodeSegments(const std::vector<Segment>& segments, std::vector<uint8_t>* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(segments.data());
  out->insert(out->end(), bytes, bytes + SegmentCount(segments) * kSegmentEntryBytes);
}

void DecodeSegments(MetaReader* reader, uint16_t count, std::vector<Segment>* segments, uint64_t* payload_bytes) {
  const ByteView bytes = reader->ReadBytes("blocks.segments", count * kSegmentEntryBytes);
  if (!reader->ok() || count == 0) return;
  segments->resize(count);
  std::memcpy(segments->data(), bytes.data(), bytes.size());
  AddToPayload(reader, *segments, 0, payload_bytes);
}

void EncodeSegmentSizes(const std::vector<Segment>& segments, std::vector<uint8_t>* out) {
  ByteWriter writer(out);
  for (size_t i = 0; i < SegmentCount(segments); ++i) {
    writer.Write(segments[i].stored_bytes);
    writer.Write(segments[i].raw_bytes);
  }
}

void DecodeSegmentSizes(MetaReader* reader, uint16_t count, uint64_t extra_bytes, std::vector<Segment>* segments,
                        uint64_t* payload_bytes) {
  const ByteView bytes = reader->ReadBytes("blocks.segments", count * kSegmentSizesBytes);
  if (!reader->ok() || count == 0) return;
  segments->resize(count);
  const uint8_t* at = bytes.data();
  for (Segment& segment : *segments) {
    std::memcpy(&segment.stored_bytes, at, sizeof(uint32_t));
    std::memcpy(&segment.raw_bytes, at + sizeof(uint32_t), sizeof(uint32_t));
    at += kSegmentSizesBytes;
  }
  AddToPayload(reader, *segments, extra_bytes, payload_bytes);
}

uint64_t StoredBytesOf(const std::vector<Segment>& segments) {
  uint64_t bytes = 0;
  for (const Segment& segment : segments) bytes += segment.stored_bytes;
  return bytes;
}

}  // namespace incipit::wire
