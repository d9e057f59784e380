// The cluster map in Redis: one Lua script, which does each verb as a whole or not at all, and the verbs as typed
// calls. docs/membership.md ("From Redis") specifies the keys and the rules. Nothing else touches them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cluster/membership/cluster_map.h"
#include "cluster/redis/redis_connection.h"

namespace incipit {

inline constexpr uint64_t kForgetGoneMs = 3'600'000;

// What every call tells Redis about its caller.
struct MapCaller {
  uint64_t id = 0;
  std::string fence;           // 32 hexadecimal digits: incarnation, then a random number of the process
  uint64_t known_epoch = 0;    // of the caller's map, 0 = none; Redis' epoch never stays below it
  uint32_t lease_ms = 10'000;  // taken if the cluster is new
};

struct MapAnswer {
  uint64_t epoch = 0;
  uint64_t lease_ms = 0;          // of the cluster
  bool lapsed = false;            // Renew, SetState: the node is not registered (any more) and has to join
  std::optional<ClusterMap> map;  // Join, Fetch, SetState
  uint64_t bad_records = 0;       // nodes left out of the map, because their records do not decode
};

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
