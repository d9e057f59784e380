// A node's dealings with the other nodes: gives each shard what it needs to ask them, and the plan that follows from
// each map.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "cache/node/node.h"
#include "cluster/warming/move_board.h"
#include "cluster/warming/peer_environment.h"
#include "cluster/warming/placement_history.h"

namespace incipit {

// Any thread may call any method. Nothing waits for a shard. The node outlives it.
class NodePeers {
 public:
  // `warm_ns`: for how long previous owners are asked after a change of the map; 0 = never. A node keeps the settings
  // of the first of these that it had.
  NodePeers(Node* node, PeerSettings settings, int64_t warm_ns);

  // A newer map. `joined`: the first one of a node that came to a cluster, rather than one that was always in it.
  void OnMap(const std::shared_ptr<const ClusterMap>& map, bool joined);
  // All shards give their blocks away and take no stores meanwhile; a board for each. 0 = no limit.
  std::vector<std::shared_ptr<MoveBoard>> BeginMoving(uint64_t bytes_per_s);
  // `takes_stores`: from now on again.
  void EndMoving(bool takes_stores);

 private:
  Node* const node_;
  std::mutex mutex_;
  PlacementHistory history_;  // under mutex_
};

}  // namespace incipit
