// What a member of a cluster does next, and what it makes of the answers: joining, keeping the lease, following the
// map, going out of the way of a successor. Pure: no I/O, no clock, no thread, so that RedisMembership and the
// simulation run the same rules. docs/membership.md ("From Redis") says them in words.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cache/seams/random.h"
#include "cluster/membership/map_calls.h"

namespace incipit {

inline constexpr uint32_t kMinMemberLeaseMs = 100;
inline constexpr uint32_t kMaxMemberLeaseMs = 600'000;

enum class MemberCall { kNone, kJoin, kRenew, kSetState, kFetch };

// One thread. Times are milliseconds of any steady clock of the caller's. The random must outlive it.
class MembershipRules {
 public:
  // Without `self` it only follows the map. `lease_ms` is taken if the cluster is new.
  MembershipRules(std::optional<ClusterNode> self, uint32_t lease_ms, Random* random);

  // A connection was made: what was said before it may have been missed.
  void OnConnected(int64_t now_ms);
  // Whoever keeps the map told that it has `epoch`; none = it said something else.
  void OnNews(std::optional<uint64_t> epoch);

  // The call to make now; with kNone, nothing is to be done before DueAtMs(). `wanted`: the state that this node should
  // have, any if there is no self.
  MemberCall Next(int64_t now_ms, NodeState wanted);
  int64_t DueAtMs() const;
  MapCaller Caller() const;
  // For kJoin and kSetState: this node, with the state that it asks for.
  const ClusterNode& self() const { return *self_; }
  const PlacementSeed& seed() const { return map_ == nullptr ? seed_ : map_->placement_seed; }

  // The answer to `call`. The map, if it gave one that is to be used from now on. Aborted fences the node; every other
  // error comes back, and then the connection is to be made again.
  absl::StatusOr<std::shared_ptr<const ClusterMap>> Handle(MemberCall call, absl::StatusOr<MapAnswer> answer,
                                                           int64_t now_ms);

  const std::shared_ptr<const ClusterMap>& map() const { return map_; }  // null at first
  bool joined() const { return joined_; }
  bool fenced() const { return fenced_; }  // another process is this node; nothing is said any more

 private:
  bool registered() const { return self_.has_value() && !fenced_; }
  std::shared_ptr<const ClusterMap> Take(const MapAnswer& answer, int64_t now_ms);
  void NoteLost(int64_t now_ms);
  void PlanRenewal(int64_t now_ms);

  std::optional<ClusterNode> self_;
  Random* random_;
  PlacementSeed seed_{};
  std::string fence_;
  std::shared_ptr<const ClusterMap> map_;
  NodeState told_ = NodeState::kJoining;  // what the map says of this node, as far as is known. While joined_
  bool joined_ = false;
  bool fenced_ = false;
  bool fetch_due_ = true;
  uint32_t lease_ms_;
  int64_t renew_at_ms_ = 0;
  int64_t join_at_ms_ = 0;
  int64_t hold_until_ms_ = 0;  // before that, a map with fewer live nodes than ours is not taken; 0 = not now
};

}  // namespace incipit
