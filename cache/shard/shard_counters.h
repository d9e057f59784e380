// What a shard counts about requests, and the report that metrics and Stats are made of.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cache/shard/claim_table.h"
#include "cache/shard/latency_histogram.h"
#include "cache/shard/namespace_usage.h"
#include "cache/shard/reuse_curves.h"
#include "cache/shard/shard_peers.h"
#include "cache/shard/store_counters.h"
#include "cache/shard/tenant_usage.h"
#include "transport/stream.h"

namespace incipit {

// What one lane carried of the totals.
struct LaneCounters {
  uint64_t load_bytes_ram = 0, load_bytes_nvme = 0, store_bytes = 0;
  uint64_t bytes_received = 0, bytes_sent = 0;
};

struct ShardCounters {
  uint64_t sessions_opened = 0, sessions_refused = 0, sessions_stalled = 0, sessions_cut = 0, protocol_errors = 0,
           request_errors = 0;
  uint64_t matches = 0, match_keys = 0, match_hits = 0, match_hits_nvme = 0, hot_marks = 0;
  uint64_t loads = 0, load_keys = 0, loads_busy = 0;
  uint64_t load_hits_ram = 0, load_hits_nvme = 0, load_misses = 0, load_expired = 0, load_io_errors = 0,
           load_damaged = 0;
  uint64_t load_bytes_ram = 0, load_bytes_nvme = 0;
  uint64_t stores = 0, store_blocks = 0, store_bytes = 0, store_busy = 0, store_rejected = 0, store_damaged = 0,
           stores_shed = 0;
  uint64_t offers = 0, touches = 0, removes = 0, releases = 0, leases_granted = 0, leases_expired = 0,
           leases_refused = 0;
  uint64_t bytes_received = 0, bytes_sent = 0;
  uint64_t auth_failures = 0, auth_held_back = 0, requests_denied = 0;
  std::array<LaneCounters, kLaneKinds> lanes;
  LaneCounters& lane(LaneKind kind) { return lanes[static_cast<size_t>(kind)]; }
  const LaneCounters& lane(LaneKind kind) const { return lanes[static_cast<size_t>(kind)]; }
  LatencyHistogram match_latency, load_latency, store_latency, refusal_latency;
};

struct ShardReport {
  uint16_t shard = 0;
  ShardCounters requests;
  StoreCounters store;
  StoreGauges gauges;
  std::vector<TenantReport> tenants;
  std::vector<NamespaceReport> namespaces;
  std::vector<ReuseReport> reuse;
  ClaimCounters claims;
  PeerCounters peers;
  uint64_t claimed_blocks = 0, watched_keys = 0, hot_blocks = 0;
  uint64_t sessions = 0, loads_in_progress = 0, load_bytes_in_progress = 0, leases = 0, pinned_bytes = 0;

  // (metric name without prefix, value), stable names; what Stats answers.
  std::vector<std::pair<std::string, uint64_t>> Values() const;
};

}  // namespace incipit
