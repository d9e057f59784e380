// What a node says to whoever keeps the cluster's map, and what it hears: docs/membership.md ("From Redis").
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cluster/membership/cluster_map.h"

namespace incipit {

inline constexpr uint64_t kForgetGoneMs = 3'600'000;

// What every call tells about its caller.
struct MapCaller {
  uint64_t id = 0;
  std::string fence;           // 32 hexadecimal digits: incarnation, then a random number of the process
  uint64_t known_epoch = 0;    // of the caller's map, 0 = none; the epoch never stays below it
  uint32_t lease_ms = 10'000;  // taken if the cluster is new
  // How many failovers made the server that is called the keeper; none = nothing fails over. Epochs that two servers
  // give never are the same, unless there are 16 failovers between them.
  std::optional<uint64_t> failovers;
};

struct MapAnswer {
  uint64_t epoch = 0;
  uint64_t lease_ms = 0;          // of the cluster
  bool lapsed = false;            // renew, state: the node is not registered (any more) and has to join
  std::optional<ClusterMap> map;  // join, fetch, state
  uint64_t bad_records = 0;       // nodes left out of the map, because their records do not decode
};

}  // namespace incipit
