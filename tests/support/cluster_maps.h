// Sample nodes and maps of a cluster.
#pragma once

#include "absl/strings/str_cat.h"
#include "cluster/membership/cluster_map.h"

namespace incipit::testing {

inline ClusterNode SampleClusterNode(uint64_t id, NodeState state = NodeState::kServing) {
  ClusterNode node;
  node.id = id;
  node.incarnation = 3;
  node.state = state;
  node.weight = static_cast<uint32_t>(10 + id);
  node.zone = absl::StrCat("rack-", id % 3);
  node.shards = 4;
  node.addresses = {absl::StrCat("tcp://10.0.0.", id, ":9400"), absl::StrCat("ucx://10.0.0.", id, ":9410")};
  return node;
}

inline ClusterMap SampleClusterMap() {
  ClusterMap map;
  map.epoch = 7;
  map.placement_seed = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
  map.nodes = {SampleClusterNode(1), SampleClusterNode(2, NodeState::kDraining), SampleClusterNode(3),
               SampleClusterNode(4, NodeState::kGone), SampleClusterNode(5, NodeState::kJoining)};
  return map;
}

}  // namespace incipit::testing
