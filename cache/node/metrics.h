// The page that Prometheus scrapes, made afresh from the shards' reports at each scrape.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cache/node/cluster_gauges.h"
#include "cache/node/process_usage.h"
#include "cache/shard/shard_counters.h"

namespace incipit {

struct MetricsInput {
  std::string node_name;
  uint64_t node_id = 0;
  uint16_t shards = 0;               // how many the node has
  std::vector<ShardReport> reports;  // of those that answered in time
  ProcessUsage process;
  std::optional<ClusterGauges> cluster;  // of a node that is in one
};

inline constexpr size_t kMaxTenantSeries = 64;
inline constexpr size_t kMaxNamespaceSeries = 64;

// Prometheus text format 0.0.4. Pure; allocates some 50 KB per shard.
std::string RenderMetrics(const MetricsInput& input);

inline constexpr char kMetricsContentType[] = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace incipit
