// What RAM and NVMe each serve of a workload, request by request, without moving a byte.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "eviction/policy.h"
#include "eviction/sim/prefix_trace.h"

namespace incipit::bench {

struct TierReplayOptions {
  uint64_t capacity_blocks = 1;  // of the whole tier
  uint64_t ram_blocks = 1;       // of these, in RAM; all of them: there is no NVMe
  std::function<std::unique_ptr<Policy>(uint64_t capacity_blocks)> make_policy;
  std::function<void(uint64_t)> progress;  // called with the number of requests done, now and then; may be empty
};

// Of one request, in blocks. Its hit is its leading run of held blocks.
struct ServedRequest {
  uint32_t ram_hits = 0;
  uint32_t nvme_hits = 0;
  uint32_t stored = 0;   // that the engine sends, because the tier does not hold them
  uint32_t written = 0;  // to NVMe, to make room in RAM for this request
};

// By request. The tier as a whole holds and hits what SimulatePolicy says of one shard without hints. A policy for RAM
// of the same kind ranks what it holds; what falls out of RAM is written to NVMe, unless its copy is there from
// before: a block that is hit on NVMe comes to RAM and keeps its copy, as in a node. Blocks have one size. Costs about
// twice SimulatePolicy, and 17 bytes for each distinct block beside the policies. Any thread.
std::vector<ServedRequest> ReplayTiers(const PrefixTrace& trace, const TierReplayOptions& options);

}  // namespace incipit::bench
