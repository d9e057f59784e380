#include "cluster/warming/peer_plan.h"

#include <algorithm>
#include <utility>

namespace incipit {

PeerPlan::PeerPlan(std::shared_ptr<const ClusterMap> map, uint64_t self_id,
                   std::vector<std::shared_ptr<const PastPlacement>> past)
    : map_(std::move(map)), self_id_(self_id), serving_(Over(*map_)), past_(std::move(past)) {
  for (const auto& each : past_) past_until_ns_ = std::max(past_until_ns_, each->until_ns);
  ClusterMap with_draining = *map_;
  bool any = false;
  for (ClusterNode& node : with_draining.nodes) {
    if (node.state != NodeState::kDraining) continue;
    node.state = NodeState::kServing;
    any = true;
  }
  if (any) draining_ = Over(with_draining);
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

const ClusterNode* PeerPlan::PreviousOwnerOf(ByteView framed_identity, int64_t now_ns) const {
  if (!Active(now_ns) || !serving_.has_value()) return nullptr;
  const uint64_t hash = serving_->placement.HashOf(framed_identity);
  // Who asks us for what another owns has another map than we: then that owner may have it.
  const ClusterNode* owner = Askable(&map_->nodes[serving_->owners[serving_->placement.OwnerOf(hash)]]);
  if (owner != nullptr) return owner;
  if (draining_.has_value()) {
    const ClusterNode* before = Askable(&map_->nodes[draining_->owners[draining_->placement.OwnerOf(hash)]]);
    if (before != nullptr) return before;
  }
  for (const auto& past : past_) {
    if (now_ns >= past->until_ns) continue;
    const ClusterNode* before = Askable(map_->Find(past->ids[past->placement.OwnerOf(hash)]));
    if (before != nullptr) return before;
  }
  return nullptr;
}

const ClusterNode* PeerPlan::NextOwnerOf(ByteView framed_identity) const {
  if (!serving_.has_value()) return nullptr;
  return Askable(&map_->nodes[serving_->owners[serving_->placement.OwnerOf(framed_identity)]]);
}

}  // namespace incipit
