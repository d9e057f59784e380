// Asking a node for the map of its cluster (docs/wire_format.md, "GetMap, MapReply"). As in messages.h: Decode takes
// untrusted bytes; Encode writes what it is given. The map itself is text here: cluster/membership reads it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit::wire {

// Of Hello and HelloReply: GetMap is understood.
inline constexpr uint64_t kFeatureClusterMap = 1ull << 3;
inline constexpr uint32_t kMaxMapWaitMs = 60'000;
inline constexpr uint32_t kMaxMapBytes = 4u << 20;

struct GetMap {
  uint64_t known_epoch = 0;  // of the map that the client has; 0 = none
  uint32_t wait_ms = 0;      // how long the answer may be held for a higher one; at most kMaxMapWaitMs
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<GetMap> Decode(ByteView meta);
};

struct MapReply {
  uint64_t epoch = 0;    // of the node's map; 0 = it has none
  std::string_view map;  // JSON, at most kMaxMapBytes; empty: nothing above known_epoch. Decoded: a view of the meta
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<MapReply> Decode(ByteView meta);
};

}  // namespace incipit::wire
