// What a drain does next: without thread or clock, so that the simulation of clusters drains by the same steps as a
// node does (NodeDrain). docs/membership.md, "Draining".
#pragma once

#include <cstdint>

#include "cluster/membership/cluster_map.h"

namespace incipit {

enum class DrainStep {
  kWait,         // nothing yet
  kBeginMoving,  // the cluster knows: the shards give their blocks away
  kServeAgain,   // it is over, and the node stays: cancelled, or the cluster was not told in time
  kLeave,        // it is over, and the node goes
};

// Pure. One thread. Times are those of any steady clock of the caller's, who has told the cluster that the node drains.
class DrainSteps {
 public:
  // How long it may take until the cluster's map says that the node gives its blocks away.
  static constexpr int64_t kStatePatienceMs = 10'000;

  DrainSteps(uint64_t node_id, int64_t now_ms, int64_t timeout_ms)
      : node_id_(node_id), until_ms_(now_ms + timeout_ms), told_until_ms_(now_ms + kStatePatienceMs) {}

  // `map`: the newest one, or null. `moved`: the shards have nothing left to give. To be asked again and again until it
  // says that it is over; kBeginMoving comes once.
  DrainStep Next(const ClusterMap* map, bool moved, bool cancelled, int64_t now_ms);

  bool moving() const { return moving_; }        // kBeginMoving was said
  bool timed_out() const { return timed_out_; }  // it ended before all was given

 private:
  const uint64_t node_id_;
  const int64_t until_ms_, told_until_ms_;
  bool moving_ = false, timed_out_ = false;
};

}  // namespace incipit
