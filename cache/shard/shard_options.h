// Limits of one shard. Every queue, frame and buffer of the data path is bounded by something here.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "cache/nvme/nvme_tier.h"
#include "cache/shard/block_store.h"
#include "cache/shard/heat_table.h"
#include "cache/shard/request_recorder.h"
#include "cache/tenants/audit_log.h"
#include "transport/shared/region_table.h"

namespace incipit {

struct ShardLimits {
  uint32_t max_sessions = 1024;
  uint32_t max_namespaces_per_session = 64;
  uint32_t max_loads_per_session = 64;   // in progress; more are answered busy
  uint32_t max_loads = 1024;             // in progress on the shard
  uint64_t max_load_bytes = 4ull << 30;  // that loads in progress may still have to send
  uint32_t max_lease_ms = 600'000;
  uint32_t max_leases_per_session = 4096;
  double max_pinned_share = 0.5;  // of the shard's RAM and NVMe together
  uint32_t store_wait_ms = 500;   // how long a block waits for room, until one of its group waited in vain
  uint32_t default_load_deadline_ms = 30'000;
  uint32_t client_stall_ms = 10'000;    // a client that takes no bytes, or leaves a frame unfinished, is cut off
  uint64_t stamp_past_ms = 60'000;      // older request stamps count as this old
  uint64_t load_chunk_bytes = 2 << 20;  // RAM hits sent in one reply frame
  uint32_t nvme_reads_per_load = 32;    // in flight for one request
  uint32_t max_claim_ms = 60'000;
  uint64_t max_claimed_blocks = 262'144;              // on the shard; more are answered free
  uint64_t max_claimed_blocks_per_session = 131'072;  // the same
  uint32_t max_wait_ms = 600'000;
  uint32_t max_waits_per_session = 32;
  uint64_t max_watched_keys = 4 << 20;  // of all waits on the shard; more are answered busy
  uint64_t max_watched_keys_per_session = 262'144;
  uint32_t peer_match_ms = 250;      // how long a Match waits for another node that may have what is missing
  uint32_t peer_load_ms = 2000;      // the same of a Load, for some blocks at a time
  uint32_t wait_batch_us = 1000;     // blocks that land within this time are told in one frame
  RegionLimits regions_per_session;  // memory that one client shares with this shard
  HeatOptions heat;                  // from when on a block should have copies at other nodes
};

struct ShardIdentity {
  uint64_t node_id = 0;
  uint64_t incarnation = 0;
  uint64_t epoch = 1;
  uint16_t shard = 0;
  uint16_t shard_count = 1;
  std::array<uint8_t, 16> placement_seed{};
  std::string node_name = "incipit";
};

struct ShardOptions {
  ShardIdentity identity;
  ShardLimits limits;
  BlockStoreOptions store;
  NvmeOptions nvme;
  std::shared_ptr<RequestRecorder> recorder;  // of the node's requests; null = nobody records
  AuditSink audit;                            // where refusals are written; none: they are only counted
};

}  // namespace incipit
