// Blocks whose bytes follow from their key, so that any wrong byte is seen.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "cache/base/xxh3.h"
#include "cache/format/layout.h"
#include "transport/wire/messages.h"

namespace incipit::testing {

inline Layout SmallLayout(uint32_t layers = 4, uint32_t bytes_per_entry = 64, uint32_t block_tokens = 16) {
  Layout layout;
  layout.name = "small";
  GroupSpec group;
  group.name = "latent";
  group.layers = layers;
  group.bytes_per_entry = bytes_per_entry;
  group.block_tokens = block_tokens;
  layout.groups.push_back(group);
  return layout;
}

inline std::vector<uint8_t> KeyOf(uint64_t number, size_t bytes = 32) {
  std::vector<uint8_t> key(bytes);
  for (size_t at = 0; at < bytes; at += 8) {
    const uint64_t word = (number + 1) * 0x9e3779b97f4a7c15ull + at;
    std::memcpy(key.data() + at, &word, std::min<size_t>(8, bytes - at));
  }
  return key;
}

inline std::vector<uint8_t> PayloadOf(ByteView key, uint64_t bytes, uint64_t version = 0) {
  std::vector<uint8_t> payload(bytes);
  uint64_t word = Xxh3Of(key) ^ version;
  for (size_t at = 0; at < bytes; at += 8) {
    word = word * 6364136223846793005ull + 1442695040888963407ull;
    std::memcpy(payload.data() + at, &word, std::min<size_t>(8, bytes - at));
  }
  return payload;
}

inline std::vector<Segment> SegmentsOf(const GroupSpec& group, const std::vector<uint8_t>& payload) {
  std::vector<Segment> segments;
  for (uint64_t at = 0; at < payload.size(); at += group.SegmentBytes()) {
    const auto bytes = static_cast<uint32_t>(group.SegmentBytes());
    segments.push_back({bytes, bytes, Xxh3Of({payload.data() + at, bytes})});
  }
  return segments;
}

// Appends a block as a Store carries it: its bytes, then the table of its segments' checksums.
inline void AppendStored(ByteView bytes, const std::vector<Segment>& segments, std::vector<uint8_t>* payload) {
  payload->insert(payload->end(), bytes.begin(), bytes.end());
  for (const Segment& segment : segments) {
    const auto* table = reinterpret_cast<const uint8_t*>(&segment.checksum);
    payload->insert(payload->end(), table, table + sizeof(segment.checksum));
  }
}

}  // namespace incipit::testing
