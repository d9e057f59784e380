// What one cluster map means to a client: who owns what, and the client of each node.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/src/cluster_route.h"
#include "incipit/client.h"

namespace incipit {

// Immutable, so any thread may use it; calls in progress keep the one that they began with. The vectors are in the
// placement's order of nodes.
struct ClusterView : ClusterRoute {
  static constexpr size_t kNobody = SIZE_MAX;

  std::vector<std::string> addresses;            // on the lane in use; empty if the node has none there
  std::vector<std::shared_ptr<Client>> clients;  // null if the node cannot be asked

  // Which node owns a block; kNobody if that one cannot be asked. REQUIRES: as ClusterRoute::OwnerOf.
  size_t OwnerOf(GroupIndex group, ByteView key) const {
    const size_t owner = ClusterRoute::OwnerOf(group, key);
    return clients[owner] == nullptr ? kNobody : owner;
  }
};

// Trouble of a node costs its blocks; this is a mistake of the caller, and is told.
inline bool IsMistake(const absl::Status& status) { return absl::IsInvalidArgument(status); }

}  // namespace incipit
