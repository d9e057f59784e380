// Which part of a cluster's blocks a node is to hold: by it the node takes its part of quotas of the whole cluster.
#pragma once

#include <cstdint>

namespace incipit {

// Placement gives a node its weight over the sum of weights. A node that is alone, or knows no map yet, has all of it.
struct ClusterShare {
  uint64_t own_weight = 1;
  uint64_t total_weight = 1;  // of the nodes that own blocks, and of this one whether it owns some or not

  // The node's part of `quota_bytes`, rounded down, so that the parts of all nodes are never more than the whole. All
  // of it if no other node has any weight.
  uint64_t Of(uint64_t quota_bytes) const;
  friend bool operator==(const ClusterShare&, const ClusterShare&) = default;
};

}  // namespace incipit
