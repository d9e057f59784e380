// Remembers who owned blocks before the map changed, for as long as they are asked for what they had.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cluster/warming/peer_plan.h"

namespace incipit {

inline constexpr size_t kMaxPastPlacements = 8;

// Pure. One thread. Times are those of any steady clock of the caller's.
class PlacementHistory {
 public:
  // After a change the owners from before it are asked for `warm_ns`; 0 = only nodes that are draining are.
  PlacementHistory(uint64_t self_id, int64_t warm_ns) : self_id_(self_id), warm_ns_(warm_ns) {}

  // What follows from a new map. `joined`: this node has just come to it, so whoever would own its blocks without it
  // has them; otherwise the first map has no past. REQUIRES: the map has passed its check.
  std::shared_ptr<const PeerPlan> Take(std::shared_ptr<const ClusterMap> map, int64_t now_ns, bool joined);

 private:
  void Remember(const ClusterMap& map, int64_t now_ns);

  const uint64_t self_id_;
  const int64_t warm_ns_;
  std::shared_ptr<const ClusterMap> map_;
  std::vector<std::shared_ptr<const PastPlacement>> past_;  // newest first
};

}  // namespace incipit
