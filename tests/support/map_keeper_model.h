// The rules of the Lua script of cluster/redis/map_script.cc, without Redis: the keeper of the map in simulations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "cluster/membership/cluster_map_json.h"
#include "cluster/membership/map_calls.h"
#include "cluster/membership/membership_rules.h"

namespace incipit::testing {

// A value: a copy is a backup, or a replica that is behind. One thread.
class MapKeeperModel {
 public:
  // Called for each epoch that is published.
  void set_on_publish(std::function<void(uint64_t epoch)> on_publish) { on_publish_ = std::move(on_publish); }
  // Restarted empty, or put back to what it was; who listens stays.
  void Become(const MapKeeperModel& state) {
    auto listener = std::move(on_publish_);
    *this = state;
    on_publish_ = std::move(listener);
  }

  // `node` and `seed` are those of kJoin, whose state kSetState wants too; kNone asks nothing. Errors as of MapScript.
  absl::StatusOr<MapAnswer> Run(MemberCall call, const MapCaller& caller, const ClusterNode& node,
                                const PlacementSeed& seed, int64_t now_us) {
    if (call == MemberCall::kNone) return MapAnswer{};
    now_us_ = now_us;
    Begin(caller, now_us / 1000);
    if (call == MemberCall::kFetch) return Finish(!there_, there_);
    const auto found = nodes_.find(caller.id);
    if (found != nodes_.end() && found->second.fence > caller.fence) {
      const absl::StatusOr<MapAnswer> ignored = Finish(false, false);
      return absl::AbortedError("another process is this node");
    }
    if (call == MemberCall::kJoin) return Join(caller, node, seed);
    if (found == nodes_.end() || found->second.fence != caller.fence || !leases_.contains(caller.id)) {
      return Finish(true, false);
    }
    if (call == MemberCall::kRenew) {
      leases_[caller.id] = now_ms_ + lease_ms_;
      return Finish(false, false);
    }
    if (node.state == NodeState::kGone) {
      End(caller.id);
    } else if (found->second.state != node.state) {
      found->second.state = node.state;
      changed_ = true;
    }
    return Finish(false, true);
  }
  uint64_t epoch() const { return epoch_; }

 private:
  struct Registered {
    std::string record, fence;
    NodeState state = NodeState::kJoining;
  };

  // What every call begins with.
  void Begin(const MapCaller& caller, int64_t now_ms) {
    now_ms_ = now_ms;
    changed_ = false;
    failovers_ = caller.failovers;
    if (!there_) {
      lease_ms_ = caller.lease_ms;
      epoch_ = 0;
    }
    if (epoch_ < caller.known_epoch) {
      epoch_ = caller.known_epoch;
      changed_ = there_;
    }
    if (!there_) return;
    if (2 * (now_ms - seen_ms_) > lease_ms_ || now_ms < seen_ms_) {
      for (auto& [id, end_ms] : leases_) end_ms = now_ms + lease_ms_;
    }
    for (auto lease = leases_.begin(); lease != leases_.end();) {
      const auto [id, end_ms] = *lease++;
      if (end_ms < now_ms) End(id);
    }
    for (auto gone = gone_.begin(); gone != gone_.end();) {
      const auto [id, since_ms] = *gone++;
      if (since_ms >= now_ms - static_cast<int64_t>(kForgetGoneMs)) continue;
      nodes_.erase(id);
      gone_.erase(id);
      changed_ = true;
    }
  }

  void End(uint64_t id) {
    leases_.erase(id);
    gone_[id] = now_ms_;
    nodes_[id].state = NodeState::kGone;
    changed_ = true;
  }

  absl::StatusOr<MapAnswer> Join(const MapCaller& caller, const ClusterNode& node, const PlacementSeed& seed) {
    if (!nodes_.contains(caller.id) && nodes_.size() >= kMaxClusterNodes) {
      const absl::StatusOr<MapAnswer> ignored = Finish(false, false);
      return absl::ResourceExhaustedError("the cluster is full");
    }
    if (!there_) seed_ = seed;
    there_ = true;
    Registered fresh{EncodeClusterNode(node), caller.fence, node.state};
    Registered& held = nodes_[caller.id];
    if (held.record != fresh.record || held.state != fresh.state || held.fence != fresh.fence) {
      held = std::move(fresh);
      changed_ = true;
    }
    gone_.erase(caller.id);
    leases_[caller.id] = now_ms_ + lease_ms_;
    return Finish(false, true);
  }

  absl::StatusOr<MapAnswer> Finish(bool lapsed, bool with_map) {
    if (there_) seen_ms_ = now_ms_;
    if (changed_) {
      const auto us = static_cast<uint64_t>(now_us_);
      epoch_ = std::max(epoch_ + 1 + us % 1000, us);
      if (failovers_.has_value()) epoch_ += (*failovers_ % 16 + 16 - epoch_ % 16) % 16;
      if (on_publish_) on_publish_(epoch_);
    }
    MapAnswer answer{.epoch = epoch_, .lease_ms = static_cast<uint64_t>(lease_ms_), .lapsed = lapsed};
    if (!with_map) return answer;
    answer.map.emplace();
    answer.map->epoch = epoch_;
    answer.map->placement_seed = seed_;
    for (const auto& [id, registered] : nodes_) {
      absl::StatusOr<ClusterNode> node = DecodeClusterNode(registered.record);
      if (!node.ok()) return node.status();
      node->state = registered.state;
      answer.map->nodes.push_back(*std::move(node));
    }
    return answer;
  }

  bool there_ = false;  // somebody has joined since it was empty
  uint64_t epoch_ = 0;
  PlacementSeed seed_{};
  int64_t lease_ms_ = 0, seen_ms_ = 0, now_ms_ = 0, now_us_ = 0;
  std::map<uint64_t, Registered> nodes_;
  std::map<uint64_t, int64_t> leases_, gone_;
  bool changed_ = false;
  std::optional<uint64_t> failovers_;  // of the caller
  std::function<void(uint64_t)> on_publish_;
};

}  // namespace incipit::testing
