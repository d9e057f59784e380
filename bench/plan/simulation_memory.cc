#include "bench/plan/simulation_memory.h"

#include <algorithm>

#include "bench/plan/plan.h"
#include "eviction/ghost_table.h"

namespace incipit::bench {

uint64_t SimulationMemoryBytes(const std::string& policy, uint64_t capacity_blocks, const PrefixTrace& trace) {
  const uint64_t unique = trace.unique_blocks();
  const uint64_t held = capacity_blocks + trace.longest_chain();
  const uint64_t ghosts = std::min({uint64_t{kMaxGhosts}, kGhostsPerBlock * capacity_blocks, unique});
  const uint64_t learning = 64 * held + 64 * ghosts;  // bytes; arrays may have grown to twice what they hold
  if (policy == kMinPolicy || policy == "lru") return 4 * unique + 32 * trace.requests().size();
  uint64_t bytes = 5 * unique + 16 * held;
  if (policy == "auto") {
    const uint64_t known = std::min(unique, 3 * held);
    bytes += 180 * known + 3 * learning;
  } else if (policy.starts_with("gil") || policy == "lfu-kept") {
    bytes += learning;
  } else {
    bytes += 96 * held + 40 * std::min(ghosts, capacity_blocks);
  }
  return bytes;
}

}  // namespace incipit::bench
