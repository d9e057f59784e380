// The segments of one block as Store and LoadReply list them, and the sums that both must keep.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/format/record.h"
#include "transport/wire/meta_reader.h"

namespace incipit::wire {

// The number of segments that a u16 count field can state. More than 65,535 are cut to that, so that the count stays
// true; the peer refuses them.
uint16_t SegmentCount(const std::vector<Segment>& segments);

// The first SegmentCount entries, as in records: stored_bytes u32, raw_bytes u32, checksum u64.
void EncodeSegments(const std::vector<Segment>& segments, std::vector<uint8_t>* out);

// Reads `count` entries, `count` having been checked against kMaxSegments. Fails if the block's stored or raw bytes
// exceed kMaxStoredBytes and kMaxPayloadBytes, or `*payload_bytes`, the message's stored bytes so far, would exceed
// kMaxFramePayloadBytes. Adds to it otherwise. One allocation, made only when the meta holds that many entries.
void DecodeSegments(MetaReader* reader, uint16_t count, std::vector<Segment>* segments, uint64_t* payload_bytes);

inline constexpr size_t kSegmentSizesBytes = 8;
// The same without checksums: stored_bytes u32, raw_bytes u32. Decoded checksums are 0. `extra_bytes` counts towards
// the message's payload as well.
void EncodeSegmentSizes(const std::vector<Segment>& segments, std::vector<uint8_t>* out);
void DecodeSegmentSizes(MetaReader* reader, uint16_t count, uint64_t extra_bytes, std::vector<Segment>* segments,
                        uint64_t* payload_bytes);

uint64_t StoredBytesOf(const std::vector<Segment>& segments);

}  // namespace incipit::wire
