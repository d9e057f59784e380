// Membership that never changes: one node, or a list from the configuration. Needs no other service.
#pragma once

#include <string>
#include <vector>

#include "cache/seams/membership.h"

namespace incipit {

// Immutable, so any thread may read it.
class StaticMembership : public Membership {
 public:
  static constexpr uint64_t kEpoch = 1;

  // Every node serves `shards_per_node` shards, in the order of the list.
  StaticMembership(const std::vector<std::string>& nodes, uint16_t shards_per_node);
  ShardMap Current() const override { return map_; }

 private:
  ShardMap map_;
};

}  // namespace incipit
