// Records whose payload follows from who they are, so that any reader can tell a wrong byte.
#pragma once

#include <sys/uio.h>
#include <cstdint>
#include <string>
#include <vector>

#include "cache/base/xxh3.h"
#include "cache/format/record.h"
#include "cache/format/region.h"
#include "cache/seams/random.h"

namespace incipit::testing {

// Block number `n`, stored for the `version`-th time. The version is the header's writer id.
struct TestRecord {
  std::vector<uint8_t> identity;
  std::vector<uint8_t> header;
  std::vector<uint8_t> payload;
  TocEntry entry;

  std::vector<iovec> Pieces() {
    std::vector<iovec> pieces = {{header.data(), header.size()}};
    // Cut at odd places: the tier must not care.
    for (size_t at = 0; at < payload.size();) {
      const size_t count = std::min<size_t>(payload.size() - at, at == 0 ? 777 : 100'003);
      pieces.push_back({payload.data() + at, count});
      at += count;
    }
    return pieces;
  }
  uint64_t bytes() const { return header.size() + payload.size(); }
};

inline std::vector<uint8_t> TestIdentity(uint64_t n) {
  static const std::vector<uint8_t> name_space = FrameNamespace({"tenant", "model", LayoutFingerprint{1, 2, 3}});
  uint8_t key[32] = {};
  std::memcpy(key, &n, sizeof(n));
  std::array<uint8_t, kMaxFramedIdentityBytes> out;
  const ByteView framed = FrameIdentity(name_space, 0, 0, key, &out);
  return {framed.begin(), framed.end()};
}

inline uint64_t NumberOfIdentity(ByteView framed) {
  uint64_t n = 0;
  std::memcpy(&n, framed.data() + framed.size() - 32, sizeof(n));
  return n;
}

inline std::vector<uint8_t> TestPayload(uint64_t n, uint64_t version, uint64_t bytes) {
  std::vector<uint8_t> payload(bytes);
  MakeSeededRandom(n * 1'000'003 + version)->Fill(payload);
  return payload;
}

inline TestRecord MakeTestRecord(uint64_t n, uint64_t version, uint64_t payload_bytes, uint32_t segments = 1) {
  TestRecord record;
  record.identity = TestIdentity(n);
  record.payload = TestPayload(n, version, payload_bytes);
  RecordHeader header;
  header.identity = record.identity;
  header.writer_id = version;
  header.depth_tokens = n * 64;
  header.stamp_ns = 5;
  for (uint32_t i = 0; i < segments; ++i) {
    const uint64_t from = payload_bytes * i / segments, to = payload_bytes * (i + 1) / segments;
    const auto length = static_cast<uint32_t>(to - from);
    header.segments.push_back({length, length, Xxh3Of(ByteView(record.payload).subspan(from, length))});
  }
  header.Encode(&record.header);
  record.entry.header_bytes = static_cast<uint32_t>(record.header.size());
  record.entry.stored_bytes = static_cast<uint32_t>(payload_bytes);
  record.entry.raw_bytes = static_cast<uint32_t>(payload_bytes);
  record.entry.segment_count = static_cast<uint16_t>(segments);
  record.entry.depth_tokens = header.depth_tokens;
  record.entry.stamp_ns = 5;
  record.entry.identity = record.identity;
  return record;
}

inline TestRecord MakeTestTombstone(uint64_t n) {
  TestRecord record;
  record.identity = TestIdentity(n);
  RecordHeader header;
  header.kind = RecordKind::kTombstone;
  header.identity = record.identity;
  header.Encode(&record.header);
  record.entry.kind = RecordKind::kTombstone;
  record.entry.header_bytes = static_cast<uint32_t>(record.header.size());
  record.entry.identity = record.identity;
  return record;
}

}  // namespace incipit::testing
