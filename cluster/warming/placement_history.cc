#include "cluster/warming/placement_history.h"

#include <algorithm>
#include <utility>

namespace incipit {
namespace {

bool Places(const ClusterNode& node) { return node.state == NodeState::kServing; }

// Whether both maps place all blocks alike.
bool SamePlacement(const ClusterMap& a, const ClusterMap& b) {
  if (a.placement_seed != b.placement_seed) return false;
  std::vector<std::pair<uint64_t, uint32_t>> of_a, of_b;
  for (const ClusterNode& node : a.nodes) {
    if (Places(node)) of_a.emplace_back(node.id, node.weight);
  }
  for (const ClusterNode& node : b.nodes) {
    if (Places(node)) of_b.emplace_back(node.id, node.weight);
  }
  return of_a == of_b;
}

}  // namespace

void PlacementHistory::Remember(const ClusterMap& map, int64_t now_ns) {
  std::vector<size_t> owners;
  absl::StatusOr<ClusterPlacement> placement = PlacementOver(map, &owners);
  if (!placement.ok()) return;  // nobody owned anything
  auto past = std::make_shared<PastPlacement>(PastPlacement{*std::move(placement), {}, now_ns + warm_ns_});
  for (const size_t owner : owners) past->ids.push_back(map.nodes[owner].id);
  past_.insert(past_.begin(), std::move(past));
}

std::shared_ptr<const PeerPlan> PlacementHistory::Take(std::shared_ptr<const ClusterMap> map, int64_t now_ns,
                                                       bool joined) {
  const bool other_cluster = map_ != nullptr && map_->placement_seed != map->placement_seed;
  if (other_cluster) past_.clear();
  std::erase_if(past_, [&](const auto& past) { return past->until_ns <= now_ns; });
  if (warm_ns_ > 0 && !other_cluster) {
    if (map_ != nullptr && !SamePlacement(*map_, *map)) Remember(*map_, now_ns);
    if (map_ == nullptr && joined) {
      ClusterMap without = *map;
      for (ClusterNode& node : without.nodes) {
        if (node.id == self_id_) node.state = NodeState::kGone;
      }
      Remember(without, now_ns);
    }
  }
  if (past_.size() > kMaxPastPlacements) past_.resize(kMaxPastPlacements);
  map_ = std::move(map);
  return std::make_shared<const PeerPlan>(map_, self_id_, past_);
}

}  // namespace incipit
