// The cluster map in Redis: one Lua script, which does each verb as a whole or not at all, and the verbs as typed
// calls. docs/membership.md ("From Redis") specifies the keys and the rules. Nothing else touches them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cluster/membership/map_calls.h"
#include "cluster/redis/redis_connection.h"

namespace incipit {

// One thread at a time. Errors: those of RedisConnection, and
//   Aborted: another process with a higher fence is this node;
//   FailedPrecondition: another version of the keys, or Redis refuses (read-only replica, out of memory);
//   ResourceExhausted: the cluster has kMaxClusterNodes nodes already;
//   DataLoss: the keys hold what this script does not write.
class MapScript {
 public:
  explicit MapScript(std::string cluster);

  // Registers `node` with its state, or replaces what is registered for its id, and gives it a lease. A cluster that is
  // not there yet gets `seed`.
  absl::StatusOr<MapAnswer> Join(RedisConnection* redis, const MapCaller& caller, const ClusterNode& node,
                                 const PlacementSeed& seed) const;
  absl::StatusOr<MapAnswer> Renew(RedisConnection* redis, const MapCaller& caller) const;
  // kGone gives the lease back.
  absl::StatusOr<MapAnswer> SetState(RedisConnection* redis, const MapCaller& caller, NodeState state) const;
  absl::StatusOr<MapAnswer> Fetch(RedisConnection* redis, const MapCaller& caller) const;

  const std::string& channel() const { return channel_; }

 private:
  absl::StatusOr<MapAnswer> Run(RedisConnection* redis, const char* verb, const MapCaller& caller,
                                std::vector<std::string> more) const;

  std::string prefix_;  // "incipit:{NAME}:"
  std::string channel_;
};

}  // namespace incipit
