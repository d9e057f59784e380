// Small random workloads of prompts that share beginnings.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "eviction/sim/prefix_trace.h"

namespace incipit {

struct RandomTraceOptions {
  int requests = 400;
  uint64_t families = 20;
  uint64_t longest = 15;  // blocks
};

// Prompts walk down a random tree: at each step mostly the way that the family's prompts always take.
inline PrefixTrace MakeRandomTrace(uint64_t seed, const RandomTraceOptions& options = {}) {
  std::mt19937_64 random(seed);
  PrefixTrace trace(16);
  for (int i = 0; i < options.requests; ++i) {
    const uint64_t family = std::min(random() % options.families, random() % options.families);
    std::vector<uint64_t> ids;
    const uint64_t length = random() % (options.longest + 1);
    uint64_t branch = 0;
    for (uint64_t depth = 0; depth < length; ++depth) {
      if (random() % 12 == 0) branch = 1 + random() % 3;
      ids.push_back(depth < 2 ? depth : (family * 100 + depth) * 10 + branch);
    }
    const uint64_t tokens = ids.empty() ? 0 : 16 * ids.size() - random() % 16;
    trace.Add(static_cast<uint64_t>(i) * 50, tokens, random() % 500, ids);
  }
  trace.Finish();
  return trace;
}

}  // namespace incipit
