// What Stats may be asked for beside its values: by namespace what is asked for and found, and the blocks that are
// loaded most (docs/wire_format.md, "Stats, StatsReply"). As in messages.h: Decode takes untrusted bytes; Encode writes
// what it is given.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit::wire {

// Of Hello and HelloReply: Stats may ask for the activity.
inline constexpr uint64_t kFeatureActivity = 1ull << 7;
inline constexpr uint32_t kMaxActiveNamespaces = 256;  // of one shard
inline constexpr uint32_t kMaxHottestBlocks = 64;      // of one shard
inline constexpr size_t kKeyStartBytes = 8;

struct StatsRequest {
  bool activity = false;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<StatsRequest> Decode(ByteView meta);
};

// Numbers since the start of the node's process, but blocks and stored_bytes, which are of now.
struct ActiveNamespace {
  std::string tenant, model, layout;
  uint64_t blocks = 0, stored_bytes = 0;
  uint64_t match_keys = 0, match_hits = 0;
  uint64_t load_bytes = 0;
  friend bool operator==(const ActiveNamespace&, const ActiveNamespace&) = default;
};

struct HottestBlock {
  uint32_t name_space = 0;                          // index in Activity::namespaces
  std::array<uint8_t, kKeyStartBytes> key_start{};  // of a shorter key all, then zeros
  uint32_t depth_tokens = 0;
  uint32_t block_tokens = 0;  // 0: not known
  uint8_t copies = 0;         // that it should have at other nodes
  uint64_t stamp_ns = 0;      // of the request that loaded it last
  uint64_t bytes_per_s = 0;   // loaded, of the last seconds
  friend bool operator==(const HottestBlock&, const HottestBlock&) = default;
};

struct Activity {
  std::vector<ActiveNamespace> namespaces;  // those most asked for
  std::vector<HottestBlock> hottest;        // hottest first
  void Encode(std::vector<uint8_t>* out) const;
};

// The whole answer to a Stats with `activity`.
struct DetailedStats {
  std::vector<std::pair<std::string, uint64_t>> values;
  Activity activity;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<DetailedStats> Decode(ByteView meta);
};

}  // namespace incipit::wire
