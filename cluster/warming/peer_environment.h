// What a shard needs to talk to other nodes: its seams, who it is, and limits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cache/runtime/loop.h"
#include "cache/seams/random.h"
#include "cache/shard/shard_peers.h"
#include "transport/auth/tenant_key.h"
#include "transport/stream.h"

namespace incipit {

struct PeerSettings {
  uint64_t node_id = 0;                  // of this node
  std::string tenant = "default";        // as which it asks; with the role peer where nodes have tenants
  std::shared_ptr<const TenantKey> key;  // null: no credentials
  // Over which lanes other nodes are asked, the best first; those that a node has no address on are left out. Another
  // than the best is taken while that one fails.
  std::vector<std::string> lanes = {"tcp"};
  uint32_t links_per_shard = 4;        // connections of one shard to one shard of another node; each has one request
  uint32_t failures_to_hold_back = 3;  // in a row, after which a node is not asked for a while
  uint32_t hold_back_ms = 1000;
  uint32_t lane_retry_ms = 30'000;  // a lane that failed is tried again after this at most, and half of it at least
  uint32_t max_questions = 256;     // Matches and TakeOvers of one shard that are under way
  uint64_t max_fetch_bytes = 256 << 20;  // of blocks that one shard takes over at a time
};

// The seams outlive whoever has this. One thread: the loop's.
struct PeerEnvironment {
  Loop* loop = nullptr;
  Connector* connector = nullptr;
  Random* random = nullptr;
  PeerSettings settings;
  PeerCounters* counters = nullptr;  // null: nobody counts
};

}  // namespace incipit
