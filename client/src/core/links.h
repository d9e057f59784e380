// What a client is linked to: one node (NodeLinks), or all nodes of a cluster (ClusterLinks). Calls see a ShardSet of
// either, and do not care which.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "client/src/core/shard_set.h"

namespace incipit {

// One thread: the loop's. Start(), and Stop() before destroying it.
class Links {
 public:
  virtual ~Links() = default;
  virtual void Start() = 0;
  virtual Task<void> Stop() = 0;

  // The shards, once they are known; they stay known while nodes are away. Unavailable, DeadlineExceeded: there is
  // nobody to ask.
  virtual Task<absl::StatusOr<std::shared_ptr<ShardSet>>> Shards(int64_t deadline_ns) = 0;
  // OK once calls can be answered. Otherwise the first thing that was wrong.
  virtual Task<absl::Status> WaitAllReady(int64_t deadline_ns) = 0;
  // One entry for each node, in the order of the map.
  virtual std::vector<NodeInfo> Nodes() const = 0;
  // Of the cluster's map in use; 0: none, or one node.
  virtual uint64_t epoch() const = 0;
};

}  // namespace incipit
