// Learns the cluster's map from its nodes and follows it: no client needs Redis, or credentials for it. Stands on the
// seams only, so that a test can run many in one thread, in virtual time. docs/membership.md, "Clients".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/runtime/sync.h"
#include "client/src/core/handshake.h"
#include "cluster/membership/cluster_map.h"
#include "transport/stream.h"

namespace incipit {

inline constexpr size_t kMaxSeeds = 64;

struct MapFollowerOptions {
  std::vector<std::string> seeds;  // 1 to kMaxSeeds addresses of nodes, any of them will do
  std::string lane = "tcp";        // on which the nodes of the map are asked, once there is one
  std::string tenant = "default";
  std::shared_ptr<const TenantKey> key;  // null: no credentials
  std::string client_name;
  uint32_t step_timeout_ms = 2000;  // of connecting and of each answer beyond what it is held for
  uint32_t watch_ms = 10'000;       // about how long a node holds an answer; at most wire::kMaxMapWaitMs
  // About how long one node is asked before another is: a node that is cut off from the others does not know it.
  uint32_t stay_ms = 30'000;
  uint32_t retry_min_ms = 50;  // pause after no node answered; doubles up to the maximum
  uint32_t retry_max_ms = 5000;
  // For each map that is taken. Must not destroy the follower.
  std::function<void(std::shared_ptr<const ClusterMap>)> on_map;
  std::function<void(const absl::Status&)> on_failure;
};

struct MapFollowerCounters {
  uint64_t questions = 0, maps = 0, failures = 0;
};

// One thread: the loop's. Start() it, and Stop() it before destroying it; the seams must outlive it. One connection and
// one request are outstanding at most. All pauses are spread at random, by half up and down.
class MapFollower {
 public:
  // InvalidArgument: an option.
  static absl::Status CheckOptions(const MapFollowerOptions& options);
  // REQUIRES: CheckOptions(options) is ok.
  MapFollower(Loop* loop, Connector* connector, Random* random, MapFollowerOptions options);

  void Start();
  // Ends within step_timeout_ms (an attempt to connect is not cut short).
  Task<void> Stop();

  // Null before the first. The last one stays when no node answers any more.
  const std::shared_ptr<const ClusterMap>& map() const { return map_; }
  const MapFollowerCounters& counters() const { return counters_; }
  // Why the last node that failed did; ok before.
  const absl::Status& last_error() const { return last_error_; }

 private:
  Task<void> Run();
  Task<absl::Status> Follow(std::string address);
  Task<absl::Status> AskUntil(FrameChannel* channel, uint64_t shard_epoch, int64_t until_ns);
  absl::Status Take(const std::string& address, ByteView meta);
  bool Refill();
  int64_t SpreadNs(uint32_t ms);
  uint64_t known_epoch() const { return map_ == nullptr ? 0 : map_->epoch; }

  Loop* loop_;
  Connector* connector_;
  Random* random_;
  MapFollowerOptions options_;
  std::shared_ptr<const ClusterMap> map_;
  MapFollowerCounters counters_;
  absl::Status last_error_;
  std::vector<std::string> untried_;  // of this round, in random order
  std::string last_address_;
  bool answered_ = false;  // since the last pause
  uint32_t retry_ms_;
  FrameChannel* channel_ = nullptr;  // in use now, for Stop
  bool stopping_ = false;
  Event stop_;
  TaskScope scope_;
};

}  // namespace incipit
