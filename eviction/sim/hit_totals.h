// What a simulated cache was worth: tokens and FLOPs of leading runs of hits, against those of all prompts.
#pragma once

#include <cstdint>

#include "eviction/cost_model.h"
#include "eviction/sim/prefix_trace.h"

namespace incipit {

// Plain data. One thread.
struct HitTotals {
  uint64_t requests = 0;
  uint64_t hit_blocks = 0;
  uint64_t inserted_blocks = 0;  // 0 where the simulation does not count them
  uint64_t hit_tokens = 0, input_tokens = 0;
  double hit_flops = 0, input_flops = 0;

  void Add(const PrefixTrace& trace, const PrefixTrace::Request& request, uint32_t leading_blocks,
           const CostModel& cost) {
    const uint64_t tokens = trace.TokensOf(request, leading_blocks);
    ++requests;
    hit_blocks += leading_blocks;
    hit_tokens += tokens;
    input_tokens += request.input_tokens;
    hit_flops += cost.Flops(0, tokens);
    input_flops += cost.Flops(0, request.input_tokens);
  }
  double TokenHitRatio() const {
    return input_tokens == 0 ? 0 : static_cast<double>(hit_tokens) / static_cast<double>(input_tokens);
  }
  double FlopsSavedRatio() const { return input_flops == 0 ? 0 : hit_flops / input_flops; }
};

}  // namespace incipit
