// What one cluster map means for blocks: who owns which. Pure: ClusterView adds the clients of the nodes, the
// simulation adds its own.
#pragma once

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/format/identity.h"
#include "cluster/membership/cluster_map.h"

namespace incipit {

// Immutable, so any thread may use it; calls in progress keep the one that they began with.
struct ClusterRoute {
  std::shared_ptr<const ClusterMap> map;
  std::vector<uint8_t> framed_namespace;
  ClusterPlacement placement;
  std::vector<size_t> owners;  // in map->nodes, in the placement's order of nodes

  // FailedPrecondition: nobody serves. REQUIRES: the map has passed its check.
  static absl::StatusOr<ClusterRoute> Over(std::shared_ptr<const ClusterMap> map,
                                           std::vector<uint8_t> framed_namespace) {
    std::vector<size_t> owners;
    absl::StatusOr<ClusterPlacement> placement = PlacementOver(*map, &owners);
    if (!placement.ok()) return placement.status();
    return ClusterRoute{std::move(map), std::move(framed_namespace), *std::move(placement), std::move(owners)};
  }

  // Index in `owners` of the node that owns a block. REQUIRES: a key of 1 to kMaxKeyBytes, a group of the layout.
  size_t OwnerOf(GroupIndex group, ByteView key) const {
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
    return placement.OwnerOf(FrameIdentity(framed_namespace, group, 0, key, &buffer));
  }
  const ClusterNode& NodeAt(size_t owner) const { return map->nodes[owners[owner]]; }
};

}  // namespace incipit
