// What one look at a cluster found, as numbers of each node since its start. Plain data.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cluster/membership/cluster_map.h"
#include "incipit/client.h"
#include "transport/wire/activity_messages.h"

namespace incipit {

struct NodeSample {
  ClusterNode node;
  absl::Status status;  // why there is nothing from it; ok otherwise
  std::string name;     // as it calls itself; empty: it never answered
  std::vector<ShardStats> shards;
  std::vector<wire::Activity> activity;  // of those shards that tell it
};

struct ClusterSample {
  std::chrono::steady_clock::time_point at;
  uint64_t epoch = 0;             // 0: no map
  std::vector<NodeSample> nodes;  // in the map's order
};

}  // namespace incipit
