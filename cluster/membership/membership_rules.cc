#include "cluster/membership/membership_rules.h"

#include <algorithm>
#include <utility>

namespace incipit {

MembershipRules::MembershipRules(std::optional<ClusterNode> self, uint32_t lease_ms, Random* random)
    : self_(std::move(self)), random_(random), lease_ms_(lease_ms) {
  random_->Fill(seed_);
  if (self_.has_value()) fence_ = NodeIdText(self_->incarnation) + NodeIdText(random_->Next());
}

void MembershipRules::OnConnected(int64_t now_ms) {
  fetch_due_ = true;
  renew_at_ms_ = join_at_ms_ = now_ms;
  // The map may be back without its nodes: then all come back, one after the other.
  if (map_ != nullptr) hold_until_ms_ = now_ms + lease_ms_;
}

void MembershipRules::OnNews(std::optional<uint64_t> epoch) {
  if (!epoch.has_value() || map_ == nullptr || *epoch > map_->epoch) fetch_due_ = true;
}

MemberCall MembershipRules::Next(int64_t now_ms, NodeState wanted) {
  if (registered() && joined_ && wanted != told_) {
    self_->state = wanted;
    return MemberCall::kSetState;
  }
  if (registered() && joined_ && now_ms >= renew_at_ms_) return MemberCall::kRenew;
  if (registered() && !joined_ && now_ms >= join_at_ms_) {
    self_->state = wanted;
    return MemberCall::kJoin;
  }
  if (!registered() && now_ms >= renew_at_ms_) fetch_due_ = true;
  if (hold_until_ms_ != 0 && now_ms >= hold_until_ms_) {
    hold_until_ms_ = 0;
    fetch_due_ = true;
  }
  return fetch_due_ ? MemberCall::kFetch : MemberCall::kNone;
}

int64_t MembershipRules::DueAtMs() const {
  if (fetch_due_) return 0;
  int64_t due_ms = registered() && !joined_ ? join_at_ms_ : renew_at_ms_;
  if (hold_until_ms_ != 0) due_ms = std::min(due_ms, hold_until_ms_);
  return due_ms;
}

MapCaller MembershipRules::Caller() const {
  return {.id = self_.has_value() ? self_->id : 0,
          .fence = fence_,
          .known_epoch = map_ == nullptr ? 0 : map_->epoch,
          .lease_ms = lease_ms_};
}

absl::StatusOr<std::shared_ptr<const ClusterMap>> MembershipRules::Handle(MemberCall call,
                                                                          absl::StatusOr<MapAnswer> answer,
                                                                          int64_t now_ms) {
  if (absl::IsAborted(answer.status())) {
    joined_ = false;
    fenced_ = true;
    PlanRenewal(now_ms);
    return nullptr;
  }
  if (call == MemberCall::kJoin) joined_ = answer.ok();
  if (!answer.ok()) return answer.status();
  if (answer->lease_ms >= kMinMemberLeaseMs && answer->lease_ms <= kMaxMemberLeaseMs) {
    lease_ms_ = static_cast<uint32_t>(answer->lease_ms);
  }
  if (call == MemberCall::kRenew || call == MemberCall::kJoin || !registered()) PlanRenewal(now_ms);
  if ((call == MemberCall::kJoin || call == MemberCall::kSetState) && !answer->lapsed) told_ = self_->state;
  if (answer->lapsed && joined_) {
    NoteLost(now_ms);  // cut off for long, or the map's keeper lost what it had
    join_at_ms_ = now_ms;
  }
  if (answer->map.has_value()) return Take(*answer, now_ms);
  fetch_due_ = !answer->lapsed && (map_ == nullptr || map_->epoch != answer->epoch);
  return nullptr;
}

std::shared_ptr<const ClusterMap> MembershipRules::Take(const MapAnswer& answer, int64_t now_ms) {
  fetch_due_ = false;
  if (!IsNewerMap(map_.get(), *answer.map)) return nullptr;
  if (registered() && joined_) {
    const ClusterNode* own = answer.map->Find(self_->id);
    if (own == nullptr || own->state == NodeState::kGone) {
      NoteLost(now_ms);
      join_at_ms_ = now_ms + lease_ms_ / 10;
    } else {
      told_ = own->state;  // an earlier call of ours may have come later than the last one
    }
  }
  if (map_ != nullptr && hold_until_ms_ != 0 && LiveNodesOf(*answer.map) < LiveNodesOf(*map_)) return nullptr;
  hold_until_ms_ = 0;
  map_ = std::make_shared<const ClusterMap>(*answer.map);
  return map_;
}

// The lease is gone; others may have lost theirs by the same cause, and come back one after the other.
void MembershipRules::NoteLost(int64_t now_ms) {
  joined_ = false;
  hold_until_ms_ = now_ms + lease_ms_;
}

// A little earlier than a third of the lease, each node differently, so that they do not call all at once.
void MembershipRules::PlanRenewal(int64_t now_ms) {
  const int64_t third_ms = std::max<int64_t>(1, lease_ms_ / 3);
  renew_at_ms_ = now_ms + third_ms - static_cast<int64_t>(random_->Below(static_cast<uint64_t>(third_ms) / 5 + 1));
}

}  // namespace incipit
