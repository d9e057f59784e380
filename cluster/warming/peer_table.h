// The other nodes that a shard talks to, by their addresses in the map.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cluster/membership/cluster_map.h"
#include "cluster/warming/peer_node.h"

namespace incipit {

// One thread: the loop's. `env` outlives it. At most one entry for each node of the map.
class PeerTable {
 public:
  explicit PeerTable(const PeerEnvironment* env) : env_(env) {}

  // Null: the node has no address on any of our lanes, or no more nodes are asked. A node that was started again, or
  // moved, is another one to this.
  std::shared_ptr<PeerNode> At(const ClusterNode& node);
  // Forgets nodes that are gone from the map, with their connections.
  void Keep(const ClusterMap& map);
  void CloseIdle();
  void Close();

 private:
  struct Known {
    uint64_t incarnation = 0;
    std::vector<std::string> addresses;
    std::shared_ptr<PeerNode> peer;  // null: no address
  };
  const PeerEnvironment* env_;
  absl::flat_hash_map<uint64_t, Known> nodes_;
  bool closed_ = false;
};

}  // namespace incipit
