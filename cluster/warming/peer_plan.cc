#include "cluster/warming/peer_plan.h"

#include <algorithm>
#include <utility>

namespace incipit {

PeerPlan::PeerPlan(std::shared_ptr<const ClusterMap> map, uint64_t self_id,
                   std::vector<std::shared_ptr<const PastPlacement>> past)
    : map_(std::move(map)), self_id_(self_id), serving_(Over(*map_)), past_(std::move(past)) {
  for (const auto& each : past_) past_until_ns_ = std::max(past_until_ns_, each->until_ns);
  ClusterMap all = *map_;
  for (ClusterNode& node : all.nodes) {
    node.zone.clear();
    if (node.state != NodeState::kDraining) continue;
    node.state = NodeState::kServing;
    any_draining_ = true;
  }
  order_ = Over(all);
}

std::optional<PeerPlan::Present> PeerPlan::Over(const ClusterMap& map) {
  std::vector<size_t> owners;
  absl::StatusOr<ClusterPlacement> placement = PlacementOver(map, &owners);
  if (!placement.ok()) return std::nullopt;
  return Present{*std::move(placement), std::move(owners)};
}

const ClusterNode* PeerPlan::Askable(const ClusterNode* node) const {
  if (node == nullptr || node->id == self_id_) return nullptr;
  const bool has_blocks = node->state == NodeState::kServing || node->state == NodeState::kDraining;
  return has_blocks ? node : nullptr;
}

PreviousOwners PeerPlan::PreviousOwnersOf(ByteView framed_identity, int64_t now_ns) const {
  PreviousOwners result;
  if (!Active(now_ns) || !order_.has_value()) return result;
  const auto add = [&](const ClusterNode* node) {
    node = Askable(node);
    if (node == nullptr || result.size() == kMaxPreviousOwners) return;
    if (std::find(result.begin(), result.end(), node) == result.end()) result.push_back(node);
  };
  const uint64_t hash = order_->placement.HashOf(framed_identity);
  for (const size_t owner : order_->placement.OwnersOf(hash, kMaxPreviousOwners)) {
    add(&map_->nodes[order_->owners[owner]]);
  }
  for (const auto& past : past_) {
    if (now_ns < past->until_ns) add(map_->Find(past->ids[past->placement.OwnerOf(hash)]));
  }
  return result;
}

const ClusterNode* PeerPlan::NextOwnerOf(ByteView framed_identity) const {
  if (!serving_.has_value()) return nullptr;
  return Askable(&map_->nodes[serving_->owners[serving_->placement.OwnerOf(framed_identity)]]);
}

}  // namespace incipit
