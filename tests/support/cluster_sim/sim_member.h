// A node as a member of a simulated cluster: the rules of the real one, over messages that may be lost.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cluster/membership/membership_rules.h"
#include "tests/support/cluster_sim/cluster_world.h"

namespace incipit::testing {

// Spawn Run() once; Stop() ends it soon. Must live until then.
class SimMember {
 public:
  using OnMap = std::function<void(const std::shared_ptr<const ClusterMap>& map)>;  // of each newer map

  SimMember(ClusterWorld* world, std::string address, ClusterNode self, OnMap on_map)
      : world_(world),
        address_(std::move(address)),
        on_map_(std::move(on_map)),
        rules_(std::move(self), world->plan.lease_ms, world->random.get()),
        wake_(&world->loop) {}

  Task<void> Run() {
    int64_t retry_ms = kRetryMinMs;
    while (!stopped_) {
      Task<absl::Status> stepping = Step();
      const absl::Status status = co_await stepping;
      wake_.Clear();
      if (stopped_) break;
      if (status.ok()) {
        retry_ms = kRetryMinMs;
        co_await wake_.WaitUntil(rules_.DueAtMs() * kSimMs);
      } else {
        connected_ = false;
        co_await SleepUntil(&world_->loop, world_->loop.NowNs() + retry_ms * kSimMs);
        retry_ms = std::min<int64_t>(2 * retry_ms, kRetryMaxMs);
      }
      while (!stopped_ && world_->paused.contains(address_)) {
        co_await SleepUntil(&world_->loop, world_->loop.NowNs() + 20 * kSimMs);
      }
    }
    if (leave_ && rules_.joined()) {  // once, whatever comes of it: else the lease runs out
      ClusterNode gone = rules_.self();
      gone.state = NodeState::kGone;
      Task<absl::StatusOr<MapAnswer>> leaving = Call(MemberCall::kSetState, std::move(gone));
      const absl::StatusOr<MapAnswer> ignored = co_await leaving;
    }
    ended_ = true;
  }
  void Stop() {
    stopped_ = true;
    wake_.Set();
  }
  // The same, and first says that the node is gone.
  void Leave() {
    leave_ = true;
    Stop();
  }
  void Want(NodeState state) {
    wanted_ = state;
    wake_.Set();
  }
  void OnNews(uint64_t epoch) {
    if (stopped_ || !connected_) return;
    rules_.OnNews(epoch);
    wake_.Set();
  }

  const std::shared_ptr<const ClusterMap>& map() const { return rules_.map(); }
  const std::string& address() const { return address_; }
  bool fenced() const { return rules_.fenced(); }
  bool ended() const { return ended_; }  // Run() has

 private:
  static constexpr int64_t kRetryMinMs = 100, kRetryMaxMs = 2000;  // the defaults of RedisMembershipOptions
  static constexpr int64_t kTimeoutNs = 1000 * kSimMs;

  struct Pending {
    explicit Pending(Loop* loop) : done(loop) {}
    Event done;
    std::optional<absl::StatusOr<MapAnswer>> answer;
  };

  Task<absl::Status> Step() {
    if (!connected_) {
      Task<absl::StatusOr<MapAnswer>> greeting = Call(MemberCall::kNone, rules_.self());
      const absl::StatusOr<MapAnswer> greeted = co_await greeting;
      if (!greeted.ok()) co_return greeted.status();
      connected_ = true;
      rules_.OnConnected(world_->NowMs());
    }
    while (!stopped_) {
      const MemberCall call = rules_.Next(world_->NowMs(), wanted_);
      if (call == MemberCall::kNone) break;
      const std::shared_ptr<const ClusterMap> before = rules_.map();
      Task<absl::StatusOr<MapAnswer>> calling = Call(call, rules_.self());
      absl::StatusOr<MapAnswer> answer = co_await calling;
      const auto taken = rules_.Handle(call, std::move(answer), world_->NowMs());
      if (!taken.ok()) co_return taken.status();
      if (*taken == nullptr) continue;
      world_->CheckMap(address_, before.get(), **taken);
      on_map_(*taken);
    }
    co_return absl::OkStatus();
  }

  // A call that is not answered in time may have been heard all the same, and may be heard later.
  Task<absl::StatusOr<MapAnswer>> Call(MemberCall call, ClusterNode self) {
    const auto pending = std::make_shared<Pending>(&world_->loop);
    const MapCaller caller = rules_.Caller();
    const PlacementSeed seed = rules_.seed();
    world_->Send(address_, kKeeper, [world = world_, address = address_, pending, call, caller, self, seed] {
      if (world->keeper_away) return;
      const absl::StatusOr<MapAnswer> answer = world->keeper.Run(call, caller, self, seed, world->KeeperUs());
      world->Send(kKeeper, address, [pending, answer] {
        if (!pending->answer.has_value()) pending->answer = answer;
        pending->done.Set();
      });
    });
    const bool answered = co_await pending->done.WaitUntil(world_->loop.NowNs() + kTimeoutNs);
    if (!answered) co_return absl::UnavailableError("the keeper of the map did not answer");
    co_return *std::move(pending->answer);
  }

  ClusterWorld* world_;
  std::string address_;
  OnMap on_map_;
  MembershipRules rules_;
  NodeState wanted_ = NodeState::kJoining;
  Event wake_;
  bool connected_ = false, stopped_ = false, leave_ = false, ended_ = false;
};

}  // namespace incipit::testing
