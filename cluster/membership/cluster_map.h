// The cluster map: which nodes there are, where, and what each may be asked. docs/membership.md specifies it. Plain
// data with its rules; a map that somebody publishes has passed CheckClusterMap and never changes afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/seams/membership.h"
#include "cluster/placement/cluster_placement.h"

namespace incipit {

inline constexpr size_t kMaxClusterNodes = kMaxPlacementNodes;
inline constexpr uint64_t kMaxClusterEpoch = (1ull << 53) - 1;
inline constexpr size_t kMaxZoneBytes = 64;
inline constexpr size_t kMaxNodeAddresses = 8;
inline constexpr size_t kMaxNodeAddressBytes = 256;
inline constexpr uint16_t kMaxClusterNodeShards = 256;

enum class NodeState : uint8_t { kJoining, kServing, kDraining, kGone };
// "joining", "serving", "draining", "gone".
const char* NodeStateName(NodeState state);
absl::StatusOr<NodeState> ParseNodeState(std::string_view name);

struct ClusterNode {
  uint64_t id = 0;
  uint64_t incarnation = 0;
  NodeState state = NodeState::kServing;
  uint32_t weight = 1;
  std::string zone;
  uint16_t shards = 1;
  std::vector<std::string> addresses;  // "tcp://host:port", "unix:///path", "ucx://host:port"; one a lane

  // The address on that lane ("tcp"); empty if there is none.
  std::string AddressOn(std::string_view lane) const;
  friend bool operator==(const ClusterNode&, const ClusterNode&) = default;
};

struct ClusterMap {
  uint64_t epoch = 1;
  PlacementSeed placement_seed{};
  std::vector<ClusterNode> nodes;  // ascending by id

  const ClusterNode* Find(uint64_t id) const;
  friend bool operator==(const ClusterMap&, const ClusterMap&) = default;
};

// 16 hexadecimal digits, as ids are written everywhere.
std::string NodeIdText(uint64_t id);

// InvalidArgument names the node and the rule that is broken.
absl::Status CheckClusterNode(const ClusterNode& node);
absl::Status CheckClusterMap(const ClusterMap& map);

// Whether `offered` takes the place of `held`, which may be null: only a higher epoch does. Everybody who follows maps
// asks this, so that nobody goes back.
bool IsNewerMap(const ClusterMap* held, const ClusterMap& offered);
// Nodes that are not gone.
size_t LiveNodesOf(const ClusterMap& map);

// Letters, digits, '.', '_' and '-' only: zones and names of clusters.
bool IsPlainName(std::string_view text);

// Placement over the nodes of `map` that are serving; (*owners)[i] is the index in map.nodes of the placement's node i.
// FailedPrecondition: nobody serves. REQUIRES: CheckClusterMap is ok.
absl::StatusOr<ClusterPlacement> PlacementOver(const ClusterMap& map, std::vector<size_t>* owners);

// The shards of all serving nodes, by their tcp address ("host:port"), as the seam Membership gives them.
ShardMap ShardMapOf(const ClusterMap& map);

}  // namespace incipit
