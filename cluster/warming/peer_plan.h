// Which other node may have a block that this one misses, by the maps it knows: docs/membership.md, "Warming".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "cluster/membership/cluster_map.h"

namespace incipit {

// So many nodes are asked for one block at most.
inline constexpr size_t kMaxPreviousOwners = 3;
using PreviousOwners = absl::InlinedVector<const ClusterNode*, kMaxPreviousOwners>;

// Who owned what, once: a placement and the ids of its nodes.
struct PastPlacement {
  ClusterPlacement placement;
  std::vector<uint64_t> ids;  // in the placement's order
  int64_t until_ns = 0;       // asked by it until then
};

// Immutable, so any thread may use it. Times are those of any steady clock of the caller's.
class PeerPlan {
 public:
  // `past` is newest first. REQUIRES: the map has passed its check.
  PeerPlan(std::shared_ptr<const ClusterMap> map, uint64_t self_id,
           std::vector<std::shared_ptr<const PastPlacement>> past);

  const ClusterMap& map() const { return *map_; }
  uint64_t self_id() const { return self_id_; }
  // Whether there is anybody to be asked about anything.
  bool Active(int64_t now_ns) const { return any_draining_ || now_ns < past_until_ns_; }
  // When the last placement of the past is over; 0: there is none.
  int64_t past_until_ns() const { return past_until_ns_; }

  // The nodes to ask for a block that this one misses, the likeliest first; none: nobody. `framed_identity`: of the
  // block's part 0. One hash and a placement for each owner and past one.
  PreviousOwners PreviousOwnersOf(ByteView framed_identity, int64_t now_ns) const;
  // The node that owns the block now; null: nobody does, or this node itself.
  const ClusterNode* NextOwnerOf(ByteView framed_identity) const;

 private:
  struct Present {
    ClusterPlacement placement;
    std::vector<size_t> owners;  // in map().nodes
  };
  static std::optional<Present> Over(const ClusterMap& map);
  // The node if it can be asked; null otherwise, and for this node.
  const ClusterNode* Askable(const ClusterNode* node) const;

  std::shared_ptr<const ClusterMap> map_;
  uint64_t self_id_;
  std::optional<Present> serving_;  // none: nobody serves
  // With the nodes that give their blocks away, and without zones: the order in which blocks go from node to node when
  // nodes come and go, whichever did.
  std::optional<Present> order_;
  bool any_draining_ = false;
  std::vector<std::shared_ptr<const PastPlacement>> past_;
  int64_t past_until_ns_ = 0;
};

}  // namespace incipit
