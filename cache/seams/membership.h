// Seam 5 of 5 (Transport is transport/stream.h). Who serves which shard. Placement reads nothing else.
// Real: StaticMembership (one node, or a list). In memory: the same. Faulty forms come with dynamic membership.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace incipit {

struct ShardAddress {
  std::string node;    // address of the node, "host:port"
  uint16_t shard = 0;  // index within the node
  friend bool operator==(const ShardAddress&, const ShardAddress&) = default;
};

struct ShardMap {
  uint64_t epoch = 0;
  std::vector<ShardAddress> shards;
};

// Any thread may read the current map; it never blocks.
class Membership {
 public:
  virtual ~Membership() = default;
  virtual ShardMap Current() const = 0;
};

}  // namespace incipit
