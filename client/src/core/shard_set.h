// The shards that a client's blocks are spread over, of one node or of a cluster, as one list.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cache/format/identity.h"
#include "client/src/core/shard_connection.h"
#include "cluster/placement/cluster_placement.h"
#include "transport/wire/placement.h"

namespace incipit {

// Immutable once it is given to calls, which hold it while they run. In a cluster a block's owners are nodes, best
// first (docs/placement.md): rank 0 is the owner, copies lie at the ranks behind it.
class ShardSet {
 public:
  // Of one node; its connections are still to be added, by shard.
  explicit ShardSet(const wire::HelloReply& hello)
      : nodes_{{0, std::make_shared<const wire::Placement>(hello.placement_seed, hello.node_id, hello.shard_count)}} {}
  // Of a cluster without nodes so far. `absent` stands for the shards of nodes that have never answered.
  ShardSet(std::shared_ptr<const ClusterPlacement> cluster, std::shared_ptr<ShardConnection> absent)
      : connections{std::move(absent)}, cluster_(std::move(cluster)) {}

  // The next node in the cluster placement's order; null: one that has never answered.
  void AddNode(const ShardSet* node) {
    if (node == nullptr) {
      nodes_.emplace_back();
      return;
    }
    nodes_.push_back({static_cast<uint32_t>(connections.size()), node->nodes_[0].placement});
    connections.insert(connections.end(), node->connections.begin(), node->connections.end());
  }

  bool of_cluster() const { return cluster_ != nullptr; }
  // How many ranks there are.
  size_t node_count() const { return nodes_.size(); }

  // Where a part of a block is, or would be, at `rank`, which is cut to the nodes there are. All parts of a block are
  // at one node.
  uint32_t ShardOf(ByteView framed_namespace, GroupIndex group, uint16_t part, ByteView key, size_t rank = 0) const {
    if (!of_cluster() && connections.size() == 1) return 0;
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
    size_t node = 0;
    if (of_cluster()) node = NodeOf(cluster_->HashOf(FrameIdentity(framed_namespace, group, 0, key, &buffer)), rank);
    const NodeShards& shards = nodes_[node];
    if (shards.placement == nullptr) return kAbsent;
    return shards.first + shards.placement->ShardOf(FrameIdentity(framed_namespace, group, part, key, &buffer));
  }

  // What tells a block apart from others for placement. REQUIRES: of_cluster().
  uint64_t HashOf(ByteView framed_namespace, GroupIndex group, ByteView key) const {
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
    return cluster_->HashOf(FrameIdentity(framed_namespace, group, 0, key, &buffer));
  }

  std::vector<std::shared_ptr<ShardConnection>> connections;  // by shard; in a cluster the first is `absent`

 private:
  static constexpr uint32_t kAbsent = 0;
  struct NodeShards {
    uint32_t first = 0;  // in connections
    std::shared_ptr<const wire::Placement> placement{};
  };

  size_t NodeOf(uint64_t hash, size_t rank) const {
    if (rank == 0) return cluster_->OwnerOf(hash);
    const auto owners = cluster_->OwnersOf(hash, std::min(rank + 1, kMaxCopies));
    return owners[std::min(rank, owners.size() - 1)];
  }

  std::shared_ptr<const ClusterPlacement> cluster_;  // null: one node
  std::vector<NodeShards> nodes_;                    // in the cluster placement's order
};

}  // namespace incipit
