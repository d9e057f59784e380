// Which shard of a node holds a key. Specified in docs/wire_format.md ("Placement") with golden vectors: clients of
// every language and release must agree, or hits are lost.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cache/base/bytes.h"
#include "cache/base/xxh3.h"

namespace incipit::wire {

// Immutable after construction: any thread may use it. About 0.2 KiB and 8 bytes a shard.
class Placement {
 public:
  // From HelloReply. REQUIRES: shard_count >= 1.
  Placement(std::array<uint8_t, 16> seed, uint64_t node_id, uint16_t shard_count);

  // The shard with the highest score. One keyed hash of the identity and two multiplications a shard; no allocation.
  uint16_t ShardOf(ByteView framed_identity) const;

 private:
  HashSecret secret_;
  std::vector<uint64_t> mixed_tags_;  // mix64(shard_tag) by shard
};

}  // namespace incipit::wire
