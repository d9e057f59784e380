// What one cluster map means to a client: who owns what, and the client of each node.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "cache/format/identity.h"
#include "cluster/membership/cluster_map.h"
#include "incipit/client.h"

namespace incipit {

// Immutable, so any thread may use it; calls in progress keep the one that they began with. The vectors are in the
// placement's order of nodes.
struct ClusterView {
  static constexpr size_t kNobody = SIZE_MAX;

  std::shared_ptr<const ClusterMap> map;
  std::vector<uint8_t> framed_namespace;
  ClusterPlacement placement;
  std::vector<size_t> owners;                    // in map->nodes
  std::vector<std::string> addresses;            // on the lane in use; empty if the node has none there
  std::vector<std::shared_ptr<Client>> clients;  // null if the node cannot be asked

  // Which node owns a block; kNobody if that one cannot be asked. REQUIRES: a key of 1 to kMaxKeyBytes, a group of the
  // layout.
  size_t OwnerOf(GroupIndex group, ByteView key) const {
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
    const size_t owner = placement.OwnerOf(FrameIdentity(framed_namespace, group, 0, key, &buffer));
    return clients[owner] == nullptr ? kNobody : owner;
  }
};

// Trouble of a node costs its blocks; this is a mistake of the caller, and is told.
inline bool IsMistake(const absl::Status& status) { return absl::IsInvalidArgument(status); }

}  // namespace incipit
