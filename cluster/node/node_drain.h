// Drains a node: says in the map that it gives its blocks away, has its shards do so, then leaves. docs/membership.md,
// "Draining".
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "cache/shard/node_control.h"
#include "cluster/membership/cluster_map.h"
#include "cluster/node/drain_steps.h"
#include "cluster/warming/move_board.h"

namespace incipit {

// What a drain needs of its node. All but `map` are called on the drain's own thread; none after Stop().
struct DrainHooks {
  std::function<std::shared_ptr<const ClusterMap>()> map;  // any thread; null while there is none
  std::function<void(NodeState)> set_state;                // serving or draining, told to the cluster soon
  std::function<std::vector<std::shared_ptr<MoveBoard>>(uint64_t bytes_per_s)> begin_moving;
  std::function<void(bool takes_stores)> end_moving;
  std::function<void()> leave;  // the node is gone from the map afterwards, or its lease runs out
  std::function<void()> exit;   // asks the process to end
};

// Any thread may call any method; Stop belongs to the owner of what the hooks use.
class NodeDrain : public NodeControl {
 public:
  NodeDrain(uint64_t node_id, DrainHooks hooks) : node_id_(node_id), hooks_(std::move(hooks)) {}
  ~NodeDrain() override { Stop(); }

  absl::StatusOr<wire::DrainReply> Drain(const wire::Drain& request) override;
  wire::DrainReply Report();
  // Ends a drain as if it had never been asked for, without telling the cluster; calls no hook any more.
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;
  absl::Status Check() const;
  wire::DrainReply ReportLocked() const;
  // On the thread.
  void Run(wire::Drain request);
  std::optional<DrainStep> Await(DrainSteps* steps);
  void End(wire::DrainState state, std::string message);

  const uint64_t node_id_;
  const DrainHooks hooks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Under mutex_.
  wire::DrainState state_ = wire::DrainState::kNone;
  bool timed_out_ = false, cancel_ = false, stopped_ = false;
  std::string message_;
  Clock::time_point began_, ended_;
  std::vector<std::shared_ptr<MoveBoard>> boards_;
  std::thread thread_;
};

}  // namespace incipit
