#include "cluster/node/drain_steps.h"

#include <algorithm>

namespace incipit {

DrainStep DrainSteps::Next(const ClusterMap* map, bool moved, bool cancelled, int64_t now_ms) {
  if (cancelled) return DrainStep::kServeAgain;
  if (moving_) {
    if (!moved && now_ms < until_ms_) return DrainStep::kWait;
    timed_out_ = !moved;
    return DrainStep::kLeave;
  }
  const ClusterNode* self = map == nullptr ? nullptr : map->Find(node_id_);
  if (self != nullptr && self->state == NodeState::kDraining) {
    moving_ = true;
    return DrainStep::kBeginMoving;
  }
  return now_ms < std::min(until_ms_, told_until_ms_) ? DrainStep::kWait : DrainStep::kServeAgain;
}

}  // namespace incipit
