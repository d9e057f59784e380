// Whether a node should get requests now, and what is wrong with it if not or not quite.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cache/node/cluster_gauges.h"
#include "cache/shard/shard_counters.h"

namespace incipit {

enum class NodePhase : uint8_t { kStarting = 0, kServing = 1, kStopping = 2 };

struct Readiness {
  bool ready = false;
  // "starting", "stopping", "stuck" (a shard does not answer), "fenced" (another process is this node of the
  // cluster): not ready. "degraded" (NVMe out of service, RAM is
  // served), "recovering" (not everything stored before the start is indexed), "serving": ready.
  std::string status;
  std::vector<std::string> reasons;  // one per shard and trouble, for people
  std::string json;                  // ready, status, reasons, shards: [shard, answers, recovered, nvme, ...]
};

// Pure. `reports` are those of the shards that answered. Of a node in a cluster the JSON has "cluster" too. That the
// map's source is away is a reason, and changes nothing else: what is stored is served all the same.
Readiness JudgeReadiness(NodePhase phase, uint16_t shards, const std::vector<ShardReport>& reports,
                         const std::optional<ClusterGauges>& cluster = std::nullopt);

}  // namespace incipit
