#include "cluster/node/node_share.h"

namespace incipit {

ClusterShare ShareOfNode(const ClusterMap& map, const ClusterNode& self) {
  ClusterShare share{.own_weight = self.weight, .total_weight = self.weight};
  for (const ClusterNode& node : map.nodes) {
    if (node.state == NodeState::kServing && node.id != self.id) share.total_weight += node.weight;
  }
  return share;
}

}  // namespace incipit
