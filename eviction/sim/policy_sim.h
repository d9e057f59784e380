// Replays a workload through a policy, block by block, without moving a byte.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "eviction/policy.h"
#include "eviction/sim/hit_totals.h"
#include "eviction/sim/next_use.h"

namespace incipit {

struct PolicySimOptions {
  uint64_t capacity_blocks = 1;  // of all shards together
  uint32_t shards = 1;           // each decides alone, about the blocks that hash to it
  CostModel cost;
  // Tells the policy of a block's next use when it is at most so far away, as an engine's queue would; 0 = never.
  uint64_t hint_ns = 0;
  const NextUse* next_use = nullptr;       // REQUIRED if hint_ns is not 0
  std::function<void(uint64_t)> progress;  // called with the number of requests done, now and then; may be empty
};

struct PolicySimResult {
  HitTotals totals;
  uint64_t policy_bytes = 0;  // memory of the policies at the end
  uint64_t orphans = 0;       // touches of blocks that were held although one before them in the chain was not
};

// A request hits its leading run of held blocks; then its whole chain is held, touched from the deepest up with one
// stamp; then each shard is cut back to its share. `make` makes the policy of a shard for so many blocks. Any thread.
PolicySimResult SimulatePolicy(const PrefixTrace& trace, const PolicySimOptions& options,
                               const std::function<std::unique_ptr<Policy>(size_t capacity, uint32_t shard)>& make);

}  // namespace incipit
